//! The cooldown: leaves a target alone for as long as it asked, then lets one probe go first.

use std::time::Duration;

use super::turn::{Look, Turn, Urgency};
use crate::clock::Moment;

/// Why a target is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A reply named the wait: nothing overrules it.
    Named,
    /// No reply named one, so the host chose the length: an emergency overrules it.
    Assumed,
    /// An account or daily quota is used up: nothing overrules it.
    Quota,
}

/// Three moments that only ever move away, one for each cause: a longer rest is never shortened by a shorter one.
#[derive(Debug, Clone, Default)]
pub(super) struct Cooldown {
    named: Moment,
    assumed: Moment,
    quota: Moment,
    phase: Phase,
    turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Clear,
    /// Resting, or rested with nobody let through yet.
    Due,
    Probing,
}

impl Cooldown {
    /// Leaves the target alone until then at least.
    pub(super) fn rest(&mut self, cause: Cause, until: Moment) {
        let end = match cause {
            Cause::Named => &mut self.named,
            Cause::Assumed => &mut self.assumed,
            Cause::Quota => &mut self.quota,
        };
        *end = until.max(*end);
        self.go(Phase::Due);
    }

    /// When the rest for a cause ends; the clock's start where there was none.
    pub(super) fn end(&self, cause: Cause) -> Moment {
        match cause {
            Cause::Named => self.named,
            Cause::Assumed => self.assumed,
            Cause::Quota => self.quota,
        }
    }

    /// Whether a call would be let through.
    pub(super) fn look(&self, now: Moment, urgency: Urgency) -> Look {
        let asked_for = self.named.max(self.quota);
        let until = match urgency {
            Urgency::Usual => asked_for.max(self.assumed),
            Urgency::Emergency => asked_for,
        };
        match self.phase {
            Phase::Clear => Look::Ready,
            Phase::Probing => Look::Probing,
            Phase::Due if until > now => Look::Resting(until.since(now)),
            Phase::Due if self.assumed > now => Look::Resting(Duration::ZERO),
            Phase::Due => Look::Ready,
        }
    }

    /// Whether the rest that lasts longest is that of a used-up quota.
    pub(super) fn is_quota(&self) -> bool {
        self.quota > self.named.max(self.assumed)
    }

    /// Whether a probe is under way.
    pub(super) fn is_probing(&self) -> bool {
        self.phase == Phase::Probing
    }

    /// Lets a call through that has looked; after a rest it is the probe.
    pub(super) fn enter(&mut self) -> Turn {
        if self.phase == Phase::Due {
            self.go(Phase::Probing);
        }
        self.turn
    }

    /// A call was served. A probe ends the cooldown.
    pub(super) fn served(&mut self, turn: Turn) -> Turn {
        if turn == self.turn && self.phase == Phase::Probing {
            self.clear();
            return self.turn;
        }
        turn
    }

    /// A call ended without a word about waiting: after a rest the next one goes alone again.
    pub(super) fn release(&mut self, turn: Turn) {
        if turn == self.turn && self.phase == Phase::Probing {
            self.go(Phase::Due);
        }
    }

    /// Ends every rest at once.
    pub(super) fn clear(&mut self) {
        let turn = self.turn;
        *self = Self { turn, ..Self::default() };
        self.go(Phase::Clear);
    }

    /// Ends the rests that nobody but the host asked for.
    pub(super) fn clear_assumed(&mut self, now: Moment) {
        self.assumed = Moment::START;
        if self.named.max(self.quota) <= now {
            self.clear();
        }
    }

    /// Goes on with another's rests. Its probe, if one is under way, is not waited for: the next call probes.
    pub(super) fn inherit(&mut self, old: &Self) {
        let turn = self.turn;
        *self = Self { turn, ..old.clone() };
        self.go(match old.phase {
            Phase::Probing => Phase::Due,
            phase @ (Phase::Clear | Phase::Due) => phase,
        });
    }

