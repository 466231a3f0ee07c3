//! What retries, or hedges, may add to the load, all requests together.

use std::time::Duration;

use crate::clock::Moment;

/// One retry, in the budget's own unit.
const RETRY: u64 = 1_000_000_000;

/// What quiet times may save up beyond the floor: a long calm must not pay for a storm.
const MOST_SAVED: u64 = 100 * RETRY;

/// A balance that every request raises a little, that comes back to its floor at one a second, and that retries draw on.
#[derive(Debug, Clone)]
pub(super) struct RetryBudget {
    per_request: u64,
    floor: u64,
    balance: u64,
    seen: Moment,
}

impl RetryBudget {
    /// A share of all requests, a floor, and nothing saved yet.
    pub(super) fn new(ratio: f64, floor: u32) -> Self {
        let floor = u64::from(floor).saturating_mul(RETRY);
        Self { per_request: share(ratio), floor, balance: floor, seen: Moment::START }
    }

    /// A request begins.
    pub(super) fn fill(&mut self, now: Moment) {
        self.refill(now);
        let most = self.floor.saturating_add(MOST_SAVED);
        self.balance = self.balance.saturating_add(self.per_request).min(most);
    }

    /// Whole retries that are left.
    pub(super) fn left(&mut self, now: Moment) -> u32 {
        self.refill(now);
        u32::try_from(self.balance / RETRY).unwrap_or(u32::MAX)
    }

    /// Draws one retry, where one is left.
    pub(super) fn draw(&mut self, now: Moment) -> Option<Drawn> {
        self.refill(now);
        self.balance = self.balance.checked_sub(RETRY)?;
        Some(Drawn)
    }

    /// Takes back a retry that was never sent.
    pub(super) fn undo(&mut self, _drawn: Drawn) {
        self.balance = self.balance.saturating_add(RETRY);
    }

    fn refill(&mut self, now: Moment) {
        let passed = u64::try_from(now.since(self.seen).as_nanos()).unwrap_or(u64::MAX);
        self.seen = self.seen.max(now);
        if self.balance < self.floor {
            // One retry is a thousand million and so is one second's nanoseconds: one a second is one for one.
            self.balance = self.balance.saturating_add(passed).min(self.floor);
        }
    }
}

/// Proof that one was drawn.
#[derive(Debug)]
#[must_use]
pub(super) struct Drawn;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between nothing and one retry")]
fn share(ratio: f64) -> u64 {
    // Written so that a ratio that is no number is no retries.
    if ratio > 0.0 { (ratio.min(1.0) * RETRY as f64) as u64 } else { 0 }
}

const _: () = assert!(RETRY as u128 == Duration::from_secs(1).as_nanos());

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    fn drawn_at_once(budget: &mut RetryBudget, now: Moment) -> usize {
        std::iter::from_fn(|| budget.draw(now)).take(1_000_000).count()
    }

    #[test]
    fn has_its_floor_from_the_start() {
        let mut budget = RetryBudget::new(0.1, 10);

        assert_eq!(budget.left(at_ms(0)), 10);
        assert_eq!(drawn_at_once(&mut budget, at_ms(0)), 10);
    }

    #[test]
    fn gives_one_retry_for_ten_requests() {
        let mut budget = RetryBudget::new(0.1, 0);

        for _ in 0..9 {
            budget.fill(at_ms(0));
        }
        assert_eq!(budget.left(at_ms(0)), 0);
        budget.fill(at_ms(0));

        assert_eq!(drawn_at_once(&mut budget, at_ms(0)), 1);
    }

    #[test]
    fn comes_back_to_its_floor_at_one_a_second_and_no_further() {
        let mut budget = RetryBudget::new(0.1, 3);
        drawn_at_once(&mut budget, at_ms(0));

        assert_eq!(budget.left(at_ms(999)), 0);
        assert_eq!(budget.left(at_ms(1_000)), 1);
        assert_eq!(budget.left(at_ms(60_000)), 3);
    }

    #[test]
    fn saves_only_so_much_in_quiet_times() {
        let mut budget = RetryBudget::new(0.1, 10);

        for _ in 0..1_000_000 {
            budget.fill(at_ms(0));
        }

        assert_eq!(budget.left(at_ms(0)), 110);
    }

    #[test]
    fn takes_back_a_retry_that_was_never_sent() {
        let mut budget = RetryBudget::new(0.0, 1);
        let drawn = budget.draw(at_ms(0)).unwrap();
        assert!(budget.draw(at_ms(0)).is_none());

        budget.undo(drawn);

        assert_eq!(budget.left(at_ms(0)), 1);
    }

    #[test]
    fn gives_nothing_for_a_ratio_that_is_no_number() {
        for ratio in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            let mut budget = RetryBudget::new(ratio, 0);
            budget.fill(at_ms(0));
            assert_eq!(budget.left(at_ms(0)), 0, "{ratio}");
        }
    }

    proptest! {
        #[test]
        fn never_gives_more_than_its_rules_allow(
            floor in 0u32..20,
            steps in prop::collection::vec((0u64..500, 0u32..5, 0u32..5), 0..400),
        ) {
            let mut budget = RetryBudget::new(0.1, floor);
            let (mut ms, mut requests, mut retries) = (0u64, 0u32, 0u32);
            for (gap, arrive, wish) in steps {
                ms += gap;
                (0..arrive).for_each(|_| budget.fill(at_ms(ms)));
                requests += arrive;
                retries += (0..wish).filter_map(|_| budget.draw(at_ms(ms))).map(|_drawn| 1).sum::<u32>();

                let allowed = u64::from(floor) * 1_000 + if floor > 0 { ms } else { 0 } + u64::from(requests) * 100;
                prop_assert!(u64::from(retries) * 1_000 <= allowed, "{} retries of {} allowed thousandths", retries, allowed);
            }
        }
    }
}
