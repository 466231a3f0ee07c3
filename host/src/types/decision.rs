//! What a strategy is asked, and what it answers: the contract's types without the contract's bindings.
//!
//! Fields mean what `wit/strategy.wit` says of them. Targets are places in the route's roster, not [`super::TargetId`]s.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::as_json::standing;
use super::{FailureKind, NanoUsd};

/// Whether the guard would admit a target now, and if not, why. Payloads: milliseconds until it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Would be admitted now.
    Ready,
    /// Asked to be left alone.
    CoolingDown(u32),
    /// The breaker is open.
    Tripped(u32),
    /// Another request is trying it at this moment.
    Probing,
    /// The operator's own limit is used up.
    Limited(u32),
    /// Its account or daily quota is used up.
    OutOfQuota(u32),
    /// The request would not fit a budget.
    OverBudget,
    /// Cannot serve this request.
    Unsupported,
    /// Has had its turns in this request.
    Spent,
    /// Out until someone does something about it.
    Disabled,
}

impl Standing {
    /// The standing in a word or two, for people and for records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::CoolingDown(_) => "cooling down",
            Self::Tripped(_) => "tripped",
            Self::Probing => "probing",
            Self::Limited(_) => "limited",
            Self::OutOfQuota(_) => "out of quota",
            Self::OverBudget => "over budget",
            Self::Unsupported => "unsupported",
            Self::Spent => "spent",
            Self::Disabled => "disabled",
        }
    }

    /// Milliseconds until it may be admitted, where that is known.
    #[must_use]
    pub fn wait_ms(self) -> Option<u32> {
        match self {
            Self::Ready => Some(0),
            Self::CoolingDown(ms) | Self::Tripped(ms) | Self::Limited(ms) | Self::OutOfQuota(ms) => Some(ms),
            Self::Probing | Self::OverBudget | Self::Unsupported | Self::Spent | Self::Disabled => None,
        }
    }

    /// Reads what [`fmt::Display`] shows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, wait) = match text.split_once(" (") {
            Some((name, wait)) => (name, wait.strip_suffix(" ms)")?.parse().ok()?),
            None => (text, 0),
        };
        let all = [
            Self::Ready,
            Self::CoolingDown(wait),
            Self::Tripped(wait),
            Self::Probing,
            Self::Limited(wait),
            Self::OutOfQuota(wait),
            Self::OverBudget,
            Self::Unsupported,
            Self::Spent,
            Self::Disabled,
        ];
        all.into_iter().find(|standing| standing.name() == name)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wait_ms() {
            None | Some(0) => f.write_str(self.name()),
            Some(ms) => write!(f, "{} ({ms} ms)", self.name()),
        }
    }
}

/// One target at the moment of the question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Whether it would be admitted.
    #[serde(with = "standing")]
    pub standing: Standing,
    /// What the request costs there at most, where the price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<NanoUsd>,
    /// Requests under way there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub in_flight: u32,
    /// Failures since the last success.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consecutive_failures: u32,
    /// Share of the latest attempts that were served, 0 to 1.
    pub success_rate: f32,
    /// Smoothed milliseconds to the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<f32>,
    /// Share left of the scarcest quota, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_left: Option<f32>,
}

impl State {
    /// A target that stands so, and of which nothing else is known.
    #[must_use]
    pub fn unknown(standing: Standing) -> Self {
        Self {
            standing,
            estimated_cost: None,
            in_flight: 0,
            consecutive_failures: 0,
            success_rate: 1.0,
            first_token_ms: None,
            quota_left: None,
        }
    }
}

/// An attempt of this request that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastAttempt {
    /// Where: a place in the roster.
    pub target: u32,
    /// Why.
    pub failure: FailureKind,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The wait the reply asked for, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
}

/// The question: who is next?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Counts the requests of this host.
    pub sequence: u64,
    /// 64 random bits.
    pub entropy: u64,
    /// Milliseconds since 1970 UTC.
    pub now_ms: u64,
    /// Input tokens, estimated from above.
    pub input_tokens: u32,
    /// Output tokens at most.
    pub max_output_tokens: u32,
    /// Whether the caller wants a stream.
    #[serde(default, skip_serializing_if = "is_default")]
    pub streaming: bool,
    /// The caller's words about the request.
    #[serde(default = "no_labels", skip_serializing_if = "<[_]>::is_empty")]
    pub labels: Arc<[(String, String)]>,
    /// One for each target of the roster.
    pub states: Vec<State>,
    /// What was tried, oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: Vec<PastAttempt>,
    /// Where attempts of this request are under way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub in_flight: Vec<u32>,
    /// The target that served last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<u32>,
    /// Nothing is ready and trying anyway is allowed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub emergency: bool,
    /// Attempts the host will still make.
    pub attempts_left: u32,
    /// How many of them may be retries.
    pub retries_left: u32,
    /// Since the request began.
    #[serde(default, skip_serializing_if = "is_default")]
    pub elapsed_ms: u32,
    /// Until its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u32>,
    /// The strategy's note to itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub note: Vec<u8>,
}

impl Ask {
    /// The first question of all, about a small request to targets in these states, with a minute for it: it is 1970.
    #[must_use]
    pub fn first(states: Vec<State>) -> Self {
        Self {
            sequence: 0,
            entropy: 0,
            now_ms: 0,
            input_tokens: 100,
            max_output_tokens: 100,
            streaming: false,
            labels: no_labels(),
            states,
            attempts: Vec::new(),
            in_flight: Vec::new(),
            preferred: None,
            emergency: false,
            attempts_left: 3,
            retries_left: 3,
            elapsed_ms: 0,
            remaining_ms: Some(60_000),
            note: Vec::new(),
        }
    }
}

/// A strategy's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// Why, for people.
    pub reason: Option<String>,
    /// Comes back with the next question of the same request.
    pub note: Vec<u8>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Send the request.
    Attempt(AttemptPlan),
    /// Wait for what is in flight.
    Hold,
    /// The request has failed.
    GiveUp,
}

/// Send the request to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptPlan {
    /// A place in the roster.
    pub target: u32,
    /// Wait before sending, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after_ms: u32,
    /// Give up after, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Ask for a second target after, in milliseconds without a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge_after_ms: Option<u32>,
}

impl Verdict {
    /// Whether two verdicts choose the same target, or none alike, whenever that is to be.
    #[must_use]
    pub fn is_same_choice(self, other: Self) -> bool {
        match (self, other) {
            (Self::Attempt(one), Self::Attempt(other)) => one.target == other.target,
            (Self::Hold, Self::Hold) | (Self::GiveUp, Self::GiveUp) => true,
            (Self::Attempt(_) | Self::Hold | Self::GiveUp, _) => false,
        }
    }
}

impl AttemptPlan {
    /// An attempt at once, with the operator's own limits.
    #[must_use]
    pub fn now(target: u32) -> Self {
        Self { target, after_ms: 0, timeout_ms: None, hedge_after_ms: None }
    }
}

/// Whether a value is what a recording leaves out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn no_labels() -> Arc<[(String, String)]> {
    Arc::new([])
}
