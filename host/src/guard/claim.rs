//! What a request asks of the guard.

use std::sync::Arc;

use super::payer::Payer;
use super::turn::Urgency;
use crate::types::NanoUsd;

/// One attempt a request would like to make, whichever target it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim<'a> {
    /// Its input tokens by rule of thumb: what limits reckon with, which learn the true count afterwards.
    pub input_tokens: u32,
    /// The tokens its text cannot exceed: what money is set aside for.
    pub input_bound: u32,
    /// Its images, sounds and files, which are not in the bound.
    pub media: u32,
    /// The tokens its answer may have at most.
    pub max_output_tokens: u32,
    /// What the request's earlier attempts have cost.
    pub spent: NanoUsd,
    /// What all its attempts together may cost, by its caller's own word.
    pub allowed: Option<NanoUsd>,
    /// What it adds to the load.
    pub kind: AttemptKind,
    /// Nothing is ready and the operator allows trying anyway: rests that were assumed are overruled.
    pub emergency: bool,
    /// Whose budgets the request draws on besides everybody's.
    pub payer: Option<&'a Arc<Payer>>,
}

/// What an attempt adds to the load, and which budget of all requests together it draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttemptKind {
    /// Nothing beyond the request itself: its first attempt, or one at another target.
    #[default]
    Plain,
    /// The target has had this request before: the retry budget is drawn on.
    Retry,
    /// Another attempt is under way: the hedge budget is drawn on.
    Hedge,
}

impl Claim<'_> {
    /// All tokens it may take.
    pub(super) fn tokens(&self) -> u64 {
        u64::from(self.input_tokens) + u64::from(self.max_output_tokens)
    }

    pub(super) fn urgency(&self) -> Urgency {
        if self.emergency { Urgency::Emergency } else { Urgency::Usual }
    }
}
