//! The budgets of one scope: for a request, a day and a month.

use super::period::{BudgetScope, Period, Unfunded, Whose, fits};
use super::slice::Funds;
use crate::accounting::{Account, Scope, Window};
use crate::config::SpendLimits;
use crate::types::NanoUsd;

/// A scope's place among the budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ScopeId(pub(super) usize);

/// The budgets of one scope.
#[derive(Debug, Clone)]
pub(super) struct ScopeBook {
    pub(super) scope: Scope,
    pub(super) limits: SpendLimits,
    day: Option<Period>,
    month: Option<Period>,
}

/// What periods of a scope begin with.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    pub(super) day: i32,
    pub(super) month: i32,
    pub(super) alert_at: Option<f64>,
    pub(super) funds: Funds,
}

impl ScopeId {
    /// Everybody's budgets are always there, and come first.
    pub(super) const EVERYTHING: Self = Self(0);
}

impl ScopeBook {
    /// A scope without a limit.
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, limits: SpendLimits::default(), day: None, month: None }
    }

    /// Goes by other limits from now on; what is spent and reserved stays. Returns the periods that end because nothing limits
    /// them any more.
    pub(super) fn set_limits(&mut self, limits: SpendLimits, begin: &Beginning) -> Vec<Period> {
        self.limits = limits;
        let mut ended = Vec::new();
        for window in [Window::Day, Window::Month] {
            let limit = self.limit(window);
            match (self.slot(window), limit) {
                (Some(period), Some(limit)) => period.move_to(limit, begin.alert_at),
                (slot @ Some(_), None) => ended.extend(slot.take()),
                (None, _) => {
                    let fresh = self.fresh(window, begin);
                    *self.slot(window) = fresh;
                }
            }
        }
        ended
    }

    /// A day begins, or a month. Returns the period that has ended.
    pub(super) fn begin(&mut self, window: Window, begin: &Beginning) -> Option<Period> {
        let fresh = self.fresh(window, begin);
        std::mem::replace(self.slot(window), fresh)
    }

    /// Whether one request keeps within what one request may cost.
    pub(super) fn check_request(&self, amount: NanoUsd, so_far: NanoUsd) -> Result<(), Unfunded> {
        let Some(limit) = self.limits.per_request else { return Ok(()) };
        fits(Whose::of(&self.scope), BudgetScope::Request, limit, so_far, amount)
    }

    pub(super) fn periods(&self) -> impl Iterator<Item = &Period> {
        self.day.iter().chain(&self.month)
    }

    pub(super) fn periods_mut(&mut self) -> impl Iterator<Item = &mut Period> {
        self.day.iter_mut().chain(&mut self.month)
    }

    fn slot(&mut self, window: Window) -> &mut Option<Period> {
        match window {
            Window::Day => &mut self.day,
            Window::Month => &mut self.month,
        }
    }

    fn limit(&self, window: Window) -> Option<NanoUsd> {
        match window {
            Window::Day => self.limits.daily,
            Window::Month => self.limits.monthly,
        }
    }

    fn fresh(&self, window: Window, begin: &Beginning) -> Option<Period> {
        let (budget, period) = match window {
            Window::Day => (BudgetScope::Day, begin.day),
            Window::Month => (BudgetScope::Month, begin.month),
        };
        let account = Account { scope: self.scope.clone(), window, period };
        Some(Period::new(account, budget, self.limit(window)?, begin.alert_at, begin.funds.clone()))
    }
}
