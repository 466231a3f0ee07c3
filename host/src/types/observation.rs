//! What a strategy is told of an attempt that is over: the contract's `observe` without the contract's bindings.

use std::sync::Arc;

use super::{FailureKind, NanoUsd, Usage};

/// One attempt that is over. Fields mean what `wit/strategy.wit` says of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The request's number, as in its questions.
    pub sequence: u64,
    /// 64 random bits.
    pub entropy: u64,
    /// When it ended: milliseconds since 1970 UTC.
    pub now_ms: u64,
    /// Where: a place in the roster.
    pub target: u32,
    /// How it ended.
    pub end: ObservedEnd,
    /// From sending to the end, in milliseconds.
    pub took_ms: u32,
    /// From sending to the first token of a stream, in milliseconds.
    pub first_token_ms: Option<u32>,
    /// What it was booked at, where the price is known.
    pub cost: Option<NanoUsd>,
    /// What the provider counted, where it did.
    pub usage: Option<Usage>,
    /// Whether a stream was asked for.
    pub streaming: bool,
    /// The caller's words about the request.
    pub labels: Arc<[(String, String)]>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedEnd {
    /// It brought the answer, to its end.
    Served,
    /// It did not, for this reason.
    Failed(FailureKind),
    /// Another attempt of the request was faster.
    Outrun,
    /// Nobody waited for its end.
    Abandoned,
}
