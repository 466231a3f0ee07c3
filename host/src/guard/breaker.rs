//! The breaker: leaves a failing target alone, then lets one probe find out whether it is back.

use std::time::Duration;

use super::samples::Samples;
use super::turn::{Look, Turn, Urgency};
use crate::clock::Moment;
use crate::config::BreakerConfig;

/// Closed, open until a moment, or open with one probe under way.
///
/// Only failures of the target's own making are told to it; a rate limit and a client's bad request are not.
#[derive(Debug, Clone)]
pub(super) struct Breaker {
    rules: BreakerConfig,
    phase: Phase,
    turn: Turn,
    in_a_row: u32,
    samples: Samples,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Moment, pause: Duration },
    Probing { until: Moment, pause: Duration },
}

impl Breaker {
    /// A closed breaker.
    pub(super) fn new(rules: BreakerConfig) -> Self {
        let samples = Samples::new(rules.window);
        Self { rules, phase: Phase::Closed, turn: Turn::default(), in_a_row: 0, samples }
    }

    /// Whether a call would be let through.
    pub(super) fn look(&self, now: Moment, urgency: Urgency) -> Look {
        match (self.phase, urgency) {
            (Phase::Closed, _) => Look::Ready,
            (Phase::Open { until, .. }, _) if until <= now => Look::Ready,
            (Phase::Open { .. }, Urgency::Emergency) => Look::Resting(Duration::ZERO),
            (Phase::Open { until, .. }, Urgency::Usual) => Look::Resting(until.since(now)),
            (Phase::Probing { .. }, _) => Look::Probing,
        }
    }

    /// Whether a probe is under way.
    pub(super) fn is_probing(&self) -> bool {
        matches!(self.phase, Phase::Probing { .. })
    }

    /// Lets a call through that has looked; from an open breaker it is the probe.
    pub(super) fn enter(&mut self) -> Turn {
        if let Phase::Open { until, pause } = self.phase {
            self.go(Phase::Probing { until, pause });
        }
        self.turn
    }

    /// A call was served. A probe closes the breaker; the turn returned is the one its later news must come with.
    pub(super) fn served(&mut self, turn: Turn, now: Moment) -> Turn {
        if turn != self.turn {
            return turn;
        }
        match self.phase {
            Phase::Closed => {
                self.in_a_row = 0;
                self.samples.served(now);
            }
            Phase::Probing { .. } => self.close(),
            Phase::Open { .. } => {}
        }
        self.turn
    }

