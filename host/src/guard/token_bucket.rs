//! Tokens a minute: a bucket that may owe, so that a wrong estimate is made good later.

use std::time::Duration;

use super::request_window::MINUTE;
use crate::clock::Moment;

const MINUTE_NS: i128 = 60_000_000_000;

/// A minute's tokens that flow back evenly. Taken by estimate, corrected once the real number is known.
///
/// Levels are counted in tokens times nanoseconds of a minute: then the flow is a whole number a nanosecond and the told
/// wait is exact.
#[derive(Debug, Clone)]
pub(super) struct TokenBucket {
    per_minute: u32,
    level: i128,
    seen: Moment,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, level: i128::from(per_minute) * MINUTE_NS, seen: Moment::START }
    }

    /// How long until so many tokens are there, if nobody else takes any; `None` is now.
    ///
    /// A request that needs more than a minute's tokens waits for a full bucket and leaves it owing.
    pub(super) fn wait(&mut self, tokens: u64, now: Moment) -> Option<Duration> {
        if self.per_minute == 0 {
            return Some(MINUTE);
        }
        self.flow(now);
        let missing = units(tokens).min(self.full()) - self.level;
        if missing <= 0 {
            return None;
        }
        let nanos = missing.unsigned_abs().div_ceil(u128::from(self.per_minute));
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes tokens, whether they are there or not.
    pub(super) fn take(&mut self, tokens: u64, now: Moment) {
        self.flow(now);
        self.level = self.level.saturating_sub(units(tokens));
    }

    /// Replaces what was taken by what was used.
    pub(super) fn correct(&mut self, taken: u64, used: u64, now: Moment) {
        self.flow(now);
        self.level = self.level.saturating_add(units(taken) - units(used)).min(self.full());
    }

    fn flow(&mut self, now: Moment) {
        let nanos = i128::try_from(now.since(self.seen).as_nanos()).unwrap_or(i128::MAX);
        let flow = nanos.saturating_mul(i128::from(self.per_minute));
        self.level = self.level.saturating_add(flow).min(self.full());
        self.seen = self.seen.max(now);
    }

    fn full(&self) -> i128 {
        i128::from(self.per_minute) * MINUTE_NS
    }
}

// At most a tenth of the range, so that no sum of a few of them overflows.
fn units(tokens: u64) -> i128 {
    i128::from(tokens.min(u64::from(u32::MAX) * 1_000)) * MINUTE_NS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    #[test]
    fn tells_exactly_how_long_to_wait() {
        let mut bucket = TokenBucket::new(60_000);
        bucket.take(60_000, at_ms(0));

        assert_eq!(bucket.wait(500, at_ms(0)), Some(Duration::from_millis(500)));
        assert_eq!(bucket.wait(500, at_ms(499)), Some(Duration::from_millis(1)));
        assert_eq!(bucket.wait(500, at_ms(500)), None);
    }

    #[test]
    fn admits_a_request_larger_than_a_minute_once_and_makes_the_rest_wait_for_it() {
        let mut bucket = TokenBucket::new(1_000);

        assert_eq!(bucket.wait(3_000, at_ms(0)), None);
        bucket.take(3_000, at_ms(0));

        assert_eq!(bucket.wait(1, at_ms(120_000)), Some(Duration::from_millis(60)));
    }

    #[test]
    fn gives_back_what_was_not_used() {
        let mut bucket = TokenBucket::new(1_000);
        bucket.take(1_000, at_ms(0));

        bucket.correct(1_000, 10, at_ms(0));

        assert_eq!(bucket.wait(990, at_ms(0)), None);
        assert!(bucket.wait(991, at_ms(0)).is_some());
    }

    #[test]
    fn survives_absurd_numbers() {
        let mut bucket = TokenBucket::new(u32::MAX);

        bucket.take(u64::MAX, at_ms(0));
        bucket.correct(0, u64::MAX, Moment::from_start(Duration::MAX));

        assert!(bucket.wait(u64::MAX, at_ms(0)).is_some());
        assert!(TokenBucket::new(0).wait(1, at_ms(0)).is_some());
    }

    proptest! {
        /// Requests arrive as fast as they are admitted, each wrong about its tokens by up to ten times either way.
        #[test]
        fn keeps_ten_minutes_within_the_limit_however_wrong_the_estimates(
            per_minute in 1_000u32..100_000,
            requests in prop::collection::vec((1u64..2_000, 1u64..=10, any::<bool>()), 2_000),
        ) {
            let mut bucket = TokenBucket::new(per_minute);
            let (mut now, mut used, mut largest) = (at_ms(0), 0, 0);
            for (estimate, factor, is_low) in requests {
                now = now + bucket.wait(estimate, now).unwrap_or_default();
                if now >= at_ms(600_000) {
                    break;
                }
                let actual = if is_low { estimate * factor } else { estimate.div_ceil(factor) };
                bucket.take(estimate, now);
                bucket.correct(estimate, actual, now);
                used += actual;
                largest = largest.max(actual);
            }

            let burst = u64::from(per_minute) + largest;
            prop_assert!(used <= 10 * u64::from(per_minute) + burst, "{} of {}", used, per_minute);
        }

        #[test]
        fn admits_exactly_at_the_told_time(per_minute in 1u32..1_000_000, took in 1u64..5_000_000, needs in 1u64..2_000_000) {
            let mut bucket = TokenBucket::new(per_minute);
            bucket.take(took, at_ms(0));

            if let Some(wait) = bucket.wait(needs, at_ms(0)) {
                let early = at_ms(0) + (wait - Duration::from_nanos(1));
                prop_assert!(bucket.clone().wait(needs, early).is_some());
                prop_assert_eq!(bucket.wait(needs, at_ms(0) + wait), None);
            }
        }
    }
}
