//! The figures of a batch: what has come of its questions, in this run and before.

use std::collections::BTreeMap;
use std::time::Duration;

use backstop::types::{NanoUsd, Usage};

use super::told::Gist;

/// Sums over questions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Answers of this run and of earlier ones.
    pub(crate) answered: usize,
    /// Answers of this run.
    pub(crate) answered_now: usize,
    /// What nobody answered.
    pub(crate) failed: usize,
    /// What failed in this run.
    pub(crate) failed_now: usize,
    /// What a budget did not allow.
    pub(crate) refused: usize,
    /// How long the questions of this run took, all together.
    pub(crate) took: Duration,
    /// The tokens of all answers.
    pub(crate) usage: Usage,
    /// Answers by provider.
    pub(crate) providers: BTreeMap<String, OfProvider>,
}

/// What one provider has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OfProvider {
    pub(crate) answers: usize,
    pub(crate) usage: Usage,
    pub(crate) cost: NanoUsd,
}

impl Tally {
    /// Counts what an earlier run has left.
    pub(crate) fn recall(&mut self, gist: Gist) {
        match gist.is_answer {
            true => self.answered += 1,
            false => self.failed += 1,
        }
        self.count(gist);
    }

    /// Counts what has just ended.
    pub(crate) fn add(&mut self, gist: Gist, took: Duration) {
        match gist.is_answer {
            true => self.answered_now += 1,
            false => self.failed_now += 1,
        }
        self.took = self.took.saturating_add(took);
        self.recall(gist);
    }

    /// How many have ended in this run.
    pub(crate) fn ended_now(&self) -> usize {
        self.answered_now + self.failed_now
    }

    fn count(&mut self, gist: Gist) {
        add(&mut self.usage, gist.usage);
        let Some(provider) = gist.provider else { return };
        let own = self.providers.entry(provider).or_default();
        own.answers += 1;
        add(&mut own.usage, gist.usage);
        own.cost = own.cost.saturating_add(gist.cost);
    }
}

fn add(sum: &mut Usage, more: Usage) {
    sum.input = sum.input.saturating_add(more.input);
    sum.output = sum.output.saturating_add(more.output);
}
