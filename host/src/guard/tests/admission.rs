//! Who is admitted: keys, scopes, limits, retries, emergencies.

use proptest::prelude::*;

use super::super::Disabled;
use super::*;
use crate::config::{BreakerScope, Limits, RetryConfig};
use crate::random::Random;

fn with_two_keys() -> Config {
    let mut config = config();
    for provider in config.providers.values_mut() {
        *provider = provider.clone().with_key("SPARE_KEY", "s-3");
    }
    config
}

fn key_of(in_flight: &InFlight) -> String {
    in_flight.key().unwrap().name.clone()
}

#[test]
fn takes_a_providers_keys_in_turn() {
    let guard = guard(&with_two_keys());

    let keys: Vec<String> = (0..3).map(|_| key_of(&send(&guard, A, at(0)).unwrap())).collect();

    assert_eq!(keys, ["ONE_KEY", "SPARE_KEY", "ONE_KEY"]);
}

#[test]
fn leaves_a_rejected_key_out_for_all_models_of_its_provider() {
    let guard = guard(&with_two_keys());

    fail(&guard, A, FailureKind::Authentication, at(0));
    for target in [A, A2, A2, A] {
        assert_eq!(key_of(&send(&guard, target, at(0)).unwrap()), "SPARE_KEY");
    }

    fail(&guard, A2, FailureKind::Permission, at(0));
    for target in [A, A2] {
        assert_eq!(send(&guard, target, at(9_999)).unwrap_err(), Denied::Disabled(Disabled::KeysRejected));
    }
    assert_eq!(standing(&guard, B, at(0)), Standing::Ready);
}

#[test]
fn goes_on_with_the_other_key_while_one_cools_down() {
    let guard = guard(&with_two_keys());

    fail(&guard, A, FailureKind::RateLimited, at(0));

    for _ in 0..3 {
        assert_eq!(key_of(&send(&guard, A, at(1)).unwrap()), "SPARE_KEY");
    }
    assert_eq!(standing(&guard, A, at(1)), Standing::Ready);
}

#[test]
fn tells_the_shortest_wait_of_all_keys() {
    let guard = guard(&with_two_keys());
    fail(&guard, A, FailureKind::RateLimited, at(0));
    fail(&guard, A, FailureKind::RateLimited, at(10));

    assert_eq!(standing(&guard, A, at(10)), Standing::CoolingDown(50_000));
}

#[test]
fn leaves_a_model_out_that_its_provider_does_not_have() {
    let guard = guard(&config());

    fail(&guard, A, FailureKind::ModelNotFound, at(0));

    assert_eq!(send(&guard, A, at(9_999)).unwrap_err(), Denied::Disabled(Disabled::ModelUnknown));
    assert_eq!(standing(&guard, A2, at(0)), Standing::Ready);
}

#[test]
fn pauses_all_models_of_a_provider_where_that_is_the_scope() {
    let mut config = config();
    config.breaker.scope = BreakerScope::Provider;
    let guard = guard(&config);

    trip(&guard, A, at(0));

    assert_eq!(standing(&guard, A2, at(0)), Standing::Tripped(5_000));
    assert_eq!(standing(&guard, B, at(0)), Standing::Ready);
}

#[test]
fn denies_a_request_over_the_limit_and_admits_it_at_the_told_time() {
    let mut config = config();
    config.providers["one"].limits = Limits { rpm: Some(2), ..Limits::default() };
    let guard = guard(&config);
    serve(&guard, A, at(0));
    serve(&guard, A2, at(1));

    let denied = send(&guard, A, at(2)).unwrap_err();

    assert_eq!(denied, Denied::Limited(Duration::from_secs(58)));
    assert_eq!(standing(&guard, A, at(2)), Standing::Limited(58_000));
    assert!(send(&guard, A, at(60)).is_ok());
}

