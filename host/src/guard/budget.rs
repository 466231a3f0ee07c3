//! What may be spent: by one request, in one day, in one month; by everybody, and by each route, provider, key and label.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::payer::Spender;
use super::period::{BudgetAlert, BudgetStatus, Certainty, Period, Unfunded};
use super::scope_book::{Beginning, ScopeBook, ScopeId};
use super::slice::Funds;
use crate::accounting::{Account, Ask, Back, Calendar, Lent, Scope, Slice, Turned, Window};
use crate::config::{BudgetConfig, Config, SpendLimits};
use crate::types::{KeyAccount, NanoUsd};

/// Money set aside for one request: spent by value, so that it is settled or given back once.
#[derive(Debug)]
#[must_use]
pub(super) struct Reservation {
    amount: NanoUsd,
    /// The day it counts in.
    pub(super) day: i32,
    /// Whether any budget counts it.
    pub(super) is_limited: bool,
    parts: Vec<Part>,
}

/// A reservation in one period. The period that has this very account is the one it was made in.
#[derive(Debug)]
struct Part {
    scope: ScopeId,
    account: Arc<Account>,
}

/// What a settled reservation came to.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) day: i32,
    pub(super) alerts: Vec<BudgetAlert>,
    /// The accounts it was reserved from.
    pub(super) held: Vec<Arc<Account>>,
}

/// The budgets, and what is spent and reserved of them.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    books: Vec<ScopeBook>,
    ids: HashMap<Scope, ScopeId>,
    calendar: Calendar,
    alert_at: Option<f64>,
    funds: Funds,
    /// Why nothing can be entered any more, while that lasts.
    shut: Option<Arc<str>>,
    /// What is left of periods that are over.
    rests: Vec<Slice>,
}

impl Budget {
    /// The budgets of a configuration with nothing spent.
    pub(super) fn of(config: &Config) -> Self {
        let mut budget = Self::new(&config.budget);
        for (name, route) in &config.routes {
            budget.limit(Scope::Route(name.as_str().into()), route.budget);
        }
        for (name, provider) in &config.providers {
            budget.limit(Scope::Provider(name.as_str().into()), provider.budget);
        }
        budget
    }

    /// The budgets of the table `[budget]` alone.
    pub(super) fn new(config: &BudgetConfig) -> Self {
        let mut budget = Self {
            books: vec![ScopeBook::new(Scope::Everything)],
            ids: HashMap::from([(Scope::Everything, ScopeId::EVERYTHING)]),
            calendar: Calendar::new(config.time_zone.clone()),
            alert_at: config.alert_at,
            funds: Funds::default(),
            shut: None,
            rests: Vec::new(),
        };
        budget.limit(Scope::Everything, config.limits());
        for (label, limits) in &config.labels {
            budget.limit(Scope::Label(label.as_str().into()), *limits);
        }
        budget
    }

    /// The budgets a request draws on besides everybody's: its route's, its key's and its labels'.
    pub(super) fn scopes(
        &mut self,
        route: &Arc<str>,
        key: Option<&KeyAccount>,
        labels: &[(String, String)],
    ) -> Box<[ScopeId]> {
        let mut scopes: Vec<ScopeId> = self.ids.get(&Scope::Route(Arc::clone(route))).copied().into_iter().collect();
        if let Some(KeyAccount { name, daily, monthly }) = key {
            let limits = SpendLimits { per_request: None, daily: *daily, monthly: *monthly };
            let scope = Scope::Key(Arc::clone(name));
            let known = self.ids.get(&scope).and_then(|id| self.books.get(id.0)).map(|book| book.limits);
            if known.unwrap_or_default() != limits {
                self.limit(scope.clone(), limits);
            }
            scopes.extend(self.ids.get(&scope));
        }
        if self.books.iter().any(|book| matches!(book.scope, Scope::Label(_))) {
            let label = |(name, text): &(String, String)| Scope::Label(format!("{name}={text}").into());
            scopes.extend(labels.iter().filter_map(|pair| self.ids.get(&label(pair))));
        }
        // A label that is there twice counts once.
        scopes.sort_unstable();
        scopes.dedup();
        scopes.into_boxed_slice()
    }

