//! So much a minute or a day, evenly, with a reserve for bursts: the generic cell rate algorithm, a cell of one number.

use std::time::Duration;

use super::span::Span;
use crate::clock::Moment;

/// A reserve of `burst` that flows back evenly, `per` in a span. Taken by estimate and corrected once the real number is known;
/// it may owe, so that a wrong estimate is made good later.
///
/// What is kept is the moment at which the reserve is full again, in nanoseconds since the clock's start. Not the crate
/// `governor`: there nothing can be given back, nor be owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    full_at: u64,
    per: u32,
    burst: u32,
    span: Span,
    pub(super) counts: Counts,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Each request as one.
    Requests,
    /// Tokens, of input and output.
    Tokens,
}

impl Pace {
    /// A full reserve.
    pub(super) fn new(counts: Counts, per: u32, span: Span, burst: u32) -> Self {
        Self { full_at: 0, per, burst, span, counts }
    }

    /// How long until so much is there once so much `ahead` of it has been taken, if nobody else takes any; `None` is now.
    ///
    /// What is more than the reserve waits until that is full, and leaves it owing.
    pub(super) fn wait(&self, ahead: u64, amount: u64, now: Moment) -> Option<Duration> {
        if self.per == 0 || self.burst == 0 {
            return Some(self.span.length());
        }
        let now = nanos(now);
        // As long as it takes one by one: rounding must not keep the last of a burst back.
        let reserve = self.cost(1).saturating_mul(self.burst.into());
        let needs = self.cost(ahead).saturating_add(self.cost(amount.min(self.burst.into())));
        let after = self.full_at.max(now).saturating_add(needs);
        let wait = after.saturating_sub(now.saturating_add(reserve));
        (wait > 0).then(|| Duration::from_nanos(wait))
    }

    /// Takes so much, whether it is there or not.
    pub(super) fn take(&mut self, amount: u64, now: Moment) {
        self.full_at = self.full_at.max(nanos(now)).saturating_add(self.cost(amount));
    }

    /// Replaces what was taken by what was used.
    pub(super) fn correct(&mut self, taken: u64, used: u64, now: Moment) {
        let (taken, used) = (self.cost(taken), self.cost(used));
        self.full_at = match used.checked_sub(taken) {
            Some(0) => self.full_at,
            Some(more) => self.full_at.max(nanos(now)).saturating_add(more),
            None => self.full_at.saturating_sub(taken - used),
        };
    }

