//! A strategy that always has an answer: where the guest fails, declared order decides, and after five faults in a row it is
//! not asked any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use serde::Serialize;

use crate::types::{Ask, ChatRequest, Decision, Observation, StateRead};

use super::declared_order;
use super::fault::StrategyFault;
use super::strategy::{Answered, Strategy};

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
    /// The same of outcomes it was told. Counted apart: a strategy that decides well and traps on each outcome would never be
    /// quarantined else.
    in_a_row_told: AtomicU32,
    /// It was quarantined, and no ruling has said so yet.
    is_quarantine_news: AtomicBool,
}

/// What was decided, and whether the strategy decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The decision; it makes sense, whoever made it.
    pub decision: Decision,
    /// What the strategy did wrong, where declared order had to decide in its place.
    pub fault: Option<StrategyFault>,
    /// Whether a fault was one too many since the ruling before: the strategy is not asked any more.
    pub is_quarantined_now: bool,
    /// What the strategy read of its state, where it did.
    pub read: Option<StateRead>,
}

/// How a strategy has behaved since it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StrategyHealth {
    /// Faults in all.
    pub faults: u64,
    /// Faults since the last good answer, or since the last outcome that was taken well: the larger.
    pub in_a_row: u32,
    /// Whether it is left out until it is loaded again.
    pub quarantined: bool,
}

impl Ruling {
    fn good(answered: Answered) -> Self {
        let Answered { decision, read } = answered;
        Self { decision, fault: None, is_quarantined_now: false, read }
    }
}

impl Supervised {
    /// Puts a strategy under watch.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            faults: AtomicU64::new(0),
            in_a_row: AtomicU32::new(0),
            in_a_row_told: AtomicU32::new(0),
            is_quarantine_news: AtomicBool::new(false),
        }
    }

    /// Asks the strategy who is next, and declared order where the strategy fails or is quarantined. Never fails.
    pub fn decide(&self, ask: &Ask, request: Option<&Arc<ChatRequest>>) -> Ruling {
        if self.is_quarantined() {
            let decision = in_declared_order(ask, "the strategy is quarantined");
            // Where an outcome brought it there, this is the first chance to say so.
            let is_quarantined_now = self.take_quarantine_news();
            return Ruling { is_quarantined_now, ..Ruling::good(Answered { decision, read: None }) };
        }
        match self.strategy.answer(ask, request) {
            Ok(answered) => {
                forgive(&self.in_a_row);
                Ruling::good(answered)
            }
            Err(fault) => {
                self.note_fault(&fault, &self.in_a_row, "declared order decided in its place");
                let decision = in_declared_order(ask, "the strategy failed");
                let is_quarantined_now = self.take_quarantine_news();
                Ruling { decision, fault: Some(fault), is_quarantined_now, read: None }
            }
        }
    }

    /// Tells the strategy what became of an attempt; one that is quarantined is told nothing. A fault is counted and costs
    /// no request.
    pub(super) fn observe(&self, outcome: &Observation) {
        if self.is_quarantined() {
            return;
        }
        match self.strategy.observe(outcome) {
            Ok(()) => forgive(&self.in_a_row_told),
            Err(fault) => self.note_fault(&fault, &self.in_a_row_told, "an outcome is lost on it"),
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
        let in_a_row = self.in_a_row();
        let quarantined = in_a_row >= FAULTS_TO_QUARANTINE;
        StrategyHealth { faults: self.faults.load(Ordering::Relaxed), in_a_row, quarantined }
    }

    fn is_quarantined(&self) -> bool {
        self.in_a_row() >= FAULTS_TO_QUARANTINE
    }

    fn in_a_row(&self) -> u32 {
        self.in_a_row.load(Ordering::Relaxed).max(self.in_a_row_told.load(Ordering::Relaxed))
    }

    /// Counts a fault, and takes note where it was the one too many.
    fn note_fault(&self, fault: &StrategyFault, in_a_row: &AtomicU32, consequence: &str) {
        let strategy = self.strategy.name();
        self.faults.fetch_add(1, Ordering::Relaxed);
        let one_more = |in_a_row: u32| Some(in_a_row.saturating_add(1));
        let before = in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        tracing::warn!(strategy, %fault, "the strategy failed: {consequence}");
        if before == Ok(FAULTS_TO_QUARANTINE - 1) {
            self.is_quarantine_news.store(true, Ordering::Relaxed);
        }
    }

    fn take_quarantine_news(&self) -> bool {
        // Read before it is written: a quarantined strategy is on every request's way.
        self.is_quarantine_news.load(Ordering::Relaxed) && self.is_quarantine_news.swap(false, Ordering::Relaxed)
    }
}

/// Forgets faults, unless they have come to the limit.
fn forgive(in_a_row: &AtomicU32) {
    let forgiven = |in_a_row| (1..FAULTS_TO_QUARANTINE).contains(&in_a_row).then_some(0);
    let _ = in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, forgiven);
}

/// The note is given back as it came, so that a strategy's memory of its request survives one bad answer.
fn in_declared_order(ask: &Ask, why: &str) -> Decision {
    Decision {
        verdict: declared_order::decide(ask),
        reason: Some(format!("declared order: {why}")),
        note: ask.note.clone(),
    }
}