    /// The budget of a provider, where it has one.
    pub(super) fn provider(&self, name: &str) -> Option<ScopeId> {
        self.ids.get(&Scope::Provider(name.into())).copied()
    }

    /// Whether anything limits what is spent.
    pub(super) fn is_limited(&self, spender: Spender<'_>) -> bool {
        spender.scopes().filter_map(|scope| self.books.get(scope.0)).any(|book| !book.limits.are_none())
    }

    /// Whether a request that may cost so much fits. `so_far` is what its earlier attempts cost.
    ///
    /// # Errors
    /// The first budget it does not fit, everybody's first and the narrowest of each first; else what stands in the way.
    pub(super) fn check(
        &mut self,
        spender: Spender<'_>,
        amount: NanoUsd,
        so_far: NanoUsd,
        wall: Timestamp,
    ) -> Result<(), Unfunded> {
        self.turn_over(wall);
        // What costs nothing can break no budget, not even one that is overrun: a local model goes on serving.
        if amount == NanoUsd::ZERO {
            return Ok(());
        }
        let (mut is_short, mut is_limited) = (false, false);
        for book in spender.scopes().filter_map(|scope| self.books.get(scope.0)) {
            is_limited |= !book.limits.are_none();
            book.check_request(amount, so_far)?;
            for period in book.periods() {
                match period.check(amount) {
                    Err(Unfunded::Short) => is_short = true,
                    checked => checked?,
                }
            }
        }
        match self.shut {
            Some(_) if is_limited => Err(Unfunded::Shut),
            Some(_) | None if is_short => Err(Unfunded::Short),
            Some(_) | None => Ok(()),
        }
    }

