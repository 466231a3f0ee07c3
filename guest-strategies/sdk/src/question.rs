//! The question as it crosses the border: numbers, and what became of this request so far.

use crate::{Failure, State};

/// A number that this version of the contract had no field for; a key not known is to be passed over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extra {
    /// Which number it is.
    pub key: u32,
    /// Which target it tells of, in a question; `None` where it tells of the request.
    pub target: Option<u32>,
    /// The number.
    pub value: f64,
}

/// An attempt of this request that has already failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastAttempt {
    /// The target's place in the roster.
    pub target: u32,
    /// Why it failed.
    pub failure: Failure,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The wait the reply itself asked for, in milliseconds from when it came.
    pub retry_after_ms: Option<u32>,
}

/// The question: who is next? See [`Ask`](crate::Ask), which joins it with the roster.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Counts the requests of the host, from 0: what a strategy that takes turns goes by.
    pub sequence: u64,
    /// 64 random bits, fresh for each question.
    pub entropy: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub now_ms: u64,
    /// Tokens of the request, estimated from above.
    pub input_tokens: u32,
    /// Tokens the answer may have at most.
    pub max_output_tokens: u32,
    /// Whether the caller wants the answer piece by piece.
    pub streaming: bool,
    /// What the caller said of the request, such as `("context", "moderation")`.
    pub labels: Vec<(String, String)>,
    /// One for each target, in roster order.
    pub states: Vec<State>,
    /// What was tried already, oldest first.
    pub attempts: Vec<PastAttempt>,
    /// The targets at which an attempt of this request is under way (hedging).
    pub in_flight: Vec<u32>,
    /// The target that served last, while the operator's `prefer_for` lasts.
    pub preferred: Option<u32>,
    /// Nothing is ready and the operator allows trying anyway: `CoolingDown(0)` and `Tripped(0)` would be admitted.
    pub emergency: bool,
    /// How many more attempts the host will make for this request.
    pub attempts_left: u32,
    /// How many of them may go to a target that has already had one.
    pub retries_left: u32,
    /// Milliseconds since the request began.
    pub elapsed_ms: u32,
    /// Milliseconds until the request's deadline; `None` where it has none.
    pub remaining_ms: Option<u32>,
    /// The note of this request's previous decision; empty at first.
    pub note: Vec<u8>,
    /// Numbers this version of the contract has no field for.
    pub extras: Vec<Extra>,
}

impl Question {
    /// What the caller said of the request under this name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The number with this key, of the request (`None`) or of a target, where the host sent one.
    #[must_use]
    pub fn extra(&self, key: u32, target: Option<u32>) -> Option<f64> {
        self.extras.iter().find(|extra| extra.key == key && extra.target == target).map(|extra| extra.value)
    }

    /// Whether an attempt made after this wait would still begin before the deadline.
    #[must_use]
    pub fn has_time_for(&self, wait_ms: u32) -> bool {
        wait_ms == 0 || self.remaining_ms.is_none_or(|remaining| wait_ms < remaining)
    }

    /// A fraction from 0 up to, but not including, 1: the question's random bits as a number.
    #[must_use]
    pub fn chance(&self) -> f64 {
        const BITS: u32 = 53;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
        let (drawn, all) = ((self.entropy >> (64 - BITS)) as f64, (1_u64 << BITS) as f64);
        drawn / all
    }
}