    fn go(&mut self, phase: Phase) {
        self.phase = phase;
        self.turn = self.turn.next();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn resting(seconds: u64) -> Look {
        Look::Resting(Duration::from_secs(seconds))
    }

    #[test]
    fn lets_everybody_through_until_it_is_told_to_rest() {
        let mut cooldown = Cooldown::default();

        cooldown.enter();

        assert_eq!(cooldown.look(at(0), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn lets_one_probe_through_when_the_rest_ends_and_all_after_its_success() {
        let mut cooldown = Cooldown::default();
        cooldown.rest(Cause::Named, at(2));

        assert_eq!(cooldown.look(at(1), Urgency::Usual), resting(1));
        assert_eq!(cooldown.look(at(2), Urgency::Usual), Look::Ready);
        let probe = cooldown.enter();
        assert_eq!(cooldown.look(at(2), Urgency::Usual), Look::Probing);
        cooldown.served(probe);

        assert_eq!(cooldown.look(at(2), Urgency::Usual), Look::Ready);
        cooldown.enter();
        assert_eq!(cooldown.look(at(2), Urgency::Usual), Look::Ready);
    }

    #[test]
    fn keeps_a_rest_that_a_success_sent_before_it_would_end() {
        let mut cooldown = Cooldown::default();
        let early = cooldown.enter();
        cooldown.rest(Cause::Named, at(20));

        cooldown.served(early);

        assert_eq!(cooldown.look(at(0), Urgency::Usual), resting(20));
    }

    #[test]
    fn sends_another_probe_when_one_brings_no_news() {
        let mut cooldown = Cooldown::default();
        cooldown.rest(Cause::Assumed, at(2));
        let probe = cooldown.enter();

        cooldown.release(probe);

        assert_eq!(cooldown.look(at(2), Urgency::Usual), Look::Ready);
        cooldown.enter();
        assert_eq!(cooldown.look(at(2), Urgency::Usual), Look::Probing);
    }

    #[test]
    fn lets_an_emergency_overrule_only_what_was_assumed() {
        for (cause, seen) in [(Cause::Assumed, resting(0)), (Cause::Named, resting(9)), (Cause::Quota, resting(9))] {
            let mut cooldown = Cooldown::default();
            cooldown.rest(cause, at(9));

            assert_eq!(cooldown.look(at(0), Urgency::Emergency), seen, "{cause:?}");
        }
    }

    #[test]
    fn keeps_the_named_part_of_a_rest_in_an_emergency() {
        let mut cooldown = Cooldown::default();
        cooldown.rest(Cause::Assumed, at(60));
        cooldown.rest(Cause::Named, at(2));

        assert_eq!(cooldown.look(at(0), Urgency::Usual), resting(60));
        assert_eq!(cooldown.look(at(0), Urgency::Emergency), resting(2));
        assert_eq!(cooldown.look(at(2), Urgency::Emergency), resting(0));
    }

    #[test]
    fn keeps_what_was_named_when_somebody_reports_a_success() {
        let mut cooldown = Cooldown::default();
        cooldown.rest(Cause::Assumed, at(60));
        cooldown.rest(Cause::Named, at(2));

        cooldown.clear_assumed(at(0));
        assert_eq!(cooldown.look(at(0), Urgency::Usual), resting(2));

        cooldown.clear_assumed(at(2));
        assert_eq!(cooldown.look(at(2), Urgency::Usual), Look::Ready);
    }

    fn rests() -> impl Strategy<Value = Vec<(Cause, u64)>> {
        let cause = prop_oneof![Just(Cause::Named), Just(Cause::Assumed), Just(Cause::Quota)];
        prop::collection::vec((cause, 0u64..1_000), 1..20)
    }

    proptest! {
        #[test]
        fn never_shortens_a_longer_rest(rests in rests(), now in 0u64..1_000) {
            let mut cooldown = Cooldown::default();
            for (cause, until) in &rests {
                cooldown.rest(*cause, at(*until));
            }

            let until = rests.iter().map(|(_, until)| *until).max().unwrap_or(0);
            let seen = if until > now { resting(until - now) } else { Look::Ready };
            prop_assert_eq!(cooldown.look(at(now), Urgency::Usual), seen);
        }
    }
}
