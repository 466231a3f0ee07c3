//! The question joined with the roster: what a strategy looks at.

use core::ops::Deref;

use crate::{Candidate, Candidates, Question, Roster, Target};

/// The question, with the roster at hand. All fields of [`Question`] can be read from it.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    roster: &'a Roster,
    question: &'a Question,
}

impl<'a> Ask<'a> {
    /// Joins the two. A target the question has no state for is left out.
    #[must_use]
    pub const fn new(roster: &'a Roster, question: &'a Question) -> Self {
        Self { roster, question }
    }

    /// The question alone, for as long as it lasts.
    #[must_use]
    pub const fn question(&self) -> &'a Question {
        self.question
    }

    /// The target at this place in the roster.
    #[must_use]
    pub fn target(&self, index: u32) -> Option<&'a Target> {
        self.roster.target(index)
    }

    /// Every target of the roster with its present state, in declared order.
    #[must_use]
    pub fn candidates(&self) -> Candidates<'a> {
        Candidates::new(self.roster.targets(), &self.question.states, *self)
    }

    /// The candidate at this place in the roster.
    #[must_use]
    pub fn candidate(&self, index: u32) -> Option<Candidate<'a>> {
        let place = usize::try_from(index).ok()?;
        let target = self.roster.targets().get(place)?;
        let state = self.question.states.get(place)?;
        Some(Candidate::new(index, target, state, *self))
    }

    /// The candidate at which the latest attempt of this request failed.
    #[must_use]
    pub fn last_tried(&self) -> Option<Candidate<'a>> {
        self.candidate(self.question.attempts.last()?.target)
    }
}

impl Deref for Ask<'_> {
    type Target = Question;

    fn deref(&self) -> &Question {
        self.question
    }
}