    /// A call failed by the target's fault.
    pub(super) fn failed(&mut self, turn: Turn, now: Moment) {
        if turn != self.turn {
            return;
        }
        match self.phase {
            Phase::Closed => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.samples.failed(now);
                if self.has_seen_enough(now) {
                    self.open(self.rules.pause, now);
                }
            }
            Phase::Probing { pause, .. } => self.open(pause.saturating_mul(2), now),
            Phase::Open { .. } => {}
        }
    }

    /// A call was told to come later. That is no failure, but a probe that hears it has not shown that the target is back.
    pub(super) fn put_off(&mut self, turn: Turn, now: Moment) {
        if let (true, Phase::Probing { pause, .. }) = (turn == self.turn, self.phase) {
            self.open(pause, now);
        }
    }

    /// A call ended without news of the target: the next one probes in its stead.
    pub(super) fn release(&mut self, turn: Turn) {
        if let (true, Phase::Probing { until, pause }) = (turn == self.turn, self.phase) {
            self.go(Phase::Open { until, pause });
        }
    }

    /// Closes it and forgets all failures.
    pub(super) fn close(&mut self) {
        self.in_a_row = 0;
        self.samples.clear();
        self.go(Phase::Closed);
    }

    /// Somebody else has seen a failure of the target's own making: it counts like one of ours.
    pub(super) fn failed_elsewhere(&mut self, now: Moment) {
        match self.phase {
            Phase::Open { until, pause } if until <= now => self.open(pause, now),
            Phase::Open { .. } => {}
            Phase::Closed | Phase::Probing { .. } => self.failed(self.turn, now),
        }
    }

    /// Until when it is open, where it is.
    pub(super) fn open_until(&self) -> Option<Moment> {
        match self.phase {
            Phase::Open { until, .. } => Some(until),
            Phase::Closed | Phase::Probing { .. } => None,
        }
    }

    /// Somebody else's breaker has opened until then: the later of the two ends counts.
    pub(super) fn open_as_elsewhere(&mut self, end: Moment, now: Moment) {
        match self.phase {
            Phase::Open { until, .. } | Phase::Probing { until, .. } if until >= end => {}
            Phase::Closed | Phase::Open { .. } | Phase::Probing { .. } => {
                let pause =
                    end.since(now).clamp(self.rules.pause.min(self.rules.longest_pause), self.rules.longest_pause);
                self.go(Phase::Open { until: end.min(now + self.rules.longest_pause), pause });
            }
        }
    }

    /// Goes on where another has come to. Its probe, if one is under way, is not waited for: the next call probes.
    pub(super) fn inherit(&mut self, old: &Self) {
        self.in_a_row = old.in_a_row;
        self.go(match old.phase {
            Phase::Probing { until, pause } => Phase::Open { until, pause },
            phase @ (Phase::Closed | Phase::Open { .. }) => phase,
        });
    }

    fn open(&mut self, pause: Duration, now: Moment) {
        let pause = pause.min(self.rules.longest_pause);
        self.go(Phase::Open { until: now + pause, pause });
    }

    fn go(&mut self, phase: Phase) {
        self.phase = phase;
        self.turn = self.turn.next();
    }

    fn has_seen_enough(&self, now: Moment) -> bool {
        let in_a_row = self.rules.failures > 0 && self.in_a_row >= self.rules.failures;
        in_a_row || (self.rules.success_rate > 0.0 && self.is_under_rate(now))
    }

    // Looked at when a failure is counted and at no other time: a success never opens the breaker.
    fn is_under_rate(&self, now: Moment) -> bool {
        let tally = self.samples.tally(now);
        let (served, all) = (f64::from(tally.served), f64::from(tally.all()));
        tally.all() >= self.rules.samples && served < self.rules.success_rate * all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn breaker() -> Breaker {
        Breaker::new(BreakerConfig::default())
    }

    fn fail(breaker: &mut Breaker, times: u32, now: Moment) {
        for _ in 0..times {
            let turn = breaker.enter();
            breaker.failed(turn, now);
        }
    }

    fn serve(breaker: &mut Breaker, times: u32, now: Moment) {
        for _ in 0..times {
            let turn = breaker.enter();
            breaker.served(turn, now);
        }
    }

    fn resting(seconds: u64) -> Look {
        Look::Resting(Duration::from_secs(seconds))
    }

    #[test]
    fn opens_on_the_fifth_failure_in_a_row_and_not_on_the_fourth() {
        let mut breaker = breaker();

        fail(&mut breaker, 4, at(0));
        assert_eq!(breaker.look(at(0), Urgency::Usual), Look::Ready);

        fail(&mut breaker, 1, at(0));
        assert_eq!(breaker.look(at(0), Urgency::Usual), resting(5));
    }

    #[test]
    fn starts_counting_afresh_after_a_success() {
        let mut breaker = breaker();

        fail(&mut breaker, 4, at(0));
        serve(&mut breaker, 1, at(0));
        fail(&mut breaker, 4, at(0));

        assert_eq!(breaker.look(at(0), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn opens_under_the_success_rate_at_twenty_samples_and_not_at_nineteen() {
        let mut breaker = breaker();

        for second in 0..9 {
            serve(&mut breaker, 1, at(second));
            fail(&mut breaker, 1, at(second));
        }
        fail(&mut breaker, 1, at(9));
        assert_eq!(breaker.look(at(9), Urgency::Usual), Look::Ready, "9 of 19");

        fail(&mut breaker, 1, at(9));
        assert_eq!(breaker.look(at(9), Urgency::Usual), resting(5), "9 of 20");
    }

    #[test]
    fn stays_closed_at_exactly_the_success_rate() {
        let mut breaker = breaker();

        for second in 0..20 {
            serve(&mut breaker, 1, at(second));
            fail(&mut breaker, 1, at(second));
        }

        assert_eq!(breaker.look(at(20), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn forgets_samples_that_left_the_window() {
        let mut breaker = breaker();

        for second in 0..9 {
            serve(&mut breaker, 1, at(second));
            fail(&mut breaker, 1, at(second));
        }
        fail(&mut breaker, 2, at(38));

        assert_eq!(breaker.look(at(38), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn never_opens_where_both_rules_are_off() {
        let mut breaker = Breaker::new(BreakerConfig { failures: 0, success_rate: 0.0, ..BreakerConfig::default() });

        fail(&mut breaker, 1_000, at(0));

        assert_eq!(breaker.look(at(0), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn lets_one_probe_through_when_the_pause_ends() {
        let mut breaker = breaker();
        fail(&mut breaker, 5, at(0));

        assert_eq!(breaker.look(at(4), Urgency::Usual), resting(1));
        assert_eq!(breaker.look(at(5), Urgency::Usual), Look::Ready);
        breaker.enter();

        assert_eq!(breaker.look(at(5), Urgency::Usual), Look::Probing);
        assert_eq!(breaker.look(at(500), Urgency::Usual), Look::Probing);
    }

    #[test]
    fn doubles_its_pause_up_to_the_longest_and_begins_anew_once_closed() {
        let mut breaker = breaker();
        let mut now = at(0);
        let mut pauses = Vec::new();
        fail(&mut breaker, 5, now);

        for _ in 0..5 {
            let Look::Resting(pause) = breaker.look(now, Urgency::Usual) else { panic!("not open") };
            pauses.push(pause.as_secs());
            now = now + pause;
            fail(&mut breaker, 1, now);
        }
        assert_eq!(pauses, [5, 10, 20, 30, 30]);

        now = now + Duration::from_secs(30);
        serve(&mut breaker, 1, now);
        fail(&mut breaker, 4, now);
        assert_eq!(breaker.look(now, Urgency::Usual), Look::Ready);
        fail(&mut breaker, 1, now);
        assert_eq!(breaker.look(now, Urgency::Usual), resting(5));
    }

    #[test]
    fn stays_open_for_as_long_again_when_the_probe_is_put_off() {
        let mut breaker = breaker();
        fail(&mut breaker, 5, at(0));
        let probe = breaker.enter();

        breaker.put_off(probe, at(6));

        assert_eq!(breaker.look(at(6), Urgency::Usual), resting(5));
    }

    #[test]
    fn gives_the_place_of_a_lost_probe_to_the_next() {
        let mut breaker = breaker();
        fail(&mut breaker, 5, at(0));
        let lost = breaker.enter();

        breaker.release(lost);
        assert_eq!(breaker.look(at(5), Urgency::Usual), Look::Ready);
        let probe = breaker.enter();
        breaker.served(lost, at(5));
        assert_eq!(breaker.look(at(5), Urgency::Usual), Look::Probing, "the lost one has no say any more");

        breaker.served(probe, at(5));
        assert_eq!(breaker.look(at(5), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn learns_nothing_from_calls_sent_before_it_opened() {
        let mut breaker = breaker();
        let early: Vec<Turn> = (0..50).map(|_| breaker.enter()).collect();
        fail(&mut breaker, 5, at(0));
        let probe = breaker.enter();
        breaker.served(probe, at(5));

        for turn in early {
            breaker.failed(turn, at(6));
        }

        assert_eq!(breaker.look(at(6), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn lets_an_emergency_probe_early_but_only_one() {
        let mut breaker = breaker();
        fail(&mut breaker, 5, at(0));

        assert_eq!(breaker.look(at(0), Urgency::Emergency), Look::Resting(Duration::ZERO));
        breaker.enter();

        assert_eq!(breaker.look(at(0), Urgency::Emergency), Look::Probing);
    }
}
