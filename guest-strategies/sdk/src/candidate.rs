//! A candidate: a target, its present state, and what this request has already seen of it.

use core::iter::Zip;
use core::ops::Deref;
use core::slice;

use crate::{Ask, Failure, PastAttempt, Standing, State, Target};

/// A target joined with its state and with this request's history. All fields of [`Target`] can be read from it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    index: u32,
    target: &'a Target,
    state: &'a State,
    ask: Ask<'a>,
}

/// The candidates in declared order. [`Select`](crate::Select) has what to choose among them by.
#[derive(Debug, Clone)]
pub struct Candidates<'a> {
    targets: Zip<slice::Iter<'a, Target>, slice::Iter<'a, State>>,
    next: u32,
    ask: Ask<'a>,
}

impl<'a> Candidate<'a> {
    pub(crate) const fn new(index: u32, target: &'a Target, state: &'a State, ask: Ask<'a>) -> Self {
        Self { index, target, state, ask }
    }

    /// Its place in the roster, from 0.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Its state at this moment.
    #[must_use]
    pub const fn state(&self) -> &'a State {
        self.state
    }

    /// Whether it would be admitted, and if not, why.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.state.standing
    }

    /// Whether an attempt made now would be admitted.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.state.standing.is_ready()
    }

    /// Whether it may come to serve this request, by waiting if need be.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.state.standing.is_usable()
    }

    /// Whether an attempt of this request is under way there.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.ask.in_flight.contains(&self.index)
    }

    /// Whether it is the one that served last, as far as the operator's `prefer_for` goes.
    #[must_use]
    pub fn is_preferred(&self) -> bool {
        self.ask.preferred == Some(self.index)
    }

    /// Whether this request has not been there yet.
    #[must_use]
    pub fn is_untried(&self) -> bool {
        self.last_attempt().is_none()
    }

    /// How many attempts of this request have failed there.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.ask.attempts.iter().map(|attempt| u32::from(attempt.target == self.index)).sum()
    }

    /// The latest attempt of this request there.
    #[must_use]
    pub fn last_attempt(&self) -> Option<&'a PastAttempt> {
        self.ask.question().attempts.iter().rev().find(|attempt| attempt.target == self.index)
    }

    /// Why this request last failed there.
    #[must_use]
    pub fn last_failure(&self) -> Option<Failure> {
        self.last_attempt().map(|attempt| attempt.failure)
    }

    /// The number with this key that the host sent of it.
    #[must_use]
    pub fn extra(&self, key: u32) -> Option<f64> {
        self.ask.extra(key, Some(self.index))
    }

    /// Whether it shows signs of trouble before it is out: it failed more than once running, serves less than half of
    /// its attempts, or has less than 5 % of its quota left.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        self.state.consecutive_failures > 1
            || self.state.success_rate < 0.5
            || self.state.quota_left.is_some_and(|left| left < 0.05)
    }

    /// US dollars this request would cost there at most: nothing at the operator's own, `None` where the price is unknown.
    #[must_use]
    pub fn cost(&self) -> Option<f64> {
        self.state.estimated_cost.or(if self.target.is_free() { Some(0.0) } else { None })
    }

    /// Whether its window is larger than that of every target the request has proved too long for, as far as is known.
    #[must_use]
    pub fn is_large_enough(&self) -> bool {
        let Some(window) = self.target.context_window else { return true };
        !self.ask.attempts.iter().any(|attempt| {
            attempt.failure == Failure::ContextLength
                && self
                    .ask
                    .target(attempt.target)
                    .and_then(|tried| tried.context_window)
                    .is_some_and(|tried| window <= tried)
        })
    }
}

impl<'a> Candidates<'a> {
    pub(crate) fn new(targets: &'a [Target], states: &'a [State], ask: Ask<'a>) -> Self {
        Self { targets: targets.iter().zip(states), next: 0, ask }
    }
}

impl<'a> Iterator for Candidates<'a> {
    type Item = Candidate<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (target, state) = self.targets.next()?;
        let index = self.next;
        self.next += 1;
        Some(Candidate::new(index, target, state, self.ask))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.targets.size_hint()
    }
}

impl ExactSizeIterator for Candidates<'_> {}

impl Deref for Candidate<'_> {
    type Target = Target;

    fn deref(&self) -> &Target {
        self.target
    }
}
