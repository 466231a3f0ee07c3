//! One of a provider's keys at one of its models: what a cooldown and a breaker hold together.

use std::time::Duration;

use super::breaker::Breaker;
use super::cooldown::{Cause, Cooldown};
use super::denied::Denied;
use super::news::RestKind;
use super::turn::{Look, Turn, Urgency};
use crate::clock::Moment;
use crate::config::{BreakerConfig, CooldownConfig};
use crate::types::{Effect, FailureKind};

/// A breaker and a cooldown that let the same one probe through.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    breaker: Breaker,
    cooldown: Cooldown,
    lengths: CooldownConfig,
}

/// One call's turns at both machines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turns {
    breaker: Turn,
    cooldown: Turn,
    /// Whether others are waiting for this call.
    pub(super) role: Role,
}

/// What a call is to those that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Role {
    /// One of many.
    #[default]
    Ordinary,
    /// The one whose result decides whether others may follow.
    Probe,
}

/// When each kind of rest ends: what other instances are told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rests([(RestKind, Moment); 4]);

impl Rests {
    /// Those that end later than before.
    pub(super) fn longer_than(self, before: Self) -> Vec<(RestKind, Moment)> {
        let both = self.0.into_iter().zip(before.0);
        both.filter(|((_, end), (_, before))| end > before).map(|(rest, _)| rest).collect()
    }
}

impl Slot {
    /// A slot where nothing has failed yet.
    pub(super) fn new(rules: BreakerConfig, lengths: CooldownConfig) -> Self {
        Self { breaker: Breaker::new(rules), cooldown: Cooldown::default(), lengths }
    }

    /// Whether a call may be sent, and if not, why: the longer of two rests is the reason.
    ///
    /// # Errors
    /// `CoolingDown`, `OutOfQuota`, `Tripped` or `Probing`; those with no wait left are overruled by the emergency asked for.
    pub(super) fn look(&self, now: Moment, urgency: Urgency) -> Result<(), Denied> {
        match (self.cooldown.look(now, urgency), self.breaker.look(now, urgency)) {
            (Look::Ready, Look::Ready) => Ok(()),
            (Look::Resting(cool), Look::Resting(pause)) if pause > cool => Err(Denied::Tripped(pause)),
            (Look::Resting(cool), Look::Probing) if cool.is_zero() => Err(Denied::Probing),
            (Look::Resting(cool), _) if self.cooldown.is_quota() => Err(Denied::OutOfQuota(cool)),
            (Look::Resting(cool), _) => Err(Denied::CoolingDown(cool)),
            (Look::Probing, Look::Resting(pause)) if pause.is_zero() => Err(Denied::Probing),
            (_, Look::Resting(pause)) => Err(Denied::Tripped(pause)),
            (Look::Probing, _) | (_, Look::Probing) => Err(Denied::Probing),
        }
    }

    /// Lets a call through that has looked and was not denied.
    pub(super) fn enter(&mut self) -> Turns {
        let (breaker, cooldown) = (self.breaker.enter(), self.cooldown.enter());
        let role = if self.is_probing() { Role::Probe } else { Role::Ordinary };
        Turns { breaker, cooldown, role }
    }

    /// Whether a probe is under way.
    pub(super) fn is_probing(&self) -> bool {
        self.breaker.is_probing() || self.cooldown.is_probing()
    }

    /// The call was served, or has brought its first token. Returns the turns its later news must come with.
    pub(super) fn served(&mut self, turns: Turns, now: Moment) -> Turns {
        let (breaker, cooldown) = (self.breaker.served(turns.breaker, now), self.cooldown.served(turns.cooldown));
        Turns { breaker, cooldown, role: Role::Ordinary }
    }

    /// The call failed. `asked_for` is the wait its reply named.
    pub(super) fn failed(&mut self, kind: FailureKind, asked_for: Option<Duration>, turns: Turns, now: Moment) {
        match kind.effect() {
            Effect::CoolDown | Effect::OutOfQuota => self.breaker.put_off(turns.breaker, now),
            Effect::Counts => self.breaker.failed(turns.breaker, now),
            Effect::DropKey | Effect::DropModel | Effect::Nothing => self.breaker.release(turns.breaker),
        }
        self.cooldown.release(turns.cooldown);
        self.rest_after(kind, asked_for, now);
    }

