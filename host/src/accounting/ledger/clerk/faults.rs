//! What the clerk does when a change fails: nobody spends what could not be entered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Clerk, Mercy, State};
use crate::accounting::Need;
use crate::accounting::ledger::change::Books;
use crate::accounting::ledger::error::Fault;

/// Costs that are kept while they cannot be entered. More come only where no budget is set.
const MOST_KEPT: usize = 200_000;

/// Costs that are kept before nothing that a budget limits is spent any more, not even what is lent: so none of those
/// is forgotten.
const MOST_AWAITED: usize = MOST_KEPT / 2;

impl<B: Books> Clerk<B> {
    pub(super) fn succeed(&mut self) {
        if matches!(self.state, State::Failing(_)) {
            self.state = State::Open;
            self.fault = None;
            self.is_failing.store(false, Ordering::Relaxed);
            tracing::info!("the ledger is written again");
            if let Some(holder) = self.holder() {
                holder.reopen();
            }
            self.heed_others();
        }
    }

    /// Nothing is acknowledged that is not on disk: who asked is told so, and what was to be entered is kept.
    pub(super) fn fail(&mut self, fault: Fault) {
        if !fault.may_pass() {
            return self.shut(fault);
        }
        let is_spared = fault.spares_what_is_lent() && self.batch.postings.len() < MOST_AWAITED;
        let why = self.books.error(fault).to_string();
        if matches!(self.state, State::Open) {
            tracing::error!("nothing is lent until the ledger can be written: {why}");
        }
        self.state = State::Failing(if is_spared { Mercy::Lent } else { Mercy::None });
        self.refuse(why.into());
        self.ask_again_later();
        self.forget_the_excess();
    }

    pub(super) fn shut(&mut self, fault: Fault) {
        self.is_damaged |= matches!(fault, Fault::Damage(_));
        let why = self.books.error(fault).to_string();
        tracing::error!("nothing may be spent until somebody has looked after the ledger: {why}");
        self.state = State::Shut;
        self.refuse(why.into());
        self.asked.clear();
    }

    /// Tells the holder why, and how much is left to them.
    pub(super) fn refuse(&mut self, why: Arc<str>) {
        self.is_failing.store(true, Ordering::Relaxed);
        if let Some(holder) = self.holder() {
            match self.state {
                State::Failing(Mercy::Lent) => holder.starve(Arc::clone(&why)),
                State::Open | State::Failing(Mercy::None) | State::Shut => holder.shut(Arc::clone(&why)),
            }
        }
        self.fault = Some(why);
    }

    /// Whoever waits is told by its receiver's end. How their accounts stand is asked when the ledger is back.
    pub(super) fn ask_again_later(&mut self) {
        for ask in self.asked.drain(..).flat_map(|asked| asked.asks).filter(|ask| ask.need != Need::Ahead) {
            self.refused.insert(ask.account, ask.limit);
        }
    }

    pub(super) fn forget_the_excess(&mut self) {
        let kept = self.batch.postings.len();
        if kept >= MOST_AWAITED && matches!(self.state, State::Failing(Mercy::Lent)) {
            tracing::error!(costs = kept, "nothing may be spent: too many costs wait to be entered");
            self.state = State::Failing(Mercy::None);
            if let Some(why) = self.fault.clone() {
                self.refuse(why);
            }
        }
        let mut excess = kept.saturating_sub(MOST_KEPT);
        self.lost.fetch_add(u64::try_from(excess).unwrap_or(u64::MAX), Ordering::Relaxed);
        // Those that no budget counts go first.
        self.batch.postings.retain(|posting| {
            let is_forgotten = excess > 0 && posting.held.is_empty();
            excess -= usize::from(is_forgotten);
            !is_forgotten
        });
        self.batch.postings.drain(..excess);
    }
}
