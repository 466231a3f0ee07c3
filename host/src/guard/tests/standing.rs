//! What strategies and people are shown of a target.

use std::fmt::Write as _;

use super::*;
use crate::config::{ApiKey, Credentials};

fn missing(placeholder: Option<&str>) -> Credentials {
    Credentials::Missing { variables: vec!["THREE_KEY".to_owned()], placeholder: placeholder.map(str::to_owned) }
}

fn shown(guard: &Guard, now: Moment) -> String {
    let mut text = String::new();
    for status in guard.status(now, WALL) {
        let state = serde_json::to_string(&status.state).unwrap();
        writeln!(text, "{} is {}: {state}", status.provider, status.state.words()).unwrap();
    }
    text
}

#[test]
fn shows_health_in_numbers() {
    let guard = guard(&config());
    fail(&guard, A, FailureKind::Timeout, at(0));
    let mut sent = send(&guard, A, at(0)).unwrap();
    sent.first_token(at(1));
    let _ = sent.served(None, Some(0.25), at(2), WALL);
    fail(&guard, A, FailureKind::Timeout, at(2));
    let _under_way = send(&guard, A, at(2)).unwrap();

    let state = guard.view(A, &CLAIM, at(2), WALL).0;

    assert_eq!((state.consecutive_failures, state.in_flight, state.estimated_cost), (1, 1, Some(cents(1))));
    assert_eq!((state.first_token_ms, state.quota_left), (Some(1_000.0), Some(0.25)));
    assert!((state.success_rate - 1.0 / 3.0).abs() < 1e-6);
}

// A13
#[test]
fn shows_what_a_reply_told_of_the_quota_before_its_answer_is_whole_and_where_it_failed() {
    let guard = guard(&config());
    let mut streaming = send(&guard, A, at(0)).unwrap();
    let mut failing = send(&guard, B, at(0)).unwrap();

    streaming.quota_told(Some(0.5), at(1));
    failing.quota_told(Some(0.0), at(1));
    let _ = failing.failed(&Failure::new(FailureKind::ServerError, "no"), at(1), WALL);

    let left = [A, B].map(|target| guard.view(target, &CLAIM, at(1), WALL).0.quota_left);
    assert_eq!(left, [Some(0.5), Some(0.0)]);
}

