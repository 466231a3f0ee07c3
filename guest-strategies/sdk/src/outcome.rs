//! What became of an attempt, as it crosses the border.

use crate::{Extra, Failure};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It brought the answer, to its end.
    Served,
    /// It did not. A stream that broke off after its first tokens is `Failed(Interrupted)`.
    Failed(Failure),
    /// It was given up because another attempt of the request gave a token first.
    Outrun,
    /// Nobody waited for its end: it says nothing of the target.
    Abandoned,
}

/// One attempt that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The request's number, as in [`Question::sequence`](crate::Question::sequence).
    pub sequence: u64,
    /// 64 random bits, fresh for each outcome.
    pub entropy: u64,
    /// When it ended: milliseconds since 1970-01-01 UTC.
    pub now_ms: u64,
    /// The target's place in the roster.
    pub target: u32,
    /// How it ended.
    pub end: End,
    /// Milliseconds from sending to the end.
    pub took_ms: u32,
    /// Milliseconds from sending to the first token of a stream; `None` where none came, and for whole replies.
    pub first_token_ms: Option<u32>,
    /// US dollars it was booked at; `None` where the price is unknown.
    pub cost: Option<f64>,
    /// Input tokens as the provider counted them.
    pub input_tokens: Option<u64>,
    /// Output tokens as the provider counted them.
    pub output_tokens: Option<u64>,
    /// Whether a stream was asked for.
    pub streaming: bool,
    /// What the caller said of the request.
    pub labels: Vec<(String, String)>,
    /// Numbers this version of the contract has no field for.
    pub extras: Vec<Extra>,
}

impl Outcome {
    /// What the caller said of the request under this name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Milliseconds until there was something to read: the first token of a stream, the whole of a whole reply. `None` for a
    /// stream that never had one.
    #[must_use]
    pub const fn first_sign_ms(&self) -> Option<u32> {
        if self.streaming { self.first_token_ms } else { Some(self.took_ms) }
    }
}
