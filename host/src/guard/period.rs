//! One period's budget: what is spent and reserved of it, and what may be.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use super::slice::{Funds, Held, Lack};
use crate::accounting::{Account, Ask, Lent, Need, Scope};
use crate::types::NanoUsd;

/// What a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetScope {
    /// One request.
    Request,
    /// One day in the budgets' time zone.
    Day,
    /// One month there.
    Month,
}

/// Whose a budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// Everybody's together.
    Everything,
    /// A route's.
    Route,
    /// A provider's.
    Provider,
    /// A key of the gateway's.
    Key,
    /// That of requests with a label.
    Label,
}

/// A request does not fit a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {of}{scope} budget of {limit} has {left} left and the request may cost {needed}")]
pub struct OverBudget {
    /// Whose.
    pub of: Whose,
    /// Which one.
    pub scope: BudgetScope,
    /// Its limit.
    pub limit: NanoUsd,
    /// What is neither spent nor reserved, here or by other processes.
    pub left: NanoUsd,
    /// What the request may cost.
    pub needed: NanoUsd,
}

/// A budget has reached the share at which the operator wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BudgetAlert {
    /// Whose.
    pub of: Whose,
    /// Which one.
    pub scope: BudgetScope,
    /// Its limit.
    pub limit: NanoUsd,
    /// What is spent.
    pub spent: NanoUsd,
}

/// How one period's budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BudgetStatus {
    /// Which one.
    pub scope: BudgetScope,
    /// Its limit.
    pub limit: NanoUsd,
    /// What is spent, by other processes that share the store, too.
    pub spent: NanoUsd,
    /// What requests under way may still cost.
    pub reserved: NanoUsd,
    /// The part of `spent` that is the worst case of a request with an unknown end. Since the start.
    pub uncertain: NanoUsd,
}

/// How certain a cost is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    Known,
    Uncertain,
}

/// Why a request may not spend so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfunded {
    /// A budget does not allow it.
    Over(OverBudget),
    /// What is lent to this process is used up, and more has to be asked for.
    Short,
    /// The ledger cannot be written.
    Shut,
}

/// A day's or a month's budget.
#[derive(Debug, Clone)]
pub(super) struct Period {
    pub(super) account: Arc<Account>,
    scope: BudgetScope,
    limit: NanoUsd,
    held: Held,
    uncertain: NanoUsd,
    funds: Funds,
    alert_from: Option<NanoUsd>,
    is_alerted: bool,
}

impl Whose {
    /// The kind of a scope.
    pub(super) fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Everything => Self::Everything,
            Scope::Route(_) => Self::Route,
            Scope::Provider(_) => Self::Provider,
            Scope::Key(_) => Self::Key,
            Scope::Label(_) => Self::Label,
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => "",
            Self::Route => "route's ",
            Self::Provider => "provider's ",
            Self::Key => "key's ",
            Self::Label => "label's ",
        })
    }
}

impl fmt::Display for BudgetScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "per-request",
            Self::Day => "daily",
            Self::Month => "monthly",
        })
    }
}

impl Period {
    /// Nothing spent yet.
    pub(super) fn new(
        account: Account,
        scope: BudgetScope,
        limit: NanoUsd,
        alert_at: Option<f64>,
        funds: Funds,
    ) -> Self {
        Self {
            account: Arc::new(account),
            scope,
            limit,
            held: Held::default(),
            uncertain: NanoUsd::ZERO,
            funds,
            alert_from: alert_at.map(|share| share_of(limit, share)),
            is_alerted: false,
        }
    }

    /// Goes by another limit from now on: what was spent under the old one counts.
    pub(super) fn move_to(&mut self, limit: NanoUsd, alert_at: Option<f64>) {
        self.limit = limit;
        self.alert_from = alert_at.map(|share| share_of(limit, share));
        self.is_alerted = self.is_alerted && self.alert_from.is_some_and(|from| self.spent() >= from);
        self.funds.forget_refusal();
    }

    /// Has its money lent by a ledger from now on.
    pub(super) fn lend(&mut self) {
        self.funds = self.funds.lent();
    }

    pub(super) fn status(&self) -> BudgetStatus {
        let Self { scope, limit, uncertain, .. } = *self;
        BudgetStatus { scope, limit, spent: self.spent(), reserved: self.held.reserved, uncertain }
    }

