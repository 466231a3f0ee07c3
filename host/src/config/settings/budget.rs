//! What may be spent.

use indexmap::IndexMap;
use jiff::tz::TimeZone;

use crate::types::{NanoUsd, Price};

/// What may be spent; `None` is no limit.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetConfig {
    /// By one request.
    pub per_request: Option<NanoUsd>,
    /// In one day.
    pub daily: Option<NanoUsd>,
    /// In one month.
    pub monthly: Option<NanoUsd>,
    /// By the requests with a label, written `name=text`.
    pub labels: IndexMap<String, SpendLimits>,
    /// Where days and months begin. UTC.
    pub time_zone: TimeZone,
    /// The share at which an alert is given, 0 to 1. 0.8.
    pub alert_at: Option<f64>,
    /// Whether costs are counted at all (`LLM_COST_TRACKING`).
    pub tracking: bool,
    /// What a model without a known price means while a budget is set.
    pub unknown_price: UnknownPrice,
}

/// What a route, a provider, a key or the requests with a label may spend; `None` is no limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpendLimits {
    /// By one request.
    pub per_request: Option<NanoUsd>,
    /// In one day.
    pub daily: Option<NanoUsd>,
    /// In one month.
    pub monthly: Option<NanoUsd>,
}

/// What a target without a known price means to a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPrice {
    /// Not used while a budget is set.
    #[default]
    Refuse,
    /// Counted at this price.
    Assume(Price),
}

impl BudgetConfig {
    /// The limits for everybody together.
    #[must_use]
    pub fn limits(&self) -> SpendLimits {
        SpendLimits { per_request: self.per_request, daily: self.daily, monthly: self.monthly }
    }
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            per_request: None,
            daily: None,
            monthly: None,
            labels: IndexMap::new(),
            time_zone: TimeZone::UTC,
            alert_at: None,
            tracking: false,
            unknown_price: UnknownPrice::default(),
        }
    }
}

impl SpendLimits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}
