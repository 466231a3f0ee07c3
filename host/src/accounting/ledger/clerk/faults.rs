//! What the clerk does when a change fails: nobody spends what could not be entered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Clerk, State};
use crate::accounting::ledger::error::{Fault, LedgerError};

/// Costs that are kept while they cannot be entered. More come only where no budget is set.
const MOST_KEPT: usize = 200_000;

impl Clerk {
    pub(super) fn succeed(&mut self) {
        if matches!(self.state, State::Failing) {
            self.state = State::Open;
            self.fault = None;
            tracing::info!(path = %self.books.path.display(), "the ledger is written again");
            if let Some(holder) = self.holder() {
                holder.reopen();
            }
        }
    }

    /// Nothing is acknowledged that is not on disk: who asked is told so, and what was to be entered is kept.
    pub(super) fn fail(&mut self, fault: Fault) {
        if !fault.may_pass() {
            return self.shut(fault);
        }
        self.forget_the_excess();
        let why = LedgerError::of_fault(&self.books.path, fault).to_string();
        if matches!(self.state, State::Open) {
            tracing::error!("nothing may be spent until the ledger can be written: {why}");
        }
        self.state = State::Failing;
        self.refuse(why.into());
        // Whoever waits is told by its receiver's end, and finds the holder shut.
        self.asked.clear();
    }

    pub(super) fn shut(&mut self, fault: Fault) {
        self.is_damaged |= matches!(fault, Fault::Damage(_));
        let why = LedgerError::of_fault(&self.books.path, fault).to_string();
        tracing::error!("nothing may be spent until somebody has looked after the ledger: {why}");
        self.state = State::Shut;
        self.refuse(why.into());
        self.asked.clear();
    }

    pub(super) fn refuse(&mut self, why: Arc<str>) {
        if let Some(holder) = self.holder() {
            holder.shut(Arc::clone(&why));
        }
        self.fault = Some(why);
    }

    pub(super) fn forget_the_excess(&mut self) {
        let excess = self.batch.postings.len().saturating_sub(MOST_KEPT);
        self.batch.postings.drain(..excess);
        self.lost.fetch_add(u64::try_from(excess).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
