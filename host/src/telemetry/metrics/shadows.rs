//! How strategies in the shadow compare with those that decide.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::{IntCounterVec, Registry};

use super::counter;

/// What a shadow has counted since it is in the shadow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowCount {
    /// The route.
    pub route: Arc<str>,
    /// The strategy in its shadow.
    pub strategy: Arc<str>,
    /// Decisions that were the same.
    pub agreed: u64,
    /// Decisions that were not.
    pub differed: u64,
}

/// Counters by route and strategy.
pub(super) struct Shadows {
    decisions: IntCounterVec,
    /// What was shown of each shadow: a counter never goes back, and a shadow that is replaced counts from 0.
    shown: HashMap<(Arc<str>, Arc<str>, &'static str), u64>,
}

impl Shadows {
    pub(super) fn new(registry: &Registry) -> Self {
        let decisions = counter(
            registry,
            "backstop_shadow_decisions_total",
            "Decisions of strategies in the shadow, by whether they were those of the strategy that decided.",
            &["route", "strategy", "agrees"],
        );
        Self { decisions, shown: HashMap::new() }
    }

    /// Adds what has come since these were shown last.
    pub(super) fn show(&mut self, counts: &[ShadowCount]) {
        for count in counts {
            for (agrees, now) in [("yes", count.agreed), ("no", count.differed)] {
                let key = (Arc::clone(&count.route), Arc::clone(&count.strategy), agrees);
                let before = self.shown.insert(key, now).filter(|before| *before <= now).unwrap_or(0);
                self.decisions.with_label_values(&[&*count.route, &*count.strategy, agrees]).inc_by(now - before);
            }
        }
    }
}
