//! What may be spent: by one request, in one day, in one month (UTC).

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::period::{BudgetAlert, BudgetScope, BudgetStatus, Certainty, OverBudget, Period, fits};
use crate::config::BudgetConfig;
use crate::types::NanoUsd;

/// Money set aside for one request: spent by value, so that it is settled or given back once.
#[derive(Debug)]
#[must_use]
pub(super) struct Reservation {
    amount: NanoUsd,
    day: i64,
    month: i64,
}

/// The budgets, and what is spent and reserved of them.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    per_request: Option<NanoUsd>,
    day: Option<Period>,
    month: Option<Period>,
    /// Days since 1970 and months since the year 0. They only go up: a clock that is set back opens no new period.
    today: i64,
    this_month: i64,
}

impl Budget {
    /// The budgets with nothing spent; `None` where none is set.
    pub(super) fn new(config: &BudgetConfig) -> Option<Self> {
        let period = |scope, limit: Option<NanoUsd>| limit.map(|limit| Period::new(scope, limit, config.alert_at));
        let (day, month) = (period(BudgetScope::Day, config.daily), period(BudgetScope::Month, config.monthly));
        let is_set = config.per_request.is_some() || day.is_some() || month.is_some();
        is_set.then_some(Self { per_request: config.per_request, day, month, today: i64::MIN, this_month: i64::MIN })
    }

    /// Whether a request that may cost so much fits. `so_far` is what its earlier attempts cost.
    ///
    /// # Errors
    /// The narrowest budget it does not fit.
    pub(super) fn check(&mut self, amount: NanoUsd, so_far: NanoUsd, wall: Timestamp) -> Result<(), OverBudget> {
        self.turn_over(wall);
        // What costs nothing can break no budget, not even one that is overrun: a local model goes on serving.
        if amount == NanoUsd::ZERO {
            return Ok(());
        }
        if let Some(limit) = self.per_request {
            fits(BudgetScope::Request, limit, so_far, amount)?;
        }
        for period in self.periods() {
            fits(period.status.scope, period.status.limit, period.committed(), amount)?;
        }
        Ok(())
    }

