//! What one request may cost in all its attempts, and what it has cost so far.

use std::sync::atomic::{AtomicU64, Ordering};

use super::NanoUsd;

/// A bound for one request that its caller sets, and the sum that its attempts come to: also for a request that nobody answers, whose
/// error tells no cost. Shared between the caller and the request.
#[derive(Debug, Default)]
pub struct Purse {
    limit: Option<NanoUsd>,
    spent: AtomicU64,
}

impl Purse {
    /// At most so much. An attempt that might cost more than is left is not made, nor one at an unknown price.
    #[must_use]
    pub fn new(limit: NanoUsd) -> Self {
        Self { limit: Some(limit), spent: AtomicU64::new(0) }
    }

    /// No bound of its own; only what it comes to is told.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// The bound, where there is one.
    #[must_use]
    pub fn limit(&self) -> Option<NanoUsd> {
        self.limit
    }

    /// What the attempts that have ended cost, at known prices. An attempt with an unknown end counts at its worst case; one that is
    /// under way when the caller drops the request does not count here, though budgets are charged for it.
    #[must_use]
    pub fn spent(&self) -> NanoUsd {
        NanoUsd::from_nanos(self.spent.load(Ordering::Acquire))
    }

    /// Enters what all ended attempts together have cost.
    pub(crate) fn enter(&self, spent: NanoUsd) {
        self.spent.fetch_max(spent.nanos(), Ordering::AcqRel);
    }
}
