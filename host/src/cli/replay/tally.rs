//! How a strategy's decisions compare with those that were made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backstop::types::RequestId;

use super::past::Expected;

/// Decisions compared so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Who decided then, and who was asked now.
    pub(super) strategies: BTreeSet<(String, String)>,
    /// Whether each strategy asked is the very component that decided then.
    pub(super) has_changed: bool,
    /// Whether one of them learns from outcomes, which a replay does not tell it.
    pub(super) learns: bool,
    /// Decisions that came out the same: the same target, or the same end.
    pub(super) same: u64,
    /// Decisions that did not, by what was decided and what would have been.
    pub(super) moves: BTreeMap<(String, String), u64>,
    /// Decisions the strategy asked now failed to make.
    pub(super) faults: u64,
    /// Decisions that declared order made then, since the strategy failed.
    pub(super) faults_then: u64,
    /// Decisions that come before any attempt.
    pub(super) first: FirstChoices,
    /// Some differences, oldest first.
    pub(super) examples: Vec<Example>,
}

/// Decisions that come before any attempt: what either choice may have come to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FirstChoices {
    /// All of them.
    pub(super) all: u64,
    /// Those of which that is known: both targets were tried by somebody at some time.
    pub(super) compared: u64,
    pub(super) then: Sum,
    pub(super) now: Sum,
}

/// What some attempts may be expected to come to together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    served: f64,
    took: Duration,
    timed: u32,
    cost: f64,
    priced: u32,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) request: RequestId,
    pub(super) then: String,
    pub(super) now: String,
    pub(super) reason: Option<String>,
}

impl Tally {
    /// Decisions in all.
    pub(super) fn decisions(&self) -> u64 {
        self.same + self.differed() + self.faults
    }

    /// Decisions that came out otherwise.
    pub(super) fn differed(&self) -> u64 {
        self.moves.values().sum()
    }

    /// Takes in what was compared later.
    pub(super) fn add(&mut self, later: Self, most_examples: usize) {
        self.strategies.extend(later.strategies);
        self.has_changed |= later.has_changed;
        self.learns |= later.learns;
        self.same += later.same;
        self.faults += later.faults;
        self.faults_then += later.faults_then;
        for (moved, count) in later.moves {
            *self.moves.entry(moved).or_default() += count;
        }
        self.first.all += later.first.all;
        self.first.compared += later.first.compared;
        self.first.then.add(&later.first.then);
        self.first.now.add(&later.first.now);
        let room = most_examples.saturating_sub(self.examples.len());
        self.examples.extend(later.examples.into_iter().take(room));
    }
}

impl FirstChoices {
    /// Takes one in.
    pub(super) fn enter(&mut self, then: Option<Expected>, now: Option<Expected>) {
        self.all += 1;
        if let (Some(then), Some(now)) = (then, now) {
            self.compared += 1;
            self.then.enter(then);
            self.now.enter(now);
        }
    }
}

impl Sum {
    fn enter(&mut self, expected: Expected) {
        self.served += expected.served;
        if let Some(took) = expected.took {
            self.took = self.took.saturating_add(took);
            self.timed = self.timed.saturating_add(1);
        }
        if let Some(cost) = expected.cost {
            self.cost += cost;
            self.priced = self.priced.saturating_add(1);
        }
    }

    fn add(&mut self, other: &Self) {
        self.served += other.served;
        self.took = self.took.saturating_add(other.took);
        self.timed = self.timed.saturating_add(other.timed);
        self.cost += other.cost;
        self.priced = self.priced.saturating_add(other.priced);
    }

    /// The share that serves, of so many.
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    pub(super) fn share_served(&self, of: u64) -> Option<f64> {
        (of > 0).then(|| self.served / of as f64)
    }

    /// How long one takes.
    pub(super) fn mean_took(&self) -> Option<Duration> {
        self.took.checked_div(self.timed)
    }

    /// Dollars that one costs.
    pub(super) fn mean_cost(&self) -> Option<f64> {
        (self.priced > 0).then(|| self.cost / f64::from(self.priced) / 1e9)
    }
}
