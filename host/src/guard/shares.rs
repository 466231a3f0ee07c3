//! What a request has taken of the limits, and how that ends.

use super::limits::{Allowance, Share};
use crate::clock::Moment;

/// A request's part of its provider's limits and of its model's.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(super) struct Shares {
    pub(super) of_provider: Share,
    pub(super) of_model: Option<Share>,
}

/// How a request's part of the limits ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Used {
    /// It was never sent.
    Nothing,
    /// So many tokens.
    Tokens(u64),
    /// Nobody knows how many: the estimate stands.
    Unknown,
}

impl Used {
    /// Ends a request's share of an allowance.
    pub(super) fn end(self, limits: &mut Allowance, share: Share, now: Moment) {
        match self {
            Self::Nothing => limits.undo(share),
            Self::Tokens(tokens) => limits.settle(share, tokens, now),
            Self::Unknown => limits.leave(share),
        }
    }
}
