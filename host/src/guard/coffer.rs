//! The budgets with the ledger behind them: what they lack is asked for, what is spent is entered.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::budget::{Budget, Reservation};
use super::locked;
use super::payer::Spender;
use super::period::{BudgetAlert, Certainty, Unfunded};
use crate::accounting::{About, Account, Alarm, Back, Holder, Lent, Posting, Slice, Treasury};
use crate::types::{AlertKind, NanoUsd};

/// The budgets of all requests. Without a ledger they are in memory alone.
pub(super) struct Coffer {
    budget: Mutex<Budget>,
    treasury: OnceLock<Arc<dyn Treasury>>,
    fault: Mutex<Option<Arc<str>>>,
    alarm: OnceLock<Arc<Alarm>>,
}

impl Coffer {
    pub(super) fn new(budget: Budget) -> Self {
        let (treasury, alarm) = (OnceLock::new(), OnceLock::new());
        Self { budget: Mutex::new(budget), treasury, fault: Mutex::default(), alarm }
    }

    /// Tells somebody when nothing may be spent any more.
    pub(super) fn report_to(&self, alarm: Arc<Alarm>) {
        let _ = self.alarm.set(alarm);
    }

    /// Has the money lent from now on. Blocks until it is known how the accounts stand.
    pub(super) fn lend_from(self: &Arc<Self>, treasury: Arc<dyn Treasury>, wall: Timestamp) {
        let questions = self.budget().lend(wall);
        let holder: Weak<Self> = Arc::downgrade(self);
        treasury.attach(holder);
        if !questions.is_empty() {
            let _ = treasury.ask(questions).blocking_recv();
        }
        let _ = self.treasury.set(treasury);
    }

    /// The budgets. Held for a few hundred nanoseconds.
    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        locked(&self.budget)
    }

    /// Why nothing may be spent, where that is so.
    pub(super) fn fault(&self) -> Option<Arc<str>> {
        locked(&self.fault).clone()
    }

    /// Sets so much aside in every budget, or in none. What is soon used up is asked for ahead of time.
    pub(super) fn reserve(
        &self,
        spender: Spender<'_>,
        amount: NanoUsd,
        so_far: NanoUsd,
        wall: Timestamp,
    ) -> Result<Reservation, Unfunded> {
        let mut budget = self.budget();
        let reservation = budget.reserve(spender, amount, so_far, wall)?;
        let asks = if amount > NanoUsd::ZERO { budget.thirst(spender, amount) } else { Vec::new() };
        drop(budget);
        if let (Some(treasury), false) = (self.treasury.get(), asks.is_empty()) {
            treasury.top_up(asks);
        }
        Ok(reservation)
    }

    /// Posts a cost to the budgets it was reserved from, and has it entered.
    pub(super) fn settle(
        &self,
        reservation: Reservation,
        cost: NanoUsd,
        certainty: Certainty,
        posting: impl FnOnce(i32, Vec<Arc<Account>>) -> Option<Posting>,
    ) -> Vec<BudgetAlert> {
        let posted = self.budget().settle(reservation, cost, certainty);
        if let Some(treasury) = self.treasury.get()
            && let Some(posting) = posting(posted.day, posted.held)
        {
            treasury.post(posting);
        }
        posted.alerts
    }

    /// Gives back what was set aside: nothing was sent.
    pub(super) fn void(&self, reservation: Reservation) {
        self.budget().void(reservation);
    }

    /// Asks for what the budgets lack for so much; `None` where they lack nothing, or there is nobody to ask.
    pub(super) fn ask(&self, spender: Spender<'_>, amount: NanoUsd, wall: Timestamp) -> Option<oneshot::Receiver<()>> {
        let treasury = self.treasury.get()?;
        let asks = self.budget().shortages(spender, amount, wall);
        (!asks.is_empty()).then(|| treasury.ask(asks))
    }
}

impl Holder for Coffer {
    fn put(&self, lent: Lent) {
        self.budget().put(&lent);
    }

    fn give_back(&self, which: Back<'_>) -> Vec<Slice> {
        self.budget().give_back(which)
    }

    fn holds_any(&self) -> bool {
        self.budget().holds_any()
    }

    fn starve(&self, why: Arc<str>) {
        self.budget().set_shut(None);
        self.note_fault(why, "nothing more is lent");
    }

    fn shut(&self, why: Arc<str>) {
        self.budget().set_shut(Some(Arc::clone(&why)));
        self.note_fault(why, "nothing may be spent");
    }

    fn reopen(&self) {
        self.budget().set_shut(None);
        *locked(&self.fault) = None;
    }
}

impl Coffer {
    /// Keeps the reason, and raises an alert where there was none before.
    fn note_fault(&self, why: Arc<str>, what: &str) {
        let before = locked(&self.fault).replace(Arc::clone(&why));
        if let (None, Some(alarm)) = (before, self.alarm.get()) {
            alarm.raise(AlertKind::LedgerUnavailable, About::Everything, format!("{what}: {why}"));
        }
    }
}

/// What is at hand goes back: nobody can spend it any more.
impl Drop for Coffer {
    fn drop(&mut self) {
        if let Some(treasury) = self.treasury.get() {
            let slices = locked(&self.budget).give_back(Back::All);
            treasury.take_back(slices);
        }
    }
}

impl fmt::Debug for Coffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coffer").field("budget", &self.budget()).finish_non_exhaustive()
    }
}