    /// Sets so much aside in every budget, or in none.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(super) fn reserve(
        &mut self,
        spender: Spender<'_>,
        amount: NanoUsd,
        so_far: NanoUsd,
        wall: Timestamp,
    ) -> Result<Reservation, Unfunded> {
        self.check(spender, amount, so_far, wall)?;
        let mut parts = Vec::new();
        for scope in spender.scopes() {
            for period in self.books.get_mut(scope.0).into_iter().flat_map(ScopeBook::periods_mut) {
                period.reserve(amount);
                parts.push(Part { scope, account: Arc::clone(&period.account) });
            }
        }
        Ok(Reservation { amount, day: self.calendar.day(), is_limited: self.is_limited(spender), parts })
    }

    /// Posts what it cost in full, even where that is more than was set aside, to the periods it was reserved in.
    pub(super) fn settle(&mut self, reservation: Reservation, cost: NanoUsd, certainty: Certainty) -> Posted {
        let Reservation { amount, day, parts, .. } = reservation;
        let mut alerts = Vec::new();
        for part in &parts {
            match self.live(part) {
                Some(period) => alerts.extend(period.post(amount, cost, certainty)),
                None => self.leave(&part.account, amount.saturating_sub(cost)),
            }
        }
        Posted { day, alerts, held: parts.into_iter().map(|part| part.account).collect() }
    }

    /// Gives back what was set aside: nothing was sent.
    pub(super) fn void(&mut self, reservation: Reservation) {
        for part in &reservation.parts {
            match self.live(part) {
                Some(period) => period.void(reservation.amount),
                None => self.leave(&part.account, reservation.amount),
            }
        }
    }

    /// Goes by another's limits from now on; what is spent and reserved stays. Keys keep their own.
    pub(super) fn take_limits(&mut self, other: &Self) {
        self.alert_at = other.alert_at;
        self.calendar.move_to(other.calendar.zone().clone());
        let configured = self.books.iter().map(|book| &book.scope).filter(|scope| !matches!(scope, Scope::Key(_)));
        let gone: Vec<Scope> = configured.filter(|scope| !other.ids.contains_key(*scope)).cloned().collect();
        gone.into_iter().for_each(|scope| self.limit(scope, SpendLimits::default()));
        other.books.iter().for_each(|book| self.limit(book.scope.clone(), book.limits));
    }

    /// How everybody's daily and monthly budgets stand.
    pub(super) fn status(&mut self, wall: Timestamp) -> Vec<BudgetStatus> {
        self.turn_over(wall);
        self.books.first().into_iter().flat_map(ScopeBook::periods).map(Period::status).collect()
    }

    /// How the budgets of routes, providers, keys and labels stand.
    pub(super) fn scoped_status(&mut self, wall: Timestamp) -> Vec<(Scope, BudgetStatus)> {
        self.turn_over(wall);
        let of = |book: &ScopeBook| {
            let scope = book.scope.clone();
            book.periods().map(move |period| (scope.clone(), period.status())).collect::<Vec<_>>()
        };
        self.books.iter().skip(1).flat_map(of).collect()
    }

    /// Has the money lent by a ledger from now on: what was spent before stays, and nothing is at hand. Returns what to ask the
    /// ledger so as to know how the accounts stand.
    pub(super) fn lend(&mut self, wall: Timestamp) -> Vec<Ask> {
        self.turn_over(wall);
        self.funds = self.funds.lent();
        self.books.iter_mut().flat_map(ScopeBook::periods_mut).for_each(Period::lend);
        self.books.iter().flat_map(ScopeBook::periods).filter_map(Period::question).collect()
    }

    /// What has to be asked for so that so much may be spent.
    pub(super) fn shortages(&mut self, spender: Spender<'_>, amount: NanoUsd, wall: Timestamp) -> Vec<Ask> {
        self.turn_over(wall);
        let books = spender.scopes().filter_map(|scope| self.books.get(scope.0));
        books.flat_map(ScopeBook::periods).filter_map(|period| period.shortage(amount)).collect()
    }

    /// What is to be asked for ahead of time after so much was reserved.
    pub(super) fn thirst(&mut self, spender: Spender<'_>, amount: NanoUsd) -> Vec<Ask> {
        let mut asks = Vec::new();
        if matches!(self.funds, Funds::Own) {
            return asks;
        }
        for scope in spender.scopes() {
            let periods = self.books.get_mut(scope.0).into_iter().flat_map(ScopeBook::periods_mut);
            asks.extend(periods.filter_map(|period| period.thirst(amount)));
        }
        asks
    }

    /// Takes what was lent. For a period that is over it is left to be given back.
    pub(super) fn put(&mut self, lent: &Lent) {
        let book = self.ids.get(&lent.account.scope).and_then(|scope| self.books.get_mut(scope.0));
        let live = book.and_then(|book| book.periods_mut().find(|period| *period.account == *lent.account));
        match live {
            Some(period) => period.put(lent),
            None => self.leave(&lent.account, lent.granted),
        }
    }

    /// Gives back what is lent and not needed, and what is left of periods that are over.
    pub(super) fn give_back(&mut self, which: Back<'_>) -> Vec<Slice> {
        let mut slices = std::mem::take(&mut self.rests);
        for period in self.books.iter_mut().flat_map(ScopeBook::periods_mut) {
            let is_meant = match which {
                Back::Wanted(accounts) => accounts.contains(&period.account),
                Back::Idle => period.is_idle(),
                Back::All => true,
            };
            let amount = if is_meant { period.give_back() } else { NanoUsd::ZERO };
            if amount > NanoUsd::ZERO {
                slices.push(Slice { account: Arc::clone(&period.account), amount });
            }
        }
        slices
    }

    /// Whether there is anything that could be given back.
    pub(super) fn holds_any(&self) -> bool {
        !self.rests.is_empty() || self.books.iter().flat_map(ScopeBook::periods).any(Period::has_rest)
    }

    /// Has nobody spend any more, or all go on.
    pub(super) fn set_shut(&mut self, why: Option<Arc<str>>) {
        self.shut = why;
    }

    fn limit(&mut self, scope: Scope, limits: SpendLimits) {
        let begin = self.beginning();
        let id = match self.ids.get(&scope) {
            Some(id) => *id,
            None if limits.are_none() => return,
            None => {
                let id = ScopeId(self.books.len());
                self.books.push(ScopeBook::new(scope.clone()));
                self.ids.insert(scope, id);
                id
            }
        };
        let Some(book) = self.books.get_mut(id.0) else { return };
        let ended = book.set_limits(limits, &begin);
        ended.into_iter().for_each(|period| self.retire(period));
    }

    fn turn_over(&mut self, wall: Timestamp) {
        let turned = self.calendar.turn(wall);
        let windows: &[Window] = match turned {
            Turned::No => return,
            Turned::Day => &[Window::Day],
            Turned::Month => &[Window::Day, Window::Month],
        };
        let begin = self.beginning();
        let mut ended = Vec::new();
        for book in &mut self.books {
            ended.extend(windows.iter().filter_map(|window| book.begin(*window, &begin)));
        }
        ended.into_iter().for_each(|period| self.retire(period));
    }

    fn retire(&mut self, mut period: Period) {
        let rest = period.give_back();
        self.leave(&period.account, rest);
    }

    /// Leaves what is not needed any more to be given back.
    fn leave(&mut self, account: &Arc<Account>, amount: NanoUsd) {
        if matches!(self.funds, Funds::Lent(_)) && amount > NanoUsd::ZERO {
            self.rests.push(Slice { account: Arc::clone(account), amount });
        }
    }

    /// The period a reservation was made in, where that has not ended yet: each cost counts in one day and in one month.
    fn live(&mut self, part: &Part) -> Option<&mut Period> {
        let mut periods = self.books.get_mut(part.scope.0)?.periods_mut();
        periods.find(|period| Arc::ptr_eq(&period.account, &part.account))
    }

    fn beginning(&self) -> Beginning {
        let funds = match &self.funds {
            Funds::Own => Funds::Own,
            Funds::Lent(_) => Funds::Own.lent(),
        };
        Beginning { day: self.calendar.day(), month: self.calendar.month(), alert_at: self.alert_at, funds }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::super::period::{BudgetScope, OverBudget, Whose};
    use super::*;

    const ZERO: NanoUsd = NanoUsd::ZERO;
    const ALL: Spender<'static> = Spender { payer: None, provider: None };

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
        Budget::new(&BudgetConfig { daily: Some(limit), alert_at: Some(0.8), ..BudgetConfig::default() })
    }

    fn spend(budget: &mut Budget, cost: NanoUsd, wall: Timestamp) -> Vec<BudgetAlert> {
        let reservation = budget.reserve(ALL, cost, ZERO, wall).unwrap();
        budget.settle(reservation, cost, Certainty::Known).alerts
    }

    fn over(refused: Result<Reservation, Unfunded>) -> OverBudget {
        match refused.unwrap_err() {
            Unfunded::Over(over) => over,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lets_everything_through_where_no_limit_is_set() {
        let mut budget = Budget::new(&BudgetConfig { alert_at: Some(0.8), ..BudgetConfig::default() });

        assert!(!budget.is_limited(ALL));
        assert_eq!(spend(&mut budget, NanoUsd::from_nanos(u64::MAX), noon()), []);
        assert_eq!(budget.status(noon()), []);
    }

    #[test]
    fn admits_exactly_as_many_of_32_at_once_as_fit() {
        let budget = Mutex::new(daily(cents(100)));

        let admitted = std::thread::scope(|scope| {
            let reserve = || budget.lock().unwrap().reserve(ALL, cents(10), ZERO, noon()).map(std::mem::forget).is_ok();
            let threads: Vec<_> = (0..32).map(|_| scope.spawn(reserve)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|admitted| *admitted).count()
        });

        assert_eq!(admitted, 10);
    }

    #[test]
    fn refuses_what_does_not_fit_and_says_so_in_figures() {
        let mut budget = daily(cents(5));

        let refused = over(budget.reserve(ALL, cents(10), ZERO, noon()));

        assert_eq!(refused.to_string(), "the daily budget of $0.05 has $0.05 left and the request may cost $0.10");
    }

    #[test]
    fn sets_nothing_aside_anywhere_when_one_budget_refuses() {
        let config = BudgetConfig { daily: Some(cents(100)), monthly: Some(cents(5)), ..BudgetConfig::default() };
        let mut budget = Budget::new(&config);

        assert_eq!(over(budget.reserve(ALL, cents(10), ZERO, noon())).scope, BudgetScope::Month);

        assert!(budget.status(noon()).iter().all(|status| status.reserved == ZERO));
    }

    #[test]
    fn counts_what_the_earlier_attempts_of_a_request_cost() {
        let config = BudgetConfig { per_request: Some(cents(10)), ..BudgetConfig::default() };
        let mut budget = Budget::new(&config);

        assert_eq!(budget.check(ALL, cents(6), cents(4), noon()), Ok(()));
        assert!(budget.check(ALL, cents(6), cents(5), noon()).is_err());
    }

    #[test]
    fn makes_what_was_not_used_free_for_the_next() {
        let mut budget = daily(cents(10));
        let reservation = budget.reserve(ALL, cents(10), ZERO, noon()).unwrap();
        assert!(budget.check(ALL, cents(1), ZERO, noon()).is_err());

        let _ = budget.settle(reservation, cents(2), Certainty::Known);

        assert_eq!(budget.check(ALL, cents(8), ZERO, noon()), Ok(()));
    }

    #[test]
    fn posts_an_overrun_in_full_and_blocks_what_costs_until_the_period_ends() {
        let mut budget = daily(cents(10));
        let reservation = budget.reserve(ALL, cents(10), ZERO, noon()).unwrap();

        let _ = budget.settle(reservation, cents(25), Certainty::Known);

        assert_eq!(budget.status(noon())[0].spent, cents(25));
        assert!(budget.check(ALL, NanoUsd::from_nanos(1), ZERO, noon()).is_err());
        assert_eq!(budget.check(ALL, ZERO, ZERO, noon()), Ok(()), "a free target");
        assert_eq!(budget.check(ALL, cents(10), ZERO, time("2026-04-01T00:00:00Z")), Ok(()));
    }

    #[test]
    fn alerts_once_at_the_share_asked_for() {
        let mut budget = daily(cents(100));

        assert_eq!(spend(&mut budget, cents(79), noon()), []);
        let alert = BudgetAlert { of: Whose::Everything, scope: BudgetScope::Day, limit: cents(100), spent: cents(80) };
        assert_eq!(spend(&mut budget, cents(1), noon()), [alert]);
        assert_eq!(spend(&mut budget, cents(1), noon()), []);
    }

    #[test]
    fn counts_a_request_that_straddles_midnight_in_the_day_it_began() {
        let config = BudgetConfig { daily: Some(cents(10)), monthly: Some(cents(100)), ..BudgetConfig::default() };
        let mut budget = Budget::new(&config);
        let (before, after) = (time("2026-03-30T23:59:59Z"), time("2026-03-31T00:00:01Z"));
        let reservation = budget.reserve(ALL, cents(10), ZERO, before).unwrap();

        assert_eq!(budget.check(ALL, cents(10), ZERO, after), Ok(()), "a new day");
        let _ = budget.settle(reservation, cents(10), Certainty::Known);

        let spent: Vec<NanoUsd> = budget.status(after).iter().map(|status| status.spent).collect();
        assert_eq!(spent, [ZERO, cents(10)], "day and month");
    }

    #[test]
    fn opens_no_new_period_for_a_clock_that_is_set_back() {
        let mut budget = daily(cents(10));
        spend(&mut budget, cents(10), time("2026-03-31T00:30:00Z"));

        for wall in ["2026-03-30T23:30:00Z", "2026-03-31T00:30:00Z"] {
            assert!(budget.check(ALL, cents(1), ZERO, time(wall)).is_err(), "{wall}");
        }
    }

    #[test]
    fn refuses_sums_that_do_not_fit_the_type() {
        let mut budget = daily(NanoUsd::from_nanos(u64::MAX));
        spend(&mut budget, NanoUsd::from_nanos(u64::MAX), noon());

        assert!(budget.reserve(ALL, cents(1), ZERO, noon()).is_err());
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
                        let reserved = budget.reserve(ALL, NanoUsd::from_nanos(amount), ZERO, noon());
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
