//! What may be spent.

use crate::types::{NanoUsd, Price};

/// What may be spent; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BudgetConfig {
    /// By one request.
    pub per_request: Option<NanoUsd>,
    /// In one day.
    pub daily: Option<NanoUsd>,
    /// In one month.
    pub monthly: Option<NanoUsd>,
    /// The share at which an alert is given, 0 to 1. 0.8.
    pub alert_at: Option<f64>,
    /// Whether costs are counted at all (`LLM_COST_TRACKING`).
    pub tracking: bool,
    /// What a model without a known price means while a budget is set.
    pub unknown_price: UnknownPrice,
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