    /// Somebody else has seen a failure here.
    pub(super) fn failed_elsewhere(&mut self, kind: FailureKind, now: Moment) {
        if kind.effect() == Effect::Counts {
            self.breaker.failed_elsewhere(now);
        }
        self.rest_after(kind, None, now);
    }

    /// Somebody else was served here: only what a provider asked for itself is kept.
    pub(super) fn served_elsewhere(&mut self, now: Moment) {
        self.breaker.close();
        self.cooldown.clear_assumed(now);
    }

    /// The call ended without news of the target.
    pub(super) fn release(&mut self, turns: Turns) {
        self.breaker.release(turns.breaker);
        self.cooldown.release(turns.cooldown);
    }

    /// An operator wants the target left alone until then.
    pub(super) fn rest_until(&mut self, until: Moment) {
        self.cooldown.rest(Cause::Named, until);
    }

    /// When its rests end.
    pub(super) fn rests(&self) -> Rests {
        let cooldown = |cause| self.cooldown.end(cause);
        Rests([
            (RestKind::Named, cooldown(Cause::Named)),
            (RestKind::Assumed, cooldown(Cause::Assumed)),
            (RestKind::Quota, cooldown(Cause::Quota)),
            (RestKind::Tripped, self.breaker.open_until().unwrap_or_default()),
        ])
    }

    /// Another instance leaves the target alone until then.
    pub(super) fn rest_as_elsewhere(&mut self, kind: RestKind, until: Moment, now: Moment) {
        let cause = match kind {
            RestKind::Named => Cause::Named,
            RestKind::Assumed => Cause::Assumed,
            RestKind::Quota => Cause::Quota,
            RestKind::Tripped => return self.breaker.open_as_elsewhere(until, now),
        };
        if until > self.cooldown.end(cause) {
            self.cooldown.rest(cause, until);
        }
    }

    /// Goes on with another slot's rests, under rules of its own. What is under way there brings no news here.
    pub(super) fn inherit(&mut self, old: &Self) {
        self.breaker.inherit(&old.breaker);
        self.cooldown.inherit(&old.cooldown);
    }

    /// Forgets every failure and every wait.
    pub(super) fn clear(&mut self) {
        self.breaker.close();
        self.cooldown.clear();
    }

