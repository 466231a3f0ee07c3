//! The question a journey puts to the strategy: every target's state as request and guard see it.

use std::sync::Arc;

use crate::clock::{Moment, whole_ms};
use crate::guard::{AttemptKind, Claim, Denied};
use crate::types::{Ask, NanoUsd, Standing, State};

use super::journey::Journey;
use super::legs::Legs;
use super::output::Output;

impl Journey {
    /// The next question for the strategy; `None` when the request has used up its attempts, decisions or time.
    pub(super) fn question<R>(&mut self, legs: &Legs<R>) -> Option<Ask> {
        let now = self.router.clock.now();
        let attempts_left = self.attempts_left(legs.iter().count());
        if attempts_left == 0 || self.decisions >= self.route.max_decisions() || now >= self.deadline {
            return None;
        }
        self.decisions += 1;
        self.emergency = false;
        let mut states = self.states(now, legs.worst_case());
        let waits = |state: &State| !matches!(state.standing, Standing::Ready | Standing::Probing);
        if self.route.emergency && states.iter().all(waits) {
            self.emergency = true;
            states = self.states(now, legs.worst_case());
        }
        Some(Ask {
            sequence: self.sequence,
            entropy: self.router.random.next(),
            now_ms: u64::try_from(self.router.clock.wall().as_millisecond()).unwrap_or(0),
            input_tokens: self.needs.input_tokens,
            max_output_tokens: self.router.usual_output(&self.asked, &self.needs).tokens(),
            streaming: self.streaming,
            labels: Arc::clone(&self.labels),
            attempts: self.past.clone(),
            in_flight: legs.iter().map(|leg| leg.plan.target).collect(),
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

    /// Every seat's state: the request's own word first, then the guard's. `under_way` is what attempts under way cost at most.
    pub(super) fn states(&mut self, now: Moment, under_way: NanoUsd) -> Vec<State> {
        let wall = self.router.clock.wall();
        let seats = self.route.roster.iter().enumerate();
        let forced = self.router.guard.forced(now).and_then(|place| self.router.endpoints.get(place));
        let forced = forced.map(|endpoint| &*endpoint.name);
        let mut lacked_money = None;
        let mut states: Vec<State> = seats
            .map(|(index, seat)| {
                let claim = self.claim(index, AttemptKind::Plain, under_way);
                let (mut state, denied) = self.router.guard.view(seat.target, &claim, now, wall);
                if let Some(standing) = self.eligibility.standing(index, &seat.roster) {
                    state.standing = standing;
                } else if forced.is_some_and(|provider| provider != &*seat.name.provider) {
                    state.standing = Standing::Disabled;
                } else if self.is_ledger_late && state.estimated_cost != Some(NanoUsd::ZERO) {
                    (state.standing, lacked_money) = (Standing::OverBudget, Some(Denied::LedgerUnavailable));
                } else if state.standing == Standing::OverBudget {
                    lacked_money = lacked_money.or(denied);
                }
                state
            })
            .collect();
        self.lacked_money = lacked_money.or(self.lacked_money);
        self.hold_back_those_waited_for(&mut states);
        self.hold_back_unnamed(&mut states);
        self.hold_back_those_who_begin_anew(&mut states);
        states
    }

    /// While an untried target that goes on with a broken answer is usable, those that would begin it anew are not shown as
    /// usable.
    fn hold_back_those_who_begin_anew(&self, states: &mut [State]) {
        if self.sent.is_none() {
            return;
        }
        let goes_on: Vec<bool> = self.route.roster.iter().map(|seat| self.can_go_on(seat)).collect();
        let usable = |state: &State| matches!(state.standing, Standing::Ready | Standing::Probing);
        let mut seats = states.iter().zip(&goes_on).enumerate();
        if !seats.any(|(seat, (state, goes_on))| *goes_on && usable(state) && self.is_untried(seat)) {
            return;
        }
        for (state, _) in states.iter_mut().zip(&goes_on).filter(|(_, goes_on)| !**goes_on) {
            state.standing = Standing::Unsupported;
        }
    }

    /// While a target the request names is ready and has not been tried, the others are not shown as usable.
    fn hold_back_unnamed(&self, states: &mut [State]) {
        let waiting = |(seat, state): (usize, &State)| {
            self.eligibility.is_named_first(seat) && state.standing == Standing::Ready && self.is_untried(seat)
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

    fn is_untried(&self, seat: usize) -> bool {
        !self.past.iter().any(|past| past.target as usize == seat)
    }

    fn preferred_seat(&self, now: Moment) -> Option<u32> {
        let preferred = self.router.guard.preferred(&self.route.name, now)?;
        let seat = self.route.roster.iter().position(|seat| seat.target == preferred)?;
        u32::try_from(seat).ok()
    }

    /// What the request asks of the guard at a seat. What attempts under way cost at most counts as spent by the request:
    /// nobody can get it back.
    pub(super) fn claim(&self, seat: usize, kind: AttemptKind, under_way: NanoUsd) -> Claim<'_> {
        // What the caller has of an answer that broke off is sent along.
        let sent = self.sent.as_ref().map_or(0, |sent| u32::try_from(sent.size()).unwrap_or(u32::MAX));
        Claim {
            input_tokens: self.needs.input_tokens,
            input_bound: self.needs.input_bound.saturating_add(sent),
            media: self.needs.media,
            allowed: self.asked.purse().and_then(|purse| purse.limit()),
            max_output_tokens: self.output(seat).tokens(),
            spent: self.spent.saturating_add(under_way),
            kind,
            emergency: self.emergency,
            payer: Some(&self.payer),
        }
    }

    /// What its answers may have at a seat.
    pub(super) fn output(&self, seat: usize) -> Output {
        self.outputs.get(seat).copied().unwrap_or(Output::NONE)
    }

    fn attempts_left(&self, in_flight: usize) -> u32 {
        self.route.max_attempts.saturating_sub(u32::try_from(self.past.len() + in_flight).unwrap_or(u32::MAX))
    }
}
