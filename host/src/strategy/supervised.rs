//! A strategy that always has an answer: where the guest fails, declared order decides, and after five faults in a row it is
//! not asked any more.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::Serialize;

use crate::types::{Ask, Decision};

use super::declared_order;
use super::fault::StrategyFault;
use super::strategy::Strategy;

/// Faults in a row after which a strategy is left out until it is loaded again.
const FAULTS_TO_QUARANTINE: u32 = 5;

/// A strategy under watch.
#[derive(Debug)]
pub struct Supervised {
    strategy: Strategy,
    faults: AtomicU64,
    /// Faults since the last good answer. Once it has reached the limit it stays there: an answer that was under way when
    /// the fifth fault came does not lift the quarantine.
    in_a_row: AtomicU32,
}

/// What was decided, and whether the strategy decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The decision; it makes sense, whoever made it.
    pub decision: Decision,
    /// What the strategy did wrong, where declared order had to decide in its place.
    pub fault: Option<StrategyFault>,
    /// Whether this fault was one too many: the strategy is not asked any more.
    pub is_quarantined_now: bool,
}

/// How a strategy has behaved since it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StrategyHealth {
    /// Faults in all.
    pub faults: u64,
    /// Faults since the last good answer.
    pub in_a_row: u32,
    /// Whether it is left out until it is loaded again.
    pub quarantined: bool,
}

impl Ruling {
    fn good(decision: Decision) -> Self {
        Self { decision, fault: None, is_quarantined_now: false }
    }
}

impl Supervised {
    /// Puts a strategy under watch.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, faults: AtomicU64::new(0), in_a_row: AtomicU32::new(0) }
    }

    /// Asks the strategy who is next, and declared order where the strategy fails or is quarantined. Never fails.
    pub fn decide(&self, ask: &Ask) -> Ruling {
        if self.is_quarantined() {
            return Ruling::good(in_declared_order(ask, "the strategy is quarantined"));
        }
        match self.strategy.decide(ask) {
            Ok(decision) => {
                self.note_success();
                Ruling::good(decision)
            }
            Err(fault) => {
                let is_quarantined_now = self.note_fault(&fault);
                let decision = in_declared_order(ask, "the strategy failed");
                Ruling { decision, fault: Some(fault), is_quarantined_now }
            }
        }
    }

    /// The strategy itself.
    #[must_use]
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// How it has behaved since it was loaded.
    #[must_use]
    pub fn health(&self) -> StrategyHealth {
        let in_a_row = self.in_a_row.load(Ordering::Relaxed);
        let quarantined = in_a_row >= FAULTS_TO_QUARANTINE;
        StrategyHealth { faults: self.faults.load(Ordering::Relaxed), in_a_row, quarantined }
    }

    fn is_quarantined(&self) -> bool {
        self.in_a_row.load(Ordering::Relaxed) >= FAULTS_TO_QUARANTINE
    }

    fn note_success(&self) {
        let forgiven = |in_a_row| (1..FAULTS_TO_QUARANTINE).contains(&in_a_row).then_some(0);
        let _ = self.in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, forgiven);
    }

    /// Counts a fault; whether it was the one too many.
    fn note_fault(&self, fault: &StrategyFault) -> bool {
        let strategy = self.strategy.name();
        self.faults.fetch_add(1, Ordering::Relaxed);
        let one_more = |in_a_row: u32| Some(in_a_row.saturating_add(1));
        let before = self.in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        tracing::warn!(strategy, %fault, "the strategy failed: declared order decided in its place");
        before == Ok(FAULTS_TO_QUARANTINE - 1)
    }
}

/// The note is given back as it came, so that a strategy's memory of its request survives one bad answer.
fn in_declared_order(ask: &Ask, why: &str) -> Decision {
    Decision {
        verdict: declared_order::decide(ask),
        reason: Some(format!("declared order: {why}")),
        note: ask.note.clone(),
    }
}
