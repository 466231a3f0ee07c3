//! The question a journey puts to the strategy: every target's state as request and guard see it.

use std::sync::Arc;

use crate::clock::{Moment, whole_ms};
use crate::guard::Claim;
use crate::types::{Ask, Standing, State};

use super::eligibility::output_bound;
use super::journey::Journey;
use super::route::Seat;

impl Journey<'_> {
    /// The next question for the strategy; `None` when the request has used up its attempts, decisions or time.
    pub(super) fn question(&mut self) -> Option<Ask> {
        let now = self.router.clock.now();
        let attempts_left = self.attempts_left();
        if attempts_left == 0 || self.decisions >= self.route.max_decisions() || now >= self.deadline {
            return None;
        }
        self.decisions += 1;
        self.emergency = false;
        let mut states = self.states(now);
        let waits = |state: &State| !matches!(state.standing, Standing::Ready | Standing::Probing);
        if self.route.emergency && states.iter().all(waits) {
            self.emergency = true;
            states = self.states(now);
        }
        Some(Ask {
            sequence: self.sequence,
            entropy: self.router.random.next(),
            now_ms: u64::try_from(self.router.clock.wall().as_millisecond()).unwrap_or(0),
            input_tokens: self.needs.input_tokens,
            max_output_tokens: self.output_bound(None),
            streaming: self.streaming,
            labels: Arc::clone(&self.labels),
            attempts: self.past.clone(),
            in_flight: Vec::new(),
            preferred: self.preferred_seat(now),
            emergency: self.emergency,
            attempts_left,
            retries_left: attempts_left.min(self.router.guard.retries_left(now)),
            elapsed_ms: whole_ms(now.since(self.began)),
            remaining_ms: Some(whole_ms(self.deadline.since(now))),
            note: std::mem::take(&mut self.note),
            states,
        })
    }

    /// Every seat's state: the request's own word first, then the guard's.
    pub(super) fn states(&self, now: Moment) -> Vec<State> {
        let wall = self.router.clock.wall();
        let seats = self.route.roster.iter().enumerate();
        let forced = self.router.guard.forced(now).and_then(|place| self.router.endpoints.get(place));
        let forced = forced.map(|endpoint| &*endpoint.name);
        let mut states: Vec<State> = seats
            .map(|(index, seat)| {
                let mut state = self.router.guard.state(seat.target, &self.claim(seat, false), now, wall);
                if let Some(standing) = self.eligibility.standing(index, &seat.roster) {
                    state.standing = standing;
                } else if forced.is_some_and(|provider| provider != &*seat.name.provider) {
                    state.standing = Standing::Disabled;
                }
                state
            })
            .collect();
        self.hold_back_unnamed(&mut states);
        states
    }

    /// While a target the request names is ready and has not been tried, the others are not shown as usable.
    fn hold_back_unnamed(&self, states: &mut [State]) {
        let untried = |seat: usize| !self.past.iter().any(|past| past.target as usize == seat);
        let waiting = |(seat, state): (usize, &State)| {
            self.eligibility.is_named_first(seat) && state.standing == Standing::Ready && untried(seat)
        };
        if !states.iter().enumerate().any(waiting) {
            return;
        }
        for (seat, state) in states.iter_mut().enumerate() {
            if !self.eligibility.is_named_first(seat) {
                state.standing = Standing::Disabled;
            }
        }
    }

    fn preferred_seat(&self, now: Moment) -> Option<u32> {
        let preferred = self.router.guard.preferred(&self.route.name, now)?;
        let seat = self.route.roster.iter().position(|seat| seat.target == preferred)?;
        u32::try_from(seat).ok()
    }

    pub(super) fn claim(&self, seat: &Seat, is_retry: bool) -> Claim {
        Claim {
            input_tokens: self.needs.input_tokens,
            max_output_tokens: self.output_bound(Some(seat)),
            spent: self.spent,
            is_retry,
            emergency: self.emergency,
        }
    }

    /// The output tokens to reckon with at a seat.
    pub(super) fn output_bound(&self, seat: Option<&Seat>) -> u32 {
        output_bound(self.request, &self.needs, self.router.default_max_tokens(self.request, seat))
    }

    fn attempts_left(&self) -> u32 {
        self.route.max_attempts.saturating_sub(u32::try_from(self.past.len()).unwrap_or(u32::MAX))
    }
}
