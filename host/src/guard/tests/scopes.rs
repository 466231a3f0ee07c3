//! Budgets of routes, providers, keys and labels: all of them, or none.

use super::*;
use crate::accounting::Scope;
use crate::config::SpendLimits;
use crate::guard::BudgetScope;

fn daily(limit: NanoUsd) -> SpendLimits {
    SpendLimits { daily: Some(limit), ..SpendLimits::default() }
}

fn label() -> Arc<[(String, String)]> {
    Arc::from([("team".to_owned(), "search".to_owned())])
}

/// The scopes that have anything reserved.
fn reserved(guard: &Guard) -> Vec<String> {
    let all = guard.budgets(WALL).into_iter().map(|status| (Scope::Everything, status));
    let all = all.chain(guard.scoped_budgets(WALL));
    all.filter(|(_, status)| status.reserved > NanoUsd::ZERO)
        .map(|(of, status)| format!("{of} {}", status.scope))
        .collect()
}

// R16
#[test]
fn sets_nothing_aside_anywhere_whichever_budgets_refuse() {
    for too_small in 0..32u32 {
        let limit = |place: u32, enough: u64| {
            let enough = cents(enough);
            if too_small & (1 << place) == 0 { enough } else { NanoUsd::from_nanos(cents(1).nanos() - 1) }
        };
        let mut config = config();
        config.budget.per_request = Some(limit(0, 1));
        config.budget.labels.insert("team=search".to_owned(), daily(limit(2, 2)));
        config.budget.daily = Some(limit(3, 3));
        config.budget.monthly = Some(limit(4, 4));
        let guard = guard(&config);
        let key = KeyAccount { name: "ci".into(), daily: Some(limit(1, 2)), monthly: None };
        let payer = guard.payer(RequestId(1), &"default".into(), Some(&key), &label());

        let admitted = guard.admit(A, &Claim { payer: Some(&payer), ..CLAIM }, at(0), WALL);

        match admitted {
            Ok(permit) => {
                assert_eq!(too_small, 0);
                assert_eq!(
                    reserved(&guard),
                    ["everything daily", "everything monthly", "label:team=search daily", "key:ci daily"]
                );
                drop(permit);
            }
            Err(denied) => {
                assert!(too_small > 0 && matches!(denied, Denied::OverBudget(_)), "{too_small:b}: {denied}");
            }
        }
        assert_eq!(reserved(&guard), [""; 0], "{too_small:b}");
    }
}

#[test]
fn bounds_each_route_provider_key_and_label_by_itself() {
    let mut config = config();
    config
        .routes
        .insert("cheap".to_owned(), crate::config::RouteConfig { budget: daily(cents(1)), ..Default::default() });
    config.providers["two"].budget = daily(cents(2));
    config.budget.labels.insert("team=search".to_owned(), daily(cents(3)));
    let guard = guard(&config);
    let none: Arc<[(String, String)]> = Arc::from([]);
    let admitted = |route: &str, labels: &Arc<[(String, String)]>, target| -> Vec<_> {
        let payer = guard.payer(RequestId(1), &route.into(), None, labels);
        let claim = Claim { payer: Some(&payer), ..CLAIM };
        (0..5)
            .map_while(|_| guard.admit(target, &claim, at(0), WALL).ok())
            .map(|permit| permit.dispatch(at(0)))
            .collect()
    };

    let counts = [
        admitted("cheap", &none, A),
        admitted("default", &none, B),
        admitted("default", &label(), A),
        admitted("default", &none, A),
    ];

    assert_eq!(counts.map(|sent| sent.len()), [1, 2, 3, 5]);
}

#[test]
fn tells_whose_budget_it_is() {
    let mut config = config();
    config.providers["one"].budget =
        SpendLimits { per_request: Some(NanoUsd::from_nanos(5)), ..SpendLimits::default() };
    let guard = guard(&config);

    let denied = guard.admit(A, &CLAIM, at(0), WALL).unwrap_err();

    let says = "the provider's per-request budget of $0.000000005 has $0.000000005 left and the request may cost $0.01";
    assert_eq!(denied.to_string(), says);
    assert!(guard.admit(B, &CLAIM, at(0), WALL).is_ok());
}

#[test]
fn follows_a_keys_changed_limits() {
    let guard = guard(&config());
    let admit = |limit: Option<u64>| {
        let key = KeyAccount { name: "ci".into(), daily: limit.map(cents), monthly: None };
        let payer = guard.payer(RequestId(1), &"default".into(), Some(&key), &Arc::from([]));
        let sent = guard.admit(A, &Claim { payer: Some(&payer), ..CLAIM }, at(0), WALL);
        sent.map(|permit| permit.dispatch(at(0)).abandoned()).is_ok()
    };

    let admitted = [Some(1), Some(1), Some(2), Some(2), None, None].map(admit);

    assert_eq!(admitted, [true, false, true, false, true, true]);
    assert!(guard.scoped_budgets(WALL).iter().all(|(_, status)| status.scope == BudgetScope::Day));
}

#[test]
fn refuses_an_unknown_price_only_where_a_budget_counts_it() {
    let mut config = config();
    config.providers["one"].price = None;
    config
        .routes
        .insert("capped".to_owned(), crate::config::RouteConfig { budget: daily(cents(1)), ..Default::default() });
    let guard = guard(&config);
    let admit = |route: &str| {
        let payer = guard.payer(RequestId(1), &route.into(), None, &Arc::from([]));
        guard.admit(A, &Claim { payer: Some(&payer), ..CLAIM }, at(0), WALL).map(|permit| permit.worst_case())
    };

    assert_eq!(admit("default").unwrap(), None);
    assert_eq!(admit("capped").unwrap_err(), Denied::Unpriced);
}
