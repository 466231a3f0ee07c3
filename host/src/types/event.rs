//! What happens to a request, as it happens: told to an observer, kept in the request's record.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::as_json::{millis, standing};
use super::{CandidateRecord, Failure, Standing, StateRead, TargetName, Usage};

/// One step of a request's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The strategy was asked and has answered.
    Decided {
        /// Every target of the roster with its standing at that moment.
        candidates: Vec<CandidateRecord>,
        /// What was decided, in words: `attempt groq/llama-3.1-8b-instant`, `give up`.
        verdict: String,
        /// The strategy's own reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What the strategy read of its state, where it was granted one and read any: beside the question, what the decision
        /// depends on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<StateRead>,
    },
    /// The strategy trapped, ran out of fuel or answered nonsense; declared order decided instead.
    StrategyFault {
        /// What was wrong.
        message: String,
    },
    /// Nothing is sent for a while.
    Waiting {
        /// For whom.
        target: Arc<TargetName>,
        /// How long at most.
        #[serde(rename = "wait_ms", with = "millis")]
        wait: Duration,
        /// Where it is in line for its turn within the operator's limit: how many requests go before it. Else the strategy
        /// chose to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ahead: Option<u32>,
    },
    /// The guard did not admit the target the strategy chose; the strategy is asked again.
    Denied {
        /// Who was chosen.
        target: Arc<TargetName>,
        /// Why not, as a strategy would be told: what counters go by.
        #[serde(with = "standing")]
        standing: Standing,
        /// Why not, in a few words.
        why: String,
    },
    /// An attempt is being sent.
    Attempting {
        /// To whom.
        target: Arc<TargetName>,
        /// Which attempt of this request, from 1.
        attempt: u32,
        /// Which of the provider's models it is, from 1, and how many there are.
        model_of: (u32, u32),
    },
    /// The attempt failed.
    Failed {
        /// At whom.
        target: Arc<TargetName>,
        /// How.
        failure: Failure,
        /// After how long.
        #[serde(rename = "took_ms", with = "millis")]
        took: Duration,
    },
    /// The attempt served: a whole reply is here, or a stream's first token.
    Served {
        /// By whom.
        target: Arc<TargetName>,
        /// After how long.
        #[serde(rename = "took_ms", with = "millis")]
        took: Duration,
    },
    /// The attempt was given up because another one was faster.
    Cancelled {
        /// At whom.
        target: Arc<TargetName>,
        /// After how long.
        #[serde(rename = "took_ms", with = "millis")]
        took: Duration,
    },
    /// Parts of the request had to be left out or written otherwise for a target.
    Adapted {
        /// For whom.
        target: Arc<TargetName>,
        /// What, a sentence each.
        notes: Vec<String>,
    },
    /// A stream broke off, and this target takes it up.
    Resuming {
        /// Who.
        target: Arc<TargetName>,
        /// It goes on from where the answer broke; else it begins anew, and what equals the part already sent is kept back.
        goes_on: bool,
    },
    /// An equal request is under way: its answer is waited for.
    Joined,
    /// The reply was kept from an equal request, and is given again.
    FromCache {
        /// Who gave it then.
        target: Arc<TargetName>,
        /// How long ago.
        #[serde(rename = "age_ms", with = "millis")]
        age: Duration,
    },
    /// The reply is complete.
    Completed {
        /// By whom.
        target: Arc<TargetName>,
        /// What its provider counted, where it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// Since the attempt was sent.
        #[serde(rename = "took_ms", with = "millis")]
        took: Duration,
    },
}

/// Is told every step of a request as it happens, on the task that runs it: must return soon and must not block.
pub trait Observer: Send + Sync {
    /// Takes note of a step.
    fn on_event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}