#[test]
fn tells_people_why_a_provider_is_not_available() {
    let mut config = config();
    for (name, credentials) in [("three", missing(None)), ("four", missing(Some("FOUR_KEY")))] {
        let provider = ProviderConfig { credentials, ..provider().with_model("m") };
        config.providers.insert(name.to_owned(), provider);
    }
    config.providers.insert("five".to_owned(), ProviderConfig { enabled: false, ..provider().with_model("m") });
    let guard = guard(&config);
    for target in [A, A2] {
        fail(&guard, target, FailureKind::RateLimited, at(0));
    }
    trip(&guard, B, at(0));

    insta::assert_snapshot!(shown(&guard, at(0)), @r#"
    one is rate limited: {"name":"rate-limited","until":"1970-01-01T00:01:00Z"}
    two is temporarily disabled: {"name":"temporarily-disabled","until":"1970-01-01T00:00:05Z"}
    three is not initialised: {"name":"not-initialised","why":"no key: set THREE_KEY"}
    four is not initialised: {"name":"not-initialised","why":"FOUR_KEY holds a placeholder and no key"}
    five is switched off: {"name":"switched-off"}
    "#);
}

#[test]
fn shows_the_best_of_a_providers_models() {
    let guard = guard(&config());

    trip(&guard, A, at(0));

    let status = guard.status(at(0), WALL);
    let states: Vec<&str> = status[0].models.iter().map(|model| model.state.words()).collect();
    assert_eq!(status[0].state.words(), "available");
    assert_eq!(states, ["temporarily disabled", "available"]);
}

#[test]
fn names_keys_and_never_shows_them() {
    let mut config = config();
    let spare = ApiKey { name: "SPARE_KEY".to_owned(), secret: "sk-secret".into() };
    let Credentials::Keys(keys) = &mut config.providers["one"].credentials else { panic!("no keys") };
    keys.push(spare);
    let guard = guard(&config);
    fail(&guard, A, FailureKind::Authentication, at(0));

    let shown = serde_json::to_string(&guard.status(at(0), WALL)[0].keys).unwrap();

    insta::assert_snapshot!(shown, @r#"[{"key":"ONE_KEY","state":{"name":"rejected","why":"authentication"}},{"key":"SPARE_KEY","state":{"name":"available"}}]"#);
    assert!(!format!("{guard:?}").contains("sk-secret"));
}

#[test]
fn shows_a_whole_provider() {
    let guard = guard(&config());
    fail(&guard, B, FailureKind::QuotaExhausted, at(0));

    let status = serde_json::to_string_pretty(&guard.status(at(0), WALL)[1]).unwrap();

    insta::assert_snapshot!(status, @r#"
    {
      "provider": "two",
      "state": {
        "name": "out-of-quota",
        "until": "1970-01-01T01:00:00Z"
      },
      "verdict": "rate-limited",
      "waiting": 0,
      "health": {
        "consecutive_failures": 1,
        "success_rate": 0.0,
        "last_failure": "1970-01-01T00:00:00Z",
        "last_failure_kind": "quota-exhausted"
      },
      "models": [
        {
          "model": "b",
          "state": {
            "name": "out-of-quota",
            "until": "1970-01-01T01:00:00Z"
          },
          "in_flight": 0,
          "health": {
            "consecutive_failures": 1,
            "success_rate": 0.0,
            "last_failure": "1970-01-01T00:00:00Z",
            "last_failure_kind": "quota-exhausted"
          }
        }
      ],
      "keys": [
        {
          "key": "TWO_KEY",
          "state": {
            "name": "out-of-quota",
            "until": "1970-01-01T01:00:00Z"
          }
        }
      ]
    }
    "#);
}

#[test]
fn takes_a_failure_reported_from_outside_for_one_of_its_own() {
    let mut config = config();
    config.breaker.failures = 1;
    let guard = guard(&config);

    guard.report_failure(0, FailureKind::ServerError, at(0), WALL);
    guard.report_failure(1, FailureKind::RateLimited, at(0), WALL);
    guard.report_failure(99, FailureKind::RateLimited, at(0), WALL);

    assert_eq!(standing(&guard, A, at(0)), Standing::Tripped(5_000));
    assert_eq!(standing(&guard, A2, at(0)), Standing::Tripped(5_000));
    assert_eq!(standing(&guard, B, at(0)), Standing::CoolingDown(60_000));
}

#[test]
fn closes_breakers_on_a_reported_success_but_keeps_named_waits() {
    let guard = guard(&config());
    let named = Failure { retry_after: Some(MINUTE), ..Failure::new(FailureKind::RateLimited, "slow down") };
    trip(&guard, A, at(0));
    send(&guard, A2, at(0)).unwrap().failed(&named, at(0), WALL);

    guard.report_success(0, at(0), WALL);

    assert_eq!(standing(&guard, A, at(0)), Standing::Ready);
    assert_eq!(standing(&guard, A2, at(0)), Standing::CoolingDown(60_000));
}

#[test]
fn ends_every_rest_when_told_to() {
    let guard = guard(&config());
    trip(&guard, A, at(0));
    fail(&guard, A2, FailureKind::QuotaExhausted, at(0));

    guard.clear_cooldowns();

    for target in [A, A2] {
        serve(&guard, target, at(0));
    }
}

#[test]
fn prefers_the_last_to_serve_on_a_route_and_forces_a_provider_for_a_while() {
    let guard = guard(&config());

    guard.prefer(Config::DEFAULT_ROUTE, B, MINUTE * 30, at(0));
    guard.prefer("no-such-route", A, MINUTE, at(0));
    guard.force(1, at(60));

    assert_eq!(guard.preferred(Config::DEFAULT_ROUTE, at(1_799)), Some(B));
    assert_eq!(guard.preferred(Config::DEFAULT_ROUTE, at(1_800)), None);
    assert_eq!(guard.preferred("no-such-route", at(0)), None);
    assert_eq!((guard.forced(at(59)), guard.forced(at(60))), (Some(1), None));
    guard.clear_preference();
    assert_eq!((guard.preferred(Config::DEFAULT_ROUTE, at(0)), guard.forced(at(0))), (None, None));
}