#[test]
fn counts_the_tokens_a_reply_really_took() {
    let mut config = config();
    config.providers["one"].limits = Limits { tpm: Some(1_500), ..Limits::default() };
    let guard = guard(&config);
    let first = send(&guard, A, at(0)).unwrap();
    assert!(matches!(send(&guard, A, at(0)), Err(Denied::Limited(_))));

    first.served(Some(Usage { input: 400, output: 100, ..Usage::default() }), None, at(0), WALL);

    assert!(send(&guard, A, at(0)).is_ok());
}

#[test]
fn frees_a_place_among_the_requests_at_once_when_one_ends() {
    let mut config = config();
    config.providers["one"].limits = Limits { concurrent: Some(1), ..Limits::default() };
    let guard = guard(&config);
    let first = send(&guard, A, at(0)).unwrap();
    assert!(matches!(send(&guard, A2, at(0)), Err(Denied::Limited(_))));

    first.abandoned();

    assert!(send(&guard, A2, at(0)).is_ok());
}

#[test]
fn draws_on_the_retry_budget_for_retries_alone() {
    let mut config = config();
    config.retries = RetryConfig { ratio: 0.1, floor: 1, hedges: 0.05 };
    let guard = guard(&config);
    let retry = Claim { kind: AttemptKind::Retry, ..CLAIM };

    let unsent = guard.admit(A, &retry, at(0), WALL).unwrap();
    assert_eq!(guard.retries_left(at(0)), 0);
    drop(unsent);
    assert_eq!(guard.retries_left(at(0)), 1, "given back");
    let _sent = guard.admit(A, &retry, at(0), WALL).unwrap().dispatch(at(0));

    assert_eq!(guard.admit(A, &retry, at(0), WALL).unwrap_err(), Denied::NoRetriesLeft);
    assert_eq!(guard.view(A, &retry, at(0), WALL).0.standing, Standing::Spent);
    assert!(guard.admit(A, &CLAIM, at(0), WALL).is_ok());
}

#[test]
fn fills_the_retry_budget_with_every_request_that_begins() {
    let mut config = config();
    config.retries = RetryConfig { ratio: 0.5, floor: 0, hedges: 0.05 };
    let guard = guard(&config);

    guard.begin(at(0));
    guard.begin(at(0));

    assert_eq!(guard.retries_left(at(0)), 1);
}

#[test]
fn overrules_assumed_rests_in_an_emergency_but_no_named_ones() {
    let guard = guard(&config());
    let emergency = Claim { emergency: true, ..CLAIM };
    let named = Failure { retry_after: Some(MINUTE), ..Failure::new(FailureKind::RateLimited, "slow down") };
    fail(&guard, A, FailureKind::RateLimited, at(0));
    trip(&guard, A2, at(0));
    send(&guard, B, at(0)).unwrap().failed(&named, at(0), WALL);
    let shown = |target| guard.view(target, &emergency, at(0), WALL).0.standing;

    assert_eq!(shown(A), Standing::CoolingDown(0));
    assert_eq!(shown(A2), Standing::Tripped(0));
    assert_eq!(shown(B), Standing::CoolingDown(60_000));
    for target in [A, A2] {
        let _sent = guard.admit(target, &emergency, at(0), WALL).unwrap();
        assert_eq!(guard.admit(target, &emergency, at(0), WALL).unwrap_err(), Denied::Probing, "one at a time");
    }
    assert_eq!(guard.admit(B, &emergency, at(0), WALL).unwrap_err(), Denied::CoolingDown(MINUTE));
}

#[test]
fn admits_nothing_that_is_switched_off_without_a_key_or_not_there() {
    let mut config = config();
    config.providers["one"].enabled = false;
    config.providers["two"].credentials =
        crate::config::Credentials::Missing { variables: vec!["TWO_KEY".to_owned()], placeholder: None };
    let guard = guard(&config);

    for (target, why) in
        [(A, Disabled::SwitchedOff), (B, Disabled::NotInitialised), (TargetId(99), Disabled::NoSuchTarget)]
    {
        assert_eq!(send(&guard, target, at(0)).unwrap_err(), Denied::Disabled(why));
        assert_eq!(standing(&guard, target, at(0)), Standing::Disabled);
    }
}