    fn rest_after(&mut self, kind: FailureKind, asked_for: Option<Duration>, now: Moment) {
        let lengths = self.lengths;
        let rest = match (kind.effect(), asked_for) {
            (Effect::CoolDown, None) if lengths.rate_limited.is_zero() => return,
            (Effect::CoolDown, None) => (Cause::Assumed, lengths.rate_limited),
            // An overloaded provider that names a wait is kept to it as well: whoever asks to be left alone is.
            (Effect::CoolDown | Effect::Counts, Some(wait)) => (Cause::Named, wait.min(lengths.longest)),
            (Effect::OutOfQuota, wait) => {
                (Cause::Quota, wait.map_or(lengths.quota_exhausted, |wait| wait.min(lengths.longest_quota)))
            }
            (Effect::Counts, None) | (Effect::DropKey | Effect::DropModel | Effect::Nothing, _) => return,
        };
        self.cooldown.rest(rest.0, now + rest.1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn slot() -> Slot {
        Slot::new(BreakerConfig::default(), CooldownConfig::default())
    }

    fn fail(slot: &mut Slot, kind: FailureKind, asked_for: Option<Duration>, now: Moment) {
        let turns = slot.enter();
        slot.failed(kind, asked_for, turns, now);
    }

    #[test]
    fn rests_a_minute_after_a_rate_limit_that_names_no_wait() {
        let mut slot = slot();

        fail(&mut slot, FailureKind::RateLimited, None, at(0));

        assert_eq!(slot.look(at(0), Urgency::Usual), Err(Denied::CoolingDown(MINUTE)));
        assert_eq!(slot.look(at(60), Urgency::Usual), Ok(()));
    }

    #[test]
    fn does_not_rest_after_a_rate_limit_where_the_length_is_zero() {
        let lengths = CooldownConfig { rate_limited: Duration::ZERO, ..CooldownConfig::default() };
        let mut slot = Slot::new(BreakerConfig::default(), lengths);

        fail(&mut slot, FailureKind::RateLimited, None, at(0));

        assert_eq!(slot.enter().role, Role::Ordinary);
    }

    #[test]
    fn keeps_a_used_up_quota_apart_from_a_rate_limit() {
        let mut slot = slot();

        fail(&mut slot, FailureKind::QuotaExhausted, None, at(0));
        fail(&mut slot, FailureKind::RateLimited, None, at(0));

        assert_eq!(slot.look(at(0), Urgency::Usual), Err(Denied::OutOfQuota(MINUTE * 60)));
    }

    #[test]
    fn keeps_the_wait_an_overloaded_provider_names() {
        let mut slot = slot();

        fail(&mut slot, FailureKind::Overloaded, Some(Duration::from_secs(7)), at(0));

        assert_eq!(slot.look(at(0), Urgency::Usual), Err(Denied::CoolingDown(Duration::from_secs(7))));
    }

    #[test]
    fn stays_open_when_its_probe_is_rate_limited() {
        let mut slot = slot();
        for _ in 0..5 {
            fail(&mut slot, FailureKind::ServerError, None, at(0));
        }

        fail(&mut slot, FailureKind::RateLimited, Some(Duration::from_secs(2)), at(5));

        assert_eq!(slot.look(at(5), Urgency::Usual), Err(Denied::Tripped(Duration::from_secs(5))));
        assert_eq!(slot.look(at(10), Urgency::Usual), Ok(()));
        assert_eq!(slot.enter().role, Role::Probe);
    }

    #[test]
    fn never_counts_what_is_not_the_targets_fault() {
        let mut slot = slot();
        let kinds = [FailureKind::InvalidRequest, FailureKind::ContextLength, FailureKind::ContentFiltered];

        for kind in kinds.into_iter().cycle().take(1_000) {
            fail(&mut slot, kind, Some(MINUTE), at(0));
        }

        assert_eq!(slot.look(at(0), Urgency::Usual), Ok(()));
        assert_eq!(slot.enter().role, Role::Ordinary);
    }

    #[test]
    fn goes_on_with_one_call_at_a_time_when_the_probe_after_a_rate_limit_fails_otherwise() {
        let mut slot = slot();
        fail(&mut slot, FailureKind::RateLimited, None, at(0));

        fail(&mut slot, FailureKind::ServerError, None, at(60));

        assert_eq!(slot.look(at(60), Urgency::Usual), Ok(()));
        assert_eq!(slot.enter().role, Role::Probe);
        assert_eq!(slot.look(at(60), Urgency::Usual), Err(Denied::Probing));
    }

    #[test]
    fn admits_one_call_in_an_emergency() {
        let mut slot = slot();
        fail(&mut slot, FailureKind::RateLimited, None, at(0));

        assert_eq!(slot.look(at(0), Urgency::Emergency), Err(Denied::CoolingDown(Duration::ZERO)));
        slot.enter();

        assert_eq!(slot.look(at(0), Urgency::Emergency), Err(Denied::Probing));
    }

    proptest! {
        #[test]
        fn clamps_a_named_wait(nanos in any::<u64>(), seconds in any::<u64>(), is_quota in any::<bool>()) {
            let (kind, longest) = if is_quota {
                (FailureKind::QuotaExhausted, MINUTE * 60 * 25)
            } else {
                (FailureKind::RateLimited, MINUTE * 5)
            };
            let asked_for = Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos));
            let mut slot = slot();

            fail(&mut slot, kind, Some(asked_for), at(1));

            let wait = slot.look(at(1), Urgency::Usual).err().and_then(|denied| denied.wait()).unwrap_or_default();
            prop_assert_eq!(wait, asked_for.min(longest));
        }
    }
}
