//! One period's budget: what is spent and reserved of it.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::types::NanoUsd;

/// What a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetScope {
    /// One request.
    Request,
    /// One day in UTC.
    Day,
    /// One month in UTC.
    Month,
}

/// A request does not fit a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {scope} budget of {limit} has {left} left and the request may cost {needed}")]
pub struct OverBudget {
    /// Which one.
    pub scope: BudgetScope,
    /// Its limit.
    pub limit: NanoUsd,
    /// What is neither spent nor reserved.
    pub left: NanoUsd,
    /// What the request may cost.
    pub needed: NanoUsd,
}

/// A budget has reached the share at which the operator wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BudgetAlert {
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
    /// What is spent.
    pub spent: NanoUsd,
    /// What requests under way may still cost.
    pub reserved: NanoUsd,
    /// The part of `spent` that is the worst case of a request with an unknown end.
    pub uncertain: NanoUsd,
}

/// How certain a cost is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    Known,
    Uncertain,
}

/// A day's or a month's budget.
#[derive(Debug, Clone)]
pub(super) struct Period {
    pub(super) status: BudgetStatus,
    alert_from: Option<NanoUsd>,
    is_alerted: bool,
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
    pub(super) fn new(scope: BudgetScope, limit: NanoUsd, alert_at: Option<f64>) -> Self {
        let zero = NanoUsd::ZERO;
        let status = BudgetStatus { scope, limit, spent: zero, reserved: zero, uncertain: zero };
        Self { status, alert_from: alert_at.map(|share| share_of(limit, share)), is_alerted: false }
    }

    /// A period under another's limit, where that has one: what was spent under the old one counts.
    pub(super) fn under(old: Option<Self>, new: Option<Self>) -> Option<Self> {
        let Some(old) = old else { return new };
        let new = new?;
        let status = BudgetStatus { limit: new.status.limit, ..old.status };
        let is_alerted = old.is_alerted && new.alert_from.is_some_and(|from| status.spent >= from);
        Some(Self { status, alert_from: new.alert_from, is_alerted })
    }

    /// A new period begins with nothing spent.
    pub(super) fn begin(&mut self) {
        let zero = NanoUsd::ZERO;
        self.status = BudgetStatus { spent: zero, reserved: zero, uncertain: zero, ..self.status };
        self.is_alerted = false;
    }

    /// What is spent or reserved.
    pub(super) fn committed(&self) -> NanoUsd {
        self.status.spent.saturating_add(self.status.reserved)
    }

    /// Turns a reservation into what it cost; an alert where that reaches the share asked for, once a period.
    pub(super) fn post(&mut self, reserved: NanoUsd, cost: NanoUsd, certainty: Certainty) -> Option<BudgetAlert> {
        let status = &mut self.status;
        status.reserved = status.reserved.saturating_sub(reserved);
        status.spent = status.spent.saturating_add(cost);
        if certainty == Certainty::Uncertain {
            status.uncertain = status.uncertain.saturating_add(cost);
        }
        if self.is_alerted || self.alert_from.is_none_or(|from| status.spent < from) {
            return None;
        }
        self.is_alerted = true;
        Some(BudgetAlert { scope: status.scope, limit: status.limit, spent: status.spent })
    }
}

/// Whether so much more keeps within a limit.
///
/// # Errors
/// The figures, where it does not.
pub(super) fn fits(scope: BudgetScope, limit: NanoUsd, committed: NanoUsd, needed: NanoUsd) -> Result<(), OverBudget> {
    match committed.checked_add(needed) {
        Some(sum) if sum <= limit => Ok(()),
        Some(_) | None => Err(OverBudget { scope, limit, left: limit.saturating_sub(committed), needed }),
    }
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