    /// Sets so much aside in every budget, or in none.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(super) fn reserve(
        &mut self,
        amount: NanoUsd,
        so_far: NanoUsd,
        wall: Timestamp,
    ) -> Result<Reservation, OverBudget> {
        self.check(amount, so_far, wall)?;
        for period in self.periods() {
            period.status.reserved = period.status.reserved.saturating_add(amount);
        }
        Ok(Reservation { amount, day: self.today, month: self.this_month })
    }

    /// Posts what it cost in full, even where that is more than was set aside, to the periods it was reserved in.
    pub(super) fn settle(&mut self, reservation: Reservation, cost: NanoUsd, certainty: Certainty) -> Vec<BudgetAlert> {
        let live = self.live(&reservation);
        live.filter_map(|period| period.post(reservation.amount, cost, certainty)).collect()
    }

    /// Gives back what was set aside: nothing was sent.
    pub(super) fn void(&mut self, reservation: Reservation) {
        for period in self.live(&reservation) {
            period.status.reserved = period.status.reserved.saturating_sub(reservation.amount);
        }
    }

    /// Goes by another's limits from now on; what is spent and reserved stays.
    pub(super) fn take_limits(&mut self, other: &Self) {
        self.per_request = other.per_request;
        self.day = Period::under(self.day.take(), other.day.clone());
        self.month = Period::under(self.month.take(), other.month.clone());
    }

    /// How the daily and monthly budgets stand.
    pub(super) fn status(&mut self, wall: Timestamp) -> Vec<BudgetStatus> {
        self.turn_over(wall);
        self.periods().map(|period| period.status).collect()
    }

    fn periods(&mut self) -> impl Iterator<Item = &mut Period> {
        self.day.iter_mut().chain(&mut self.month)
    }

    // The periods a reservation was made in that have not ended yet: each cost counts in one day and in one month.
    fn live(&mut self, reservation: &Reservation) -> impl Iterator<Item = &mut Period> {
        let is_today = reservation.day == self.today;
        let is_this_month = reservation.month == self.this_month;
        let day = self.day.iter_mut().filter(move |_| is_today);
        day.chain(self.month.iter_mut().filter(move |_| is_this_month))
    }

    fn turn_over(&mut self, wall: Timestamp) {
        let today = wall.as_second().div_euclid(86_400);
        if today <= self.today {
            return;
        }
        self.today = today;
        self.day.iter_mut().for_each(Period::begin);
        let date = wall.to_zoned(TimeZone::UTC).date();
        let month = i64::from(date.year()) * 12 + i64::from(date.month());
        if month > self.this_month {
            self.this_month = month;
            self.month.iter_mut().for_each(Period::begin);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    const ZERO: NanoUsd = NanoUsd::ZERO;

    fn cents(cents: u64) -> NanoUsd {
        NanoUsd::from_nanos(cents * 10_000_000)
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn noon() -> Timestamp {
        time("2026-03-31T12:00:00Z")
    }

    fn daily(limit: NanoUsd) -> Budget {
        Budget::new(&BudgetConfig { daily: Some(limit), alert_at: Some(0.8), ..BudgetConfig::default() }).unwrap()
    }

    fn spend(budget: &mut Budget, cost: NanoUsd, wall: Timestamp) -> Vec<BudgetAlert> {
        let reservation = budget.reserve(cost, ZERO, wall).unwrap();
        budget.settle(reservation, cost, Certainty::Known)
    }

    #[test]
    fn is_not_there_where_no_limit_is_set() {
        assert!(Budget::new(&BudgetConfig { alert_at: Some(0.8), ..BudgetConfig::default() }).is_none());
    }

    #[test]
    fn admits_exactly_as_many_of_32_at_once_as_fit() {
        let budget = Mutex::new(daily(cents(100)));

        let admitted = std::thread::scope(|scope| {
            let reserve = || budget.lock().unwrap().reserve(cents(10), ZERO, noon()).map(std::mem::forget).is_ok();
            let threads: Vec<_> = (0..32).map(|_| scope.spawn(reserve)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|admitted| *admitted).count()
        });

        assert_eq!(admitted, 10);
    }

    #[test]
    fn refuses_what_does_not_fit_and_says_so_in_figures() {
        let mut budget = daily(cents(5));

        let refused = budget.reserve(cents(10), ZERO, noon()).unwrap_err();

        assert_eq!(refused.to_string(), "the daily budget of $0.05 has $0.05 left and the request may cost $0.10");
    }

    #[test]
    fn sets_nothing_aside_anywhere_when_one_budget_refuses() {
        let config = BudgetConfig { daily: Some(cents(100)), monthly: Some(cents(5)), ..BudgetConfig::default() };
        let mut budget = Budget::new(&config).unwrap();

        assert_eq!(budget.reserve(cents(10), ZERO, noon()).unwrap_err().scope, BudgetScope::Month);

        assert!(budget.status(noon()).iter().all(|status| status.reserved == ZERO));
    }

    #[test]
    fn counts_what_the_earlier_attempts_of_a_request_cost() {
        let config = BudgetConfig { per_request: Some(cents(10)), ..BudgetConfig::default() };
        let mut budget = Budget::new(&config).unwrap();

        assert_eq!(budget.check(cents(6), cents(4), noon()), Ok(()));
        assert!(budget.check(cents(6), cents(5), noon()).is_err());
    }

    #[test]
    fn makes_what_was_not_used_free_for_the_next() {
        let mut budget = daily(cents(10));
        let reservation = budget.reserve(cents(10), ZERO, noon()).unwrap();
        assert!(budget.check(cents(1), ZERO, noon()).is_err());

        let _ = budget.settle(reservation, cents(2), Certainty::Known);

        assert_eq!(budget.check(cents(8), ZERO, noon()), Ok(()));
    }

    #[test]
    fn posts_an_overrun_in_full_and_blocks_what_costs_until_the_period_ends() {
        let mut budget = daily(cents(10));
        let reservation = budget.reserve(cents(10), ZERO, noon()).unwrap();

        let _ = budget.settle(reservation, cents(25), Certainty::Known);

        assert_eq!(budget.status(noon())[0].spent, cents(25));
        assert!(budget.check(NanoUsd::from_nanos(1), ZERO, noon()).is_err());
        assert_eq!(budget.check(ZERO, ZERO, noon()), Ok(()), "a free target");
        assert_eq!(budget.check(cents(10), ZERO, time("2026-04-01T00:00:00Z")), Ok(()));
    }

    #[test]
    fn alerts_once_at_the_share_asked_for() {
        let mut budget = daily(cents(100));

        assert_eq!(spend(&mut budget, cents(79), noon()), []);
        let alert = BudgetAlert { scope: BudgetScope::Day, limit: cents(100), spent: cents(80) };
        assert_eq!(spend(&mut budget, cents(1), noon()), [alert]);
        assert_eq!(spend(&mut budget, cents(1), noon()), []);
    }

    #[test]
    fn counts_a_request_that_straddles_midnight_in_the_day_it_began() {
        let config = BudgetConfig { daily: Some(cents(10)), monthly: Some(cents(100)), ..BudgetConfig::default() };
        let mut budget = Budget::new(&config).unwrap();
        let (before, after) = (time("2026-03-30T23:59:59Z"), time("2026-03-31T00:00:01Z"));
        let reservation = budget.reserve(cents(10), ZERO, before).unwrap();

        assert_eq!(budget.check(cents(10), ZERO, after), Ok(()), "a new day");
        let _ = budget.settle(reservation, cents(10), Certainty::Known);

        let spent: Vec<NanoUsd> = budget.status(after).iter().map(|status| status.spent).collect();
        assert_eq!(spent, [ZERO, cents(10)], "day and month");
    }

    #[test]
    fn opens_no_new_period_for_a_clock_that_is_set_back() {
        let mut budget = daily(cents(10));
        spend(&mut budget, cents(10), time("2026-03-31T00:30:00Z"));

        for wall in ["2026-03-30T23:30:00Z", "2026-03-31T00:30:00Z"] {
            assert!(budget.check(cents(1), ZERO, time(wall)).is_err(), "{wall}");
        }
    }

    #[test]
    fn refuses_sums_that_do_not_fit_the_type() {
        let mut budget = daily(NanoUsd::from_nanos(u64::MAX));
        spend(&mut budget, NanoUsd::from_nanos(u64::MAX), noon());

        assert!(budget.reserve(cents(1), ZERO, noon()).is_err());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reserve(u64),
        Settle(prop::sample::Index, u64),
        Void(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let index = any::<prop::sample::Index>;
        let step = prop_oneof![
            3 => (0u64..400).prop_map(Step::Reserve),
            2 => (index(), 0u64..500).prop_map(|(place, cost)| Step::Settle(place, cost)),
            1 => index().prop_map(Step::Void),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn adds_up_to_the_nano_dollar(steps in steps(), limit in 1u64..2_000) {
            let mut budget = daily(NanoUsd::from_nanos(limit));
            let (mut held, mut spent): (Vec<(Reservation, u64)>, u64) = (Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Reserve(amount) => {
                        let sum = spent + held.iter().map(|(_, amount)| amount).sum::<u64>() + amount;
                        let reserved = budget.reserve(NanoUsd::from_nanos(amount), ZERO, noon());
                        prop_assert_eq!(reserved.is_ok(), amount == 0 || sum <= limit);
                        held.extend(reserved.ok().map(|reservation| (reservation, amount)));
                    }
                    Step::Settle(place, cost) if !held.is_empty() => {
                        let (reservation, _) = held.swap_remove(place.index(held.len()));
                        let _ = budget.settle(reservation, NanoUsd::from_nanos(cost), Certainty::Known);
                        spent += cost;
                    }
                    Step::Void(place) if !held.is_empty() => {
                        let (reservation, _) = held.swap_remove(place.index(held.len()));
                        budget.void(reservation);
                    }
                    Step::Settle(..) | Step::Void(_) => {}
                }
                let status = budget.status(noon())[0];
                prop_assert_eq!(status.spent.nanos(), spent);
                prop_assert_eq!(status.reserved.nanos(), held.iter().map(|(_, amount)| amount).sum::<u64>());
            }
        }
    }
}
