//! The whole story of one request: what `explain` tells.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Event, Failure, NanoUsd, Standing, TargetName, Usage};

/// Names one request in replies, logs and records: `bs-` and 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl RequestId {
    /// Reads what [`fmt::Display`] shows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("bs-").filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bs-{:032x}", self.0)
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One target of the roster, as it stood when the strategy was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateRecord {
    /// Who.
    pub target: Arc<TargetName>,
    /// Whether it would have been admitted, and if not, why.
    #[serde(serialize_with = "standing_name")]
    pub standing: Standing,
    /// What the request would have cost there at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<NanoUsd>,
    /// What it lacks that the request needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Arc<str>>,
}

/// One HTTP call that was made for the request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptRecord {
    /// To whom.
    pub target: Arc<TargetName>,
    /// How it ended.
    #[serde(flatten)]
    pub end: AttemptEnd,
    /// How long it took: to the end of a whole reply, to the first token of a stream.
    pub took: Duration,
}

/// How a HTTP call ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "end", content = "failure")]
pub enum AttemptEnd {
    /// It brought the answer.
    Served,
    /// It did not, for this reason.
    Failed(Failure),
    /// Another one was faster.
    Cancelled,
}

impl AttemptRecord {
    /// Why it failed, where it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.end {
            AttemptEnd::Failed(failure) => Some(failure),
            AttemptEnd::Served | AttemptEnd::Cancelled => None,
        }
    }
}

/// How the request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Still under way.
    Pending,
    /// A provider answered.
    Served,
    /// The caller's own fallback text was given, marked as such.
    Degraded,
    /// Nobody could answer.
    Failed,
    /// A stream broke after part of it had reached the caller.
    Interrupted,
    /// The caller went away.
    Abandoned,
}

/// The story of one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestRecord {
    /// Its name.
    pub id: RequestId,
    /// When it began.
    pub started: Timestamp,
    /// The route it took.
    pub route: Arc<str>,
    /// The strategy that was asked.
    pub strategy: Arc<str>,
    /// The caller's words about it.
    pub labels: Arc<[(String, String)]>,
    /// Every step with the time since the start.
    pub steps: Vec<(Duration, Event)>,
    /// Every HTTP call.
    pub attempts: Vec<AttemptRecord>,
    /// How it ended.
    pub outcome: Outcome,
    /// Who answered.
    pub served_by: Option<Arc<TargetName>>,
    /// What the answering provider counted.
    pub usage: Option<Usage>,
    /// What the answer cost, where the price is known.
    pub cost: Option<NanoUsd>,
    /// From the start to the end.
    pub took: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn standing_name<S: Serializer>(standing: &Standing, serializer: S) -> Result<S::Ok, S::Error> {
    match standing.wait_ms() {
        None | Some(0) => serializer.serialize_str(standing.name()),
        Some(ms) => serializer.collect_str(&format_args!("{} ({ms} ms)", standing.name())),
    }
}
