//! One line of a recording: a panel, a decision, or the end of a request, as a JSON object.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::types::as_json::millis;
use crate::types::{
    Ask, AttemptEnd, FailureKind, NanoUsd, Outcome, RequestId, RequestRecord, RosterTarget, TargetName, Verdict,
};

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Who decides among whom, from here on under this number. It holds within one file.
    Panel(u32, Panel),
    /// What the panel of that number was asked, and decided.
    Decided(u32, Decided),
    /// How a request ended.
    Ended(Ended),
}

/// Who decides, and among whom: all that a strategy was told when it was configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// The route.
    pub route: Arc<str>,
    /// The strategy's name.
    pub strategy: Arc<str>,
    /// SHA-256 of its component, in hexadecimal.
    pub digest: String,
    /// Its options.
    pub options: Map<String, Value>,
    /// Who may be chosen.
    pub roster: Vec<RosterTarget>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// The request it is about.
    pub request: RequestId,
    /// The question.
    pub ask: Ask,
    /// The answer.
    pub verdict: Verdict,
    /// The strategy failed, and declared order answered in its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_fault: bool,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub request: RequestId,
    /// How.
    pub outcome: Outcome,
    /// Every HTTP call, but for those that were given up because another one was faster.
    pub tried: Vec<Tried>,
    /// What it cost in nano-dollars, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<NanoUsd>,
    /// From its start to its end.
    #[serde(rename = "took_ms", with = "millis")]
    pub took: Duration,
}

/// One HTTP call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// To whom.
    pub target: Arc<TargetName>,
    /// Why it failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// To the end of a whole reply, to the first token of a stream.
    #[serde(rename = "took_ms", with = "millis")]
    pub took: Duration,
}

impl Ended {
    /// What of a record is written down.
    #[must_use]
    pub fn of(record: &RequestRecord) -> Self {
        let tried = record.attempts.iter().filter_map(|attempt| {
            let failure = match &attempt.end {
                AttemptEnd::Served => None,
                AttemptEnd::Failed(failure) => Some(failure.kind),
                AttemptEnd::Cancelled => return None,
            };
            Some(Tried { target: Arc::clone(&attempt.target), failure, took: attempt.took })
        });
        Self {
            request: record.id,
            outcome: record.outcome,
            tried: tried.collect(),
            cost: record.cost,
            took: record.took,
        }
    }
}