    /// The nanoseconds in which so much flows back, rounded up.
    fn cost(&self, amount: u64) -> u64 {
        let nanos = (u128::from(amount) * u128::from(self.span.nanos())).div_ceil(u128::from(self.per.max(1)));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

fn nanos(moment: Moment) -> u64 {
    u64::try_from(moment.since(Moment::START).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    fn tokens(per_minute: u32) -> Pace {
        Pace::new(Counts::Tokens, per_minute, Span::Minute, per_minute)
    }

    fn requests(per_minute: u32, burst: u32) -> Pace {
        Pace::new(Counts::Requests, per_minute, Span::Minute, burst)
    }

    #[test]
    fn tells_exactly_how_long_to_wait() {
        let mut pace = tokens(60_000);
        pace.take(60_000, at_ms(0));

        assert_eq!(pace.wait(0, 500, at_ms(0)), Some(Duration::from_millis(500)));
        assert_eq!(pace.wait(0, 500, at_ms(499)), Some(Duration::from_millis(1)));
        assert_eq!(pace.wait(0, 500, at_ms(500)), None);
    }

    #[test]
    fn spaces_what_goes_beyond_the_burst_evenly() {
        let mut pace = requests(60, 2);
        let mut sent = Vec::new();

        for ms in (0..4_000).step_by(50) {
            if pace.wait(0, 1, at_ms(ms)).is_none() {
                pace.take(1, at_ms(ms));
                sent.push(ms);
            }
        }

        assert_eq!(sent, [0, 50, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn lets_a_whole_burst_through_whatever_the_rounding() {
        for per in [1, 3, 7, 60, 997, 1_000_003] {
            let mut pace = requests(per, per.min(1_000));

            for sent in 0..per.min(1_000) {
                assert_eq!(pace.wait(0, 1, at_ms(9)), None, "{sent} of {per}");
                pace.take(1, at_ms(9));
            }
            assert!(pace.wait(0, 1, at_ms(9)).is_some(), "{per}");
        }
    }

    #[test]
    fn admits_an_amount_larger_than_its_reserve_once_and_makes_the_rest_wait_for_it() {
        let mut pace = tokens(1_000);

        assert_eq!(pace.wait(0, 3_000, at_ms(0)), None);
        pace.take(3_000, at_ms(0));

        assert_eq!(pace.wait(0, 1, at_ms(120_000)), Some(Duration::from_millis(60)));
    }

    #[test]
    fn tells_those_behind_others_when_their_turn_will_be() {
        let mut pace = requests(60, 1);
        pace.take(1, at_ms(0));

        let waits = [0, 1, 5].map(|ahead| pace.wait(ahead, 1, at_ms(0)).unwrap().as_secs());

        assert_eq!(waits, [1, 2, 6]);
    }

    #[test]
    fn gives_back_what_was_not_used() {
        let mut pace = tokens(1_000);
        pace.take(1_000, at_ms(0));

        pace.correct(1_000, 10, at_ms(0));

        assert_eq!(pace.wait(0, 990, at_ms(0)), None);
        assert!(pace.wait(0, 991, at_ms(0)).is_some());
    }

    #[test]
    fn survives_absurd_numbers() {
        let mut pace = tokens(u32::MAX);

        pace.take(u64::MAX, at_ms(0));
        pace.correct(0, u64::MAX, Moment::from_start(Duration::MAX));
        pace.correct(u64::MAX, 0, at_ms(0));

        assert!(tokens(0).wait(0, 1, at_ms(0)).is_some());
        assert!(pace.wait(u64::MAX, u64::MAX, at_ms(0)).is_some());
    }

    /// The same as a level that is filled and emptied, in whole numbers of tokens times nanoseconds of a minute.
    struct Level {
        per: i128,
        level: i128,
        seen: u64,
    }

    impl Level {
        const MINUTE: i128 = 60_000_000_000;

        fn at(&mut self, ms: u64) -> i128 {
            let flow = i128::from(ms - self.seen) * 1_000_000 * self.per;
            self.level = (self.level + flow).min(self.per * Self::MINUTE);
            self.seen = ms;
            self.level
        }

        fn add(&mut self, tokens: i128) {
            self.level = (self.level + tokens * Self::MINUTE).min(self.per * Self::MINUTE);
        }
    }

    proptest! {
        /// Requests arrive as fast as they are admitted, each wrong about its tokens by up to ten times either way.
        #[test]
        fn keeps_ten_minutes_within_the_limit_however_wrong_the_estimates(
            per_minute in 1_000u32..100_000,
            requests in prop::collection::vec((1u64..2_000, 1u64..=10, any::<bool>()), 2_000),
        ) {
            let mut pace = tokens(per_minute);
            let (mut now, mut used, mut largest) = (at_ms(0), 0, 0);
            for (estimate, factor, is_low) in requests {
                now = now + pace.wait(0, estimate, now).unwrap_or_default();
                if now >= at_ms(600_000) {
                    break;
                }
                let actual = if is_low { estimate * factor } else { estimate.div_ceil(factor) };
                pace.take(estimate, now);
                pace.correct(estimate, actual, now);
                used += actual;
                largest = largest.max(actual);
            }

            let burst = u64::from(per_minute) + largest;
            prop_assert!(used <= 10 * u64::from(per_minute) + burst, "{} of {}", used, per_minute);
        }

        #[test]
        fn admits_exactly_at_the_told_time(per_minute in 1u32..1_000_000, took in 1u64..5_000_000, needs in 1u64..2_000_000) {
            let mut pace = tokens(per_minute);
            pace.take(took, at_ms(0));

            if let Some(wait) = pace.wait(0, needs, at_ms(0)) {
                let early = at_ms(0) + (wait - Duration::from_nanos(1));
                prop_assert!(pace.wait(0, needs, early).is_some());
                prop_assert_eq!(pace.wait(0, needs, at_ms(0) + wait), None);
            }
        }

        #[test]
        fn never_sends_more_than_a_minutes_and_the_burst_in_any_sliding_minute(
            rpm in 1u32..80, burst in 1u32..80, gaps in prop::collection::vec(0u64..1_500, 1..400),
        ) {
            let burst = burst.min(rpm);
            let mut pace = requests(rpm, burst);
            let (mut ms, mut sent) = (0, Vec::new());
            for gap in gaps {
                ms += gap;
                if pace.wait(0, 1, at_ms(ms)).is_none() {
                    pace.take(1, at_ms(ms));
                    sent.push(ms);
                }
            }

            let most = sent.iter().map(|start| sent.iter().filter(|ms| (*start..start + 60_000).contains(ms)).count()).max();
            prop_assert!(most.unwrap_or(0) < (rpm + burst) as usize, "{:?} of {} and {}", most, rpm, burst);
        }

        /// Against a bucket with a level: the same answers, but for the rounding of a nanosecond a step.
        #[test]
        fn says_what_a_bucket_would(
            per in 1_000u32..50_000,
            steps in prop::collection::vec((0u64..20_000, 1u64..4_000, prop::option::of(0u64..8_000)), 1..200),
        ) {
            let mut pace = tokens(per);
            let mut level = Level { per: i128::from(per), level: i128::from(per) * Level::MINUTE, seen: 0 };
            let mut ms = 0;
            for (gap, amount, used) in steps {
                ms += gap;
                let missing = i128::from(amount.min(per.into())) * Level::MINUTE - level.at(ms);
                let wait = pace.wait(0, amount, at_ms(ms)).map_or(0, |wait| wait.as_nanos());
                let expected = u128::try_from(missing.max(0)).unwrap().div_ceil(u128::from(per));
                prop_assert!(wait.abs_diff(expected) <= 100_000, "{} where a bucket says {}", wait, expected);
                pace.take(amount, at_ms(ms));
                level.add(-i128::from(amount));
                if let Some(used) = used {
                    pace.correct(amount, used, at_ms(ms));
                    level.add(i128::from(amount) - i128::from(used));
                }
            }
        }
    }
}
