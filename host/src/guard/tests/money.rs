//! What attempts cost, and what the budgets allow.

use super::super::{BudgetAlert, BudgetScope, Charge, Settled, Whose};
use super::*;
use crate::config::{UnknownPrice, look_up};

fn with_daily(budget: NanoUsd) -> Config {
    let mut config = config();
    config.budget.daily = Some(budget);
    config
}

fn spent_and_reserved(guard: &Guard) -> (NanoUsd, NanoUsd) {
    let status = guard.budgets(WALL)[0];
    (status.spent, status.reserved)
}

#[test]
fn admits_exactly_ten_of_32_at_once_where_ten_fit() {
    let guard = guard(&with_daily(cents(10)));

    let sent: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|i| {
                scope.spawn({
                    let guard = &guard;
                    move || send(guard, TargetId(i % 3), at(0))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    assert_eq!(sent.iter().filter(|sent| sent.is_ok()).count(), 10);
    assert!(sent.iter().filter_map(|sent| sent.as_ref().err()).all(|denied| matches!(denied, Denied::OverBudget(_))));
}

#[test]
fn refuses_what_does_not_fit_and_never_shrinks_it() {
    let guard = guard(&with_daily(NanoUsd::from_nanos(cents(1).nanos() - 1)));

    let denied = send(&guard, A, at(0)).unwrap_err();

    assert_eq!(
        denied.to_string(),
        "the daily budget of $0.009999999 has $0.009999999 left and the request may cost $0.01"
    );
    assert_eq!(standing(&guard, A, at(0)), Standing::OverBudget);
    assert_eq!(spent_and_reserved(&guard), (NanoUsd::ZERO, NanoUsd::ZERO));
}

#[test]
fn gives_everything_back_for_a_permit_that_is_not_used() {
    let guard = guard(&with_daily(cents(1)));

    drop(guard.admit(A, &CLAIM, at(0), WALL).unwrap());

    assert_eq!(spent_and_reserved(&guard), (NanoUsd::ZERO, NanoUsd::ZERO));
    assert_eq!(guard.view(A, &CLAIM, at(0), WALL).0.in_flight, 0);
}

#[test]
fn charges_what_the_provider_counted() {
    let guard = guard(&with_daily(cents(10)));
    let used = Usage { input: 300, output: 200, ..Usage::default() };

    let settled = send(&guard, A, at(0)).unwrap().served(Some(used), None, at(0), WALL);

    let half_a_cent = NanoUsd::from_nanos(5_000_000);
    assert_eq!(settled, Settled { cost: Some(half_a_cent), charge: Charge::Exact, alerts: Vec::new() });
    assert_eq!(spent_and_reserved(&guard), (half_a_cent, NanoUsd::ZERO));
}

#[test]
fn charges_cached_tokens_at_what_the_catalogue_says_they_cost() {
    let anthropic = ProviderConfig::openai_compatible("https://api.anthropic.com".parse().unwrap());
    let mut config = Config::new();
    config.providers.insert("anthropic".to_owned(), anthropic.with_key("K", "s").with_model("claude-haiku-4-5"));
    config.budget.daily = Some(cents(100));
    look_up(&mut config, "2026-10-01T00:00:00Z".parse().unwrap());
    let guard = guard(&config);
    let claim = Claim { input_tokens: 20_000, max_output_tokens: 1_000, ..CLAIM };
    let used = Usage { input: 12_000, output: 300, cache_read: 10_000, cache_creation: 1_500, reasoning: 0 };

    let permit = guard.admit(A, &claim, at(0), WALL).unwrap();
    let reserved = spent_and_reserved(&guard);
    let settled = permit.dispatch(at(0)).served(Some(used), None, at(0), WALL);

    // At most 20,000 written to the cache at $1.25 and 1,000 at $5.
    assert_eq!(reserved, (NanoUsd::ZERO, NanoUsd::from_nanos(30_000_000)));
    // 500 at $1, 10,000 read at $0.10, 1,500 written at $1.25, 300 at $5.
    let bill = NanoUsd::from_nanos(4_875_000);
    assert_eq!(settled, Settled { cost: Some(bill), charge: Charge::Exact, alerts: Vec::new() });
    assert_eq!(spent_and_reserved(&guard), (bill, NanoUsd::ZERO));
}

#[test]
fn charges_the_worst_case_where_the_provider_did_not_count_or_cannot_have_meant_it() {
    let absurd = Usage { input: 1_000_000_000_000_000_000, output: u64::MAX, ..Usage::default() };
    let absurdly_cached = Usage { input: 500, cache_read: u64::MAX, ..Usage::default() };
    for usage in [None, Some(absurd), Some(absurdly_cached)] {
        let guard = guard(&with_daily(cents(10)));

        let settled = send(&guard, A, at(0)).unwrap().served(usage, None, at(0), WALL);

        assert_eq!((settled.cost, settled.charge), (Some(cents(1)), Charge::Uncertain));
        assert_eq!(guard.budgets(WALL)[0].uncertain, cents(1));
    }
}

#[test]
fn posts_an_overrun_in_full_and_marks_it() {
    let guard = guard(&with_daily(cents(2)));
    let used = Usage { input: 500, output: 2_500, ..Usage::default() };

    let settled = send(&guard, A, at(0)).unwrap().served(Some(used), None, at(0), WALL);

    let alert = BudgetAlert { of: Whose::Everything, scope: BudgetScope::Day, limit: cents(2), spent: cents(3) };
    assert_eq!(settled, Settled { cost: Some(cents(3)), charge: Charge::Overrun, alerts: vec![alert] });
    assert!(matches!(send(&guard, B, at(0)), Err(Denied::OverBudget(_))));
}

#[test]
fn charges_nothing_for_an_error_and_the_worst_case_for_an_unknown_end() {
    use FailureKind::{Connection, ContentFiltered, Interrupted, InvalidRequest, Overloaded, RateLimited, Timeout};
    let error = |kind| Failure::new(kind, "no").with_status(503);
    let lost = |kind| Failure::new(kind, "no");
    for (failure, cost) in [
        (error(Overloaded), 0),
        (error(RateLimited), 0),
        (error(InvalidRequest), 0),
        (error(ContentFiltered), 0),
        (lost(ContentFiltered), 1),
        (lost(Connection), 1),
        (lost(Timeout), 1),
        (lost(Interrupted), 1),
    ] {
        let guard = guard(&with_daily(cents(10)));

        let settled = send(&guard, A, at(0)).unwrap().failed(&failure, at(0), WALL);

        assert_eq!(settled.cost, Some(cents(cost)), "{failure}");
        assert_eq!(spent_and_reserved(&guard), (cents(cost), NanoUsd::ZERO), "{failure}");
    }
}

#[test]
fn charges_the_worst_case_for_an_error_in_the_middle_of_an_answer() {
    let guard = guard(&with_daily(cents(10)));
    let mut sent = send(&guard, A, at(0)).unwrap();
    sent.first_token(at(0));

    let settled = sent.failed(&Failure::new(FailureKind::Overloaded, "no"), at(0), WALL);

    assert_eq!((settled.cost, settled.charge), (Some(cents(1)), Charge::Uncertain));
}

#[test]
fn charges_nothing_for_a_connection_that_was_never_made() {
    let guard = guard(&with_daily(cents(10)));
    let refused = Failure::new(FailureKind::Connection, "refused");

    let settled = send(&guard, A, at(0)).unwrap().unsent(&refused, at(0), WALL);

    assert_eq!((settled.cost, settled.charge), (Some(NanoUsd::ZERO), Charge::Exact));
    assert_eq!(guard.view(A, &CLAIM, at(0), WALL).0.consecutive_failures, 1);
}

#[test]
fn keeps_the_worst_case_of_an_attempt_that_was_lost() {
    let guard = guard(&with_daily(cents(10)));

    drop(send(&guard, A, at(0)).unwrap());
    send(&guard, A, at(0)).unwrap().abandoned();

    assert_eq!(spent_and_reserved(&guard), (cents(2), NanoUsd::ZERO));
    assert_eq!(guard.view(A, &CLAIM, at(0), WALL).0.consecutive_failures, 0);
}

#[test]
fn refuses_an_unknown_price_while_a_budget_is_set() {
    let mut config = with_daily(cents(10));
    config.providers["one"].price = None;
    let guard = guard(&config);

    assert_eq!(send(&guard, A, at(0)).unwrap_err(), Denied::Unpriced);
    assert_eq!(guard.view(A, &CLAIM, at(0), WALL).0.estimated_cost, None);
}

#[test]
fn counts_at_the_price_the_operator_assumes() {
    let mut config = with_daily(cents(10));
    config.providers["one"].price = None;
    config.budget.unknown_price = UnknownPrice::Assume(Price::flat_per_1k(cents(4)));
    let guard = guard(&config);

    let _sent = send(&guard, A, at(0)).unwrap();

    assert_eq!(spent_and_reserved(&guard), (NanoUsd::ZERO, cents(4)));
}

#[test]
fn takes_an_unknown_price_where_no_budget_is_set() {
    let mut config = config();
    config.providers["one"].price = None;
    let guard = guard(&config);

    let settled = send(&guard, A, at(0)).unwrap().served(None, None, at(0), WALL);

    assert_eq!(settled, Settled::default());
}

#[test]
fn goes_on_with_a_local_model_when_the_money_is_gone() {
    let mut config = with_daily(cents(1));
    config.providers["two"].price = None;
    config.providers["two"].local = true;
    let guard = guard(&config);
    serve(&guard, A, at(0));

    assert_eq!(standing(&guard, A, at(0)), Standing::OverBudget);
    serve(&guard, B, at(0));
}

#[test]
fn gives_one_alert_for_each_budget() {
    let guard = guard(&with_daily(cents(5)));

    let alerts: usize = (0..5).map(|_| send(&guard, A, at(0)).unwrap().abandoned().alerts.len()).sum();

    assert_eq!(alerts, 1);
}
