//! How a target has been doing of late: what strategies and people are shown, and nothing is decided by here.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::types::{Effect, FailureKind};

/// After so long without an outcome the old ones are no news any more.
const STALE: Duration = Duration::from_secs(600);

/// What a reply told of the quota holds about as long as the windows of most quotas.
const QUOTA_HOLDS: Duration = Duration::from_secs(60);

/// How much the latest first token counts in the smoothed time.
const WEIGHT: f32 = 0.2;

/// The outcomes of a target's (or a provider's) latest 64 attempts, and a few figures along with them.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    outcomes: u64,
    count: u32,
    failures_in_a_row: u32,
    seen: Moment,
    first_token_ms: Option<f32>,
    quota_left: Option<(f32, Moment)>,
    last_success: Option<Timestamp>,
    last_failure: Option<(Timestamp, FailureKind)>,
}

impl Health {
    /// An attempt was served.
    pub(super) fn served(&mut self, now: Moment, wall: Timestamp) {
        self.record(1, now);
        self.failures_in_a_row = 0;
        self.last_success = Some(wall);
    }

    /// An attempt failed. What is not the target's doing says nothing of its health.
    pub(super) fn failed(&mut self, kind: FailureKind, now: Moment, wall: Timestamp) {
        if kind.effect() == Effect::Nothing {
            return;
        }
        self.record(0, now);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.last_failure = Some((wall, kind));
    }

    /// The first token came so long after sending.
    pub(super) fn first_token(&mut self, took: Duration) {
        let ms = took.as_secs_f32() * 1_000.0;
        self.first_token_ms = Some(self.first_token_ms.map_or(ms, |smoothed| smoothed + WEIGHT * (ms - smoothed)));
    }

    /// A reply told what share of its scarcest quota is left; anything but a number is passed over.
    pub(super) fn quota_told(&mut self, left: f32, now: Moment) {
        if !left.is_nan() {
            self.quota_left = Some((left.clamp(0.0, 1.0), now));
        }
    }

    /// Failures since the last success.
    pub(super) fn failures_in_a_row(&self) -> u32 {
        self.failures_in_a_row
    }

    /// Share of the latest attempts that were served; 1 where there were none of late.
    #[expect(clippy::cast_precision_loss, reason = "at most 64")]
    pub(super) fn success_rate(&self, now: Moment) -> f32 {
        if self.count == 0 || now.since(self.seen) > STALE {
            return 1.0;
        }
        self.outcomes.count_ones() as f32 / self.count as f32
    }

    /// Smoothed milliseconds from sending to the first token.
    pub(super) fn first_token_ms(&self) -> Option<f32> {
        self.first_token_ms
    }

    /// Share of the scarcest quota that was left when a reply last told of it, if that was of late.
    pub(super) fn quota_left(&self, now: Moment) -> Option<f32> {
        self.quota_left.filter(|(_, told)| now.since(*told) <= QUOTA_HOLDS).map(|(left, _)| left)
    }

    /// When an attempt was last served.
    pub(super) fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    /// When an attempt last failed, and how.
    pub(super) fn last_failure(&self) -> Option<(Timestamp, FailureKind)> {
        self.last_failure
    }

    fn record(&mut self, outcome: u64, now: Moment) {
        if now.since(self.seen) > STALE {
            (self.outcomes, self.count) = (0, 0);
        }
        self.outcomes = self.outcomes << 1 | outcome;
        self.count = (self.count + 1).min(u64::BITS);
        self.seen = self.seen.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn takes_a_target_nobody_has_tried_for_a_good_one() {
        let health = Health::default();

        assert!((health.success_rate(at(0)) - 1.0).abs() < f32::EPSILON);
        assert_eq!(health.first_token_ms(), None);
    }

    #[test]
    fn counts_failures_since_the_last_success() {
        let mut health = Health::default();

        health.failed(FailureKind::Timeout, at(0), WALL);
        health.failed(FailureKind::RateLimited, at(0), WALL);
        assert_eq!(health.failures_in_a_row(), 2);
        health.served(at(0), WALL);

        assert_eq!(health.failures_in_a_row(), 0);
        assert!((health.success_rate(at(0)) - 1.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn looks_at_the_latest_64_attempts() {
        let mut health = Health::default();

        (0..64).for_each(|_| health.failed(FailureKind::Timeout, at(0), WALL));
        (0..64).for_each(|_| health.served(at(0), WALL));

        assert!((health.success_rate(at(0)) - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn forgets_outcomes_that_are_no_news_any_more() {
        let mut health = Health::default();
        health.failed(FailureKind::Timeout, at(0), WALL);

        assert!(health.success_rate(at(600)) < 0.5);
        assert!(health.success_rate(at(601)) > 0.5);
        health.failed(FailureKind::Timeout, at(601), WALL);

        assert_eq!(health.count, 1);
    }

    #[test]
    fn does_not_hold_a_clients_fault_against_the_target() {
        let mut health = Health::default();

        health.failed(FailureKind::InvalidRequest, at(0), WALL);

        assert_eq!((health.failures_in_a_row(), health.last_failure()), (0, None));
    }

    #[test]
    fn forgets_what_was_told_of_a_quota_after_a_minute() {
        let mut health = Health::default();

        health.quota_told(0.02, at(0));
        health.quota_told(f32::NAN, at(30));

        assert_eq!(health.quota_left(at(60)), Some(0.02));
        assert_eq!(health.quota_left(at(61)), None);
    }

    #[test]
    fn smooths_the_time_to_the_first_token() {
        let mut health = Health::default();

        health.first_token(Duration::from_millis(100));
        health.first_token(Duration::from_millis(200));

        assert!((health.first_token_ms().unwrap() - 120.0).abs() < 0.01);
    }
}
