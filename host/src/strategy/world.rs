//! What a guest may know of the world outside its question: nothing that is not in the question.

use crate::types::{Ask, Observation};

/// What a guest may know of the world outside: what is in the question. Before the first question, nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct QuestionWorld {
    pub(super) now_ms: u64,
    randomness: u64,
}

impl QuestionWorld {
    /// The world of a question.
    pub(super) fn of(ask: &Ask) -> Self {
        Self { now_ms: ask.now_ms, randomness: ask.entropy }
    }

    /// The world of an outcome.
    pub(super) fn of_outcome(outcome: &Observation) -> Self {
        Self { now_ms: outcome.now_ms, randomness: outcome.entropy }
    }

    /// The next number of a sequence that the question's entropy begins (SplitMix64: every seed gives a full period).
    pub(super) fn random(&mut self) -> u64 {
        self.randomness = self.randomness.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.randomness;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