/// Ten thousand histories in which one key fails at one model in every way but for good, and all others serve.
#[test]
fn never_blocks_one_target_or_key_for_the_failures_of_another() {
    let config = with_two_keys();
    let random = Random::seeded(40);
    let draw = |below: usize| usize::try_from(random.next() % below as u64).unwrap();
    let kinds: Vec<FailureKind> = FailureKind::ALL
        .into_iter()
        .filter(|kind| !matches!(kind.effect(), crate::types::Effect::DropKey | crate::types::Effect::DropModel))
        .collect();

    for history in 0..10_000 {
        let guard = guard(&config);
        let (bad, bad_key) = ([A, A2, B][draw(3)], ["ONE_KEY", "TWO_KEY", "SPARE_KEY"][draw(3)]);
        let mut now = at(0);
        for _ in 0..30 {
            now = now + Duration::from_millis(random.next() % 3_000);
            let target = [A, A2, B][draw(3)];

            let sent = send(&guard, target, now).unwrap_or_else(|denied| panic!("history {history}: {denied}"));

            if (target, key_of(&sent).as_str()) == (bad, bad_key) {
                sent.failed(&Failure::new(kinds[draw(kinds.len())], "no"), now, WALL);
            } else {
                sent.served(None, None, now, WALL);
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Send(u32, bool, bool),
    End(prop::sample::Index, Option<FailureKind>),
    Drop(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let kind = prop::option::of(prop::sample::select(FailureKind::ALL.as_slice()));
    let step = prop_oneof![
        2 => (0u64..20).prop_map(Step::Wait),
        6 => (0u32..4, any::<bool>(), any::<bool>()).prop_map(|(target, retry, now)| Step::Send(target, retry, now)),
        4 => (index(), kind).prop_map(|(place, kind)| Step::End(place, kind)),
        1 => index().prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// A strategy that goes by what it is shown is never denied, and nothing is left behind when all requests have ended.
    #[test]
    fn shows_what_it_admits_and_counts_what_is_under_way(steps in steps()) {
        let mut config = with_two_keys();
        config.providers["one"].limits = Limits { rpm: Some(20), tpm: Some(20_000), rpd: Some(200), tpd: Some(90_000), concurrent: Some(4), burst: Some(9), ..Limits::default() };
        config.budget.daily = Some(cents(30));
        let (guard, mut now, mut sent) = (guard(&config), at(0), Vec::new());
        for step in steps {
            match step {
                Step::Wait(seconds) => now = now + Duration::from_secs(seconds),
                Step::Send(target, is_retry, emergency) => {
                    let (target, claim) = (TargetId(target), Claim { kind: if is_retry { AttemptKind::Retry } else { AttemptKind::Plain }, emergency, ..CLAIM });
                    let shown = guard.view(target, &claim, now, WALL).0.standing;
                    let admitted = guard.admit(target, &claim, now, WALL);
                    let is_open = shown == Standing::Ready || (emergency && shown.wait_ms() == Some(0));
                    prop_assert_eq!(is_open, admitted.is_ok(), "{:?} {:?}", shown, admitted);
                    sent.extend(admitted.ok().map(|permit| (target, permit.dispatch(now))));
                }
                Step::End(place, kind) if !sent.is_empty() => {
                    let (_, ended) = sent.swap_remove(place.index(sent.len()));
                    match kind {
                        Some(kind) => ended.failed(&Failure::new(kind, "no"), now, WALL),
                        None => ended.served(None, None, now, WALL),
                    };
                }
                Step::Drop(place) if !sent.is_empty() => drop(sent.swap_remove(place.index(sent.len()))),
                Step::End(..) | Step::Drop(_) => {}
            }
            for target in [A, A2, B] {
                let in_flight = guard.view(target, &CLAIM, now, WALL).0.in_flight as usize;
                prop_assert_eq!(in_flight, sent.iter().filter(|(to, _)| *to == target).count());
            }
        }
        drop(sent);
        prop_assert_eq!(guard.budgets(WALL)[0].reserved, NanoUsd::ZERO);
    }
}
