//! Budgets that a ledger lends: the same limits for all processes, and after them.

use std::path::Path;
use std::sync::{Arc, Barrier};

use tempfile::TempDir;

use super::*;
use crate::accounting::Treasury;
use crate::accounting::ledger::Ledger;
use crate::clock::SystemClock;
use crate::config::SpendLimits;
use crate::guard::Permit;

/// How often something random is tried: a few times, or as often as `BACKSTOP_LEDGER_RUNS` says.
fn runs(usual: u64) -> u64 {
    std::env::var("BACKSTOP_LEDGER_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(usual)
}

/// A guard as one process has it, and its ledger.
fn process(config: &Config, store: &Path) -> (Arc<Guard>, Arc<Ledger>) {
    let ledger = Arc::new(Ledger::open(store, Arc::new(SystemClock::start())).unwrap());
    let treasury: Arc<dyn Treasury> = Arc::clone(&ledger) as _;
    (Arc::new(Guard::new(config).with_treasury(treasury, WALL)), ledger)
}

/// Admits as a request does: where what was lent is used up, more is asked for and waited for.
fn admit(guard: &Arc<Guard>, target: TargetId, claim: &Claim<'_>) -> Result<Permit, Denied> {
    loop {
        match guard.admit(target, claim, at(0), WALL) {
            Err(Denied::Short) => {
                if let Some(asked) = guard.ask(target, claim, WALL) {
                    let _ = asked.blocking_recv();
                }
            }
            admitted => return admitted,
        }
    }
}

fn with_daily(limit: NanoUsd) -> Config {
    let mut config = config();
    config.budget.daily = Some(limit);
    config
}

fn spent(guard: &Guard) -> NanoUsd {
    guard.budgets(WALL)[0].spent
}

// R1
#[test]
fn admits_exactly_ten_of_32_at_once_where_ten_fit() {
    for _ in 0..runs(15) {
        let folder = TempDir::new().unwrap();
        let (guard, ledger) = process(&with_daily(cents(10)), &folder.path().join("store.db"));
        let together = Barrier::new(32);

        let admitted: Vec<_> = std::thread::scope(|scope| {
            let ask = || {
                together.wait();
                admit(&guard, A, &CLAIM)
            };
            let threads: Vec<_> = (0..32).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });

        let refused: Vec<_> = admitted.iter().filter_map(|admitted| admitted.as_ref().err()).collect();
        assert_eq!(refused.len(), 22, "{refused:?}");
        assert!(refused.iter().all(|denied| matches!(denied, Denied::OverBudget(_))), "{refused:?}");
        drop(admitted);
        drop(guard);
        ledger.close();
    }
}

// R1
#[test]
fn admits_exactly_as_many_as_fit_at_several_processes_together() {
    for _ in 0..runs(3) {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("store.db");
        let processes: Vec<_> = (0..3).map(|_| process(&with_daily(cents(20)), &store)).collect();
        let used = Usage { input: 500, output: 500, ..Usage::default() };

        let serve = |guard: &Arc<Guard>| {
            let sent = admit(guard, A, &CLAIM).map(|permit| permit.dispatch(at(0)));
            sent.map(|sent| sent.served(Some(used), None, at(0), WALL)).is_ok()
        };

        let served: usize = std::thread::scope(|scope| {
            let threads = processes.iter().flat_map(|(guard, _)| {
                (0..4).map(|_| scope.spawn(move || (0..4).filter(|_| serve(guard)).count())).collect::<Vec<_>>()
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });

        assert_eq!(served, 20, "48 asked, and what was lent to one was given back for another");
        processes.iter().for_each(|(_, ledger)| ledger.close());
    }
}

// R2
#[test]
fn admits_two_of_eight_first_requests_of_a_key_nobody_has_seen() {
    let folder = TempDir::new().unwrap();
    let (guard, ledger) = process(&config(), &folder.path().join("store.db"));
    let key = KeyAccount { name: "new".into(), daily: Some(cents(2)), monthly: None };
    let together = Barrier::new(8);

    let admitted: Vec<_> = std::thread::scope(|scope| {
        let ask = || {
            let payer = guard.payer(RequestId(7), &"default".into(), Some(&key), &Arc::from([]));
            together.wait();
            admit(&guard, A, &Claim { payer: Some(&payer), ..CLAIM })
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    assert_eq!(admitted.iter().filter(|admitted| admitted.is_ok()).count(), 2);
    let denied = admitted.iter().find_map(|admitted| admitted.as_ref().err()).unwrap();
    assert!(denied.to_string().starts_with("the key's daily budget of $0.02 has $0.00 left"), "{denied}");
    drop(admitted);
    ledger.close();
}

// R7, R8
#[test]
fn knows_after_a_restart_what_was_spent_also_where_it_was_more_than_reserved() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store.db");
    let serve = |guard: &Arc<Guard>, output| {
        let used = Usage { input: 500, output, ..Usage::default() };
        let sent = admit(guard, A, &CLAIM)?.dispatch(at(0));
        Ok::<_, Denied>(sent.served(Some(used), None, at(0), WALL).charge)
    };
    let (guard, ledger) = process(&with_daily(cents(3)), &store);

    let first = serve(&guard, 250);
    drop(guard);
    ledger.close();
    let (guard, ledger) = process(&with_daily(cents(3)), &store);
    let known = spent(&guard);
    let overrun = serve(&guard, 3_500);
    let blocked = serve(&guard, 1);
    drop(guard);
    ledger.close();
    let (guard, ledger) = process(&with_daily(cents(3)), &store);

    assert_eq!((first, known), (Ok(crate::guard::Charge::Exact), NanoUsd::from_nanos(7_500_000)));
    assert_eq!(overrun, Ok(crate::guard::Charge::Overrun));
    assert!(matches!(blocked, Err(Denied::OverBudget(_))), "{blocked:?}");
    assert_eq!(spent(&guard), NanoUsd::from_nanos(47_500_000), "as the provider counted");
    assert!(matches!(serve(&guard, 1), Err(Denied::OverBudget(_))), "after a restart, too");
    drop(guard);
    ledger.close();
}

// R9
#[test]
fn resolves_a_reservation_once_whoever_comes_first() {
    let folder = TempDir::new().unwrap();
    let (guard, ledger) = process(&with_daily(NanoUsd::from_nanos(u64::MAX / 4)), &folder.path().join("store.db"));
    let used = Usage { input: 500, output: 500, ..Usage::default() };
    let rounds = runs(2_000);

    for _ in 0..rounds {
        let held = std::sync::Mutex::new(Some(admit(&guard, A, &CLAIM).unwrap().dispatch(at(0))));
        let won: usize = std::thread::scope(|scope| {
            let ends: [fn(InFlight, Usage); 3] = [
                |sent, used| drop(sent.served(Some(used), None, at(0), WALL)),
                |sent, _| drop(sent.abandoned()),
                |sent, _| drop(sent),
            ];
            let held = &held;
            let threads = ends.map(|end| {
                scope.spawn(move || {
                    let sent = held.lock().unwrap().take();
                    sent.map(|sent| end(sent, used)).is_some()
                })
            });
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
    }

    // Each way of ending costs the same cent.
    let status = guard.budgets(WALL)[0];
    assert_eq!((status.spent, status.reserved), (cents(rounds), NanoUsd::ZERO));
    ledger.close();
}

// R15
#[test]
fn counts_each_cost_in_one_day_and_one_month_while_the_clock_jumps() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store.db");
    let mut config = with_daily(NanoUsd::from_nanos(u64::MAX / 4));
    config.budget.monthly = Some(NanoUsd::from_nanos(u64::MAX / 2));
    config.budget.time_zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let (guard, ledger) = process(&config, &store);
    let used = Usage { input: 500, output: 500, ..Usage::default() };
    // Through the end of March, when clocks are put forward, by leaps: an hour back, a day and an hour ahead.
    let mut wall: Timestamp = "2026-03-27T12:00:00Z".parse().unwrap();
    let requests = runs(2_000);
    let mut under_way = Vec::new();
    for _ in 0..requests {
        let hours = match fastrand::u8(..100) {
            0 => 25,
            1..=10 => -1,
            _ => 0,
        };
        wall = wall.checked_add(jiff::SignedDuration::from_mins(hours * 60 + fastrand::i64(0..3))).unwrap();
        let permit = loop {
            match guard.admit(A, &CLAIM, at(0), wall) {
                Err(Denied::Short) => drop(guard.ask(A, &CLAIM, wall).map(|asked| asked.blocking_recv())),
                admitted => break admitted.unwrap(),
            }
        };
        under_way.push(permit.dispatch(at(0)));
        if under_way.len() > 20 {
            let place = fastrand::usize(..under_way.len());
            under_way.swap_remove(place).served(Some(used), None, at(0), wall);
        }
    }
    for sent in under_way {
        sent.served(Some(used), None, at(0), wall);
    }
    drop(guard);
    ledger.close();

    let path = folder.path().join("store-ledger.db");
    let books = rusqlite::Connection::open(path).unwrap();
    let sum = |query: &str| books.query_row(query, (), |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    let all = cents(requests).nanos();
    assert_eq!(sum("SELECT sum(spent) FROM accounts WHERE window = 'day'"), all);
    assert_eq!(sum("SELECT sum(spent) FROM accounts WHERE window = 'month'"), all);
    assert_eq!(sum("SELECT count(*) FROM leases WHERE granted > consumed"), 0);
    assert!(sum("SELECT count(*) FROM accounts WHERE window = 'day'") > 1);
}

#[test]
fn gives_back_at_its_end_what_it_was_lent() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store.db");
    let (guard, ledger) = process(&with_daily(cents(5)), &store);
    drop(admit(&guard, A, &CLAIM).unwrap());
    // Whoever embeds the library may drop it before they close the ledger.
    drop(guard);
    ledger.close();

    let (guard, ledger) = process(&with_daily(cents(5)), &store);
    let admitted: Vec<_> = (0..6).map(|_| admit(&guard, A, &CLAIM)).collect();

    assert_eq!(admitted.iter().filter(|admitted| admitted.is_ok()).count(), 5);
    drop((admitted, guard));
    ledger.close();
}

#[test]
fn goes_on_with_what_it_was_lent_under_a_changed_configuration() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store.db");
    let (old, ledger) = process(&with_daily(cents(2)), &store);
    let under_way = admit(&old, A, &CLAIM).unwrap().dispatch(at(0));
    let mut raised = with_daily(cents(4));
    raised.routes["default"].budget = SpendLimits { daily: Some(cents(3)), ..SpendLimits::default() };

    let new = Arc::new(Guard::new(&raised).succeeding(&old));
    drop(old);
    let payer = new.payer(RequestId(1), &"default".into(), None, &Arc::from([]));
    let claim = Claim { payer: Some(&payer), ..CLAIM };
    let admitted: Vec<_> = (0..5).map(|_| admit(&new, A, &claim)).collect();

    assert_eq!(admitted.iter().filter(|admitted| admitted.is_ok()).count(), 3, "{admitted:?}");
    drop((admitted, under_way, payer));
    drop(new);
    ledger.close();
}