    /// Whether so much more may be spent.
    ///
    /// # Errors
    /// The figures, where the budget does not allow it; else whether more has to be asked for.
    pub(super) fn check(&self, amount: NanoUsd) -> Result<(), Unfunded> {
        let committed = self.spent().saturating_add(self.held.reserved);
        let of = Whose::of(&self.account.scope);
        let over = |committed| Unfunded::Over(over(of, self.scope, self.limit, committed, amount));
        if committed.checked_add(amount).is_none_or(|sum| sum > self.limit) {
            return Err(over(committed));
        }
        match self.funds.check(self.held, amount) {
            Ok(()) => Ok(()),
            Err(Lack::Short) => Err(Unfunded::Short),
            Err(Lack::Over { lent_elsewhere }) => Err(over(committed.saturating_add(lent_elsewhere))),
            Err(Lack::Unknown) => Err(Unfunded::Shut),
        }
    }

    /// What has to be asked for so that so much may be spent; `None` where nothing has.
    pub(super) fn shortage(&self, amount: NanoUsd) -> Option<Ask> {
        self.funds.missing(self.held, amount).map(|missing| self.ask(Need::Now(missing)))
    }

    /// What is to be asked for ahead of time, once; `None` where there is enough, or it was asked for.
    pub(super) fn thirst(&mut self, amount: NanoUsd) -> Option<Ask> {
        self.funds.is_thirsty(self.held, amount).then(|| self.ask(Need::Ahead))
    }

    /// A question how the account stands; `None` where no ledger lends its money.
    pub(super) fn question(&self) -> Option<Ask> {
        matches!(self.funds, Funds::Lent(_)).then(|| self.ask(Need::News))
    }

    fn ask(&self, need: Need) -> Ask {
        Ask { account: Arc::clone(&self.account), limit: self.limit, need }
    }

    pub(super) fn put(&mut self, lent: &Lent) {
        self.funds.put(lent);
        // What other processes spent before is no news.
        if self.held.used() == NanoUsd::ZERO && self.alert_from.is_some_and(|from| self.spent() >= from) {
            self.is_alerted = true;
        }
    }

    /// Gives back what is lent and neither spent nor reserved.
    pub(super) fn give_back(&mut self) -> NanoUsd {
        self.funds.give_back(self.held)
    }

    /// Whether nothing was reserved or spent since this was asked before.
    pub(super) fn is_idle(&mut self) -> bool {
        self.funds.is_idle()
    }

    /// Whether anything is lent that is not reserved.
    pub(super) fn has_rest(&self) -> bool {
        self.funds.rest(self.held) > NanoUsd::ZERO
    }

    pub(super) fn reserve(&mut self, amount: NanoUsd) {
        self.held.reserved = self.held.reserved.saturating_add(amount);
        self.funds.touch();
    }

    pub(super) fn void(&mut self, amount: NanoUsd) {
        self.held.reserved = self.held.reserved.saturating_sub(amount);
    }

    /// Turns a reservation into what it cost; an alert where that reaches the share asked for, once a period.
    pub(super) fn post(&mut self, reserved: NanoUsd, cost: NanoUsd, certainty: Certainty) -> Option<BudgetAlert> {
        self.held.reserved = self.held.reserved.saturating_sub(reserved);
        self.held.spent = self.held.spent.saturating_add(cost);
        self.funds.touch();
        if certainty == Certainty::Uncertain {
            self.uncertain = self.uncertain.saturating_add(cost);
        }
        let spent = self.spent();
        if self.is_alerted || self.alert_from.is_none_or(|from| spent < from) {
            return None;
        }
        self.is_alerted = true;
        Some(BudgetAlert { of: Whose::of(&self.account.scope), scope: self.scope, limit: self.limit, spent })
    }

    fn spent(&self) -> NanoUsd {
        self.held.spent.saturating_add(self.funds.spent_elsewhere())
    }
}

/// Whether so much more keeps within a limit.
///
/// # Errors
/// The figures, where it does not.
pub(super) fn fits(
    of: Whose,
    scope: BudgetScope,
    limit: NanoUsd,
    committed: NanoUsd,
    needed: NanoUsd,
) -> Result<(), Unfunded> {
    match committed.checked_add(needed) {
        Some(sum) if sum <= limit => Ok(()),
        Some(_) | None => Err(Unfunded::Over(over(of, scope, limit, committed, needed))),
    }
}

fn over(of: Whose, scope: BudgetScope, limit: NanoUsd, committed: NanoUsd, needed: NanoUsd) -> OverBudget {
    OverBudget { of, scope, limit, left: limit.saturating_sub(committed), needed }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an alert only"
)]
fn share_of(limit: NanoUsd, share: f64) -> NanoUsd {
    NanoUsd::from_nanos((limit.nanos() as f64 * share).ceil() as u64)
}
