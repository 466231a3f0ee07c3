//! Whole simulations: what holds of each, whatever the scenario.

use std::time::Duration;

use super::*;
use crate::config::scenario::{parse_contender, parse_scenario};

const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// A short scenario with everything that could depend on an order: failures, waits, probes, hedges, lines, new prices.
const EVERYTHING: &str = r#"
duration = "60s"
start = "2026-01-05T23:59:30Z"

[providers.a]
failures = { server_error = 0.05, interrupted = 0.05, timeout = 0.01, rate_limited = 0.02, connection = 0.02 }
retry_after = "3s"
bounds = { rpm = 300, concurrent = 12 }
priority = 3
price = { input_per_mtok = "3", output_per_mtok = "15" }
timeouts = { first_token = "4s" }
[[providers.a.phases]]
from = "20s"
to = "35s"
outage = "server_error"

[providers.b]
failures = { malformed_reply = 0.02, overloaded = 0.05, content_filtered = 0.01 }
limits = { rpm = 240, queue = "2s" }
priority = 2
price = { input_per_mtok = "1", output_per_mtok = "4" }
[[providers.b.phases]]
from = "30s"
slower = 3
price = { input_per_mtok = "2", output_per_mtok = "8" }

[providers.c]
bounds = { rpd = 40 }
knows_bounds = true
quality = 0.5
price = { input_per_mtok = "0", output_per_mtok = "0" }

[[traffic]]
rate = [{ at = "0s", per_second = 2 }, { at = "40s", per_second = 9 }]
streaming = 0.6
output_tokens = { p50 = 100, p95 = 400 }
max_tokens = 500
ask_again = { times = 1 }
[[traffic.bursts]]
at = "15s"
requests = 30

[budget]
daily_usd = "2"

[strategies.hedging]
strategy = "smart"
options = { hedge = "700ms" }
"#;

fn simulated(text: &str, strategies: &[&str], seed: u64, threads: NonZeroUsize) -> Vec<Outcome> {
    let scenario = parse_scenario("test", text).unwrap_or_else(|error| panic!("{error}"));
    let own = |word: &str| scenario.contenders.iter().find(|contender| contender.name == word).cloned();
    let contender = |word: &&str| own(word).unwrap_or_else(|| parse_contender(word).unwrap());
    let contenders: Vec<Contender> = strategies.iter().map(contender).collect();
    simulate(&scenario, &contenders, seed, threads).unwrap()
}

fn json(outcomes: &[Outcome]) -> String {
    serde_json::to_string_pretty(outcomes).unwrap()
}

#[test]
fn the_same_seed_brings_the_same_outcomes_on_however_many_threads() {
    let strategies = ["smart", "hedging", "round-robin", "cost", "bandit"];

    let one = simulated(EVERYTHING, &strategies, 7, NonZeroUsize::MIN);
    let again = simulated(EVERYTHING, &strategies, 7, TWO);
    let other = simulated(EVERYTHING, &strategies, 8, TWO);

    assert_eq!(json(&one), json(&again));
    assert_ne!(json(&one), json(&other));
    for outcome in &one {
        let told = format!("{}: {} of {}", outcome.strategy, outcome.answered, outcome.requests);
        assert!(
            outcome.answered > 100 && outcome.attempts > outcome.answered && !outcome.failures.is_empty(),
            "{told}"
        );
    }
}

#[test]
fn every_request_that_came_in_is_told_of_once() {
    let text = r#"
        duration = "20s"
        [providers.a]
        quality = 0.9
        [providers.b]
        quality = 0.6
        [[traffic]]
        rate = 3
        arrivals = "even"
        [[traffic.bursts]]
        at = "5s"
        requests = 7
    "#;

    let outcomes = simulated(text, &["round-robin", "quality"], 1, TWO);

    for outcome in outcomes {
        let told: u64 = outcome.timeline.iter().map(|slice| slice.requests).sum();
        let answers: u64 = outcome.answers.values().sum();
        assert_eq!((outcome.callers, outcome.callers_answered), (66, 66), "{}", outcome.strategy);
        assert_eq!((outcome.requests, outcome.answered, told, answers), (66, 66, 66, 66), "{}", outcome.strategy);
        let qualities = outcome.answers.values().zip([0.9, 0.6]).map(|(count, quality)| quality * count_of(*count));
        let mean = qualities.sum::<f64>() / 66.0;
        assert!((outcome.quality.unwrap() - mean).abs() < 1e-9, "{}", outcome.strategy);
    }
}

fn count_of(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[test]
fn tells_latency_and_cost_as_the_scenario_has_them() {
    let text = r#"
        duration = "10s"
        [providers.only]
        first_token = "250ms"
        total = "2s"
        price = { input_per_mtok = "10", output_per_mtok = "20" }
        [[traffic]]
        rate = 1
        arrivals = "even"
        input_tokens = 1000
        output_tokens = 500
        streaming = 1.0
    "#;

    let outcome = simulated(text, &["smart"], 1, NonZeroUsize::MIN).remove(0);

    let all = |ms| Some(Spread { p50: ms, p95: ms, p99: ms });
    assert_eq!((outcome.first_token_ms, outcome.answer_ms), (all(250.0), all(2_000.0)));
    // Ten thousandths of a dollar's input, and as much for half as many tokens of output at twice the price.
    assert_eq!((outcome.requests, outcome.cost_usd.decimal()), (9, "0.18".to_owned()));
}

#[test]
fn an_outage_is_got_around_and_its_end_noticed() {
    let text = r#"
        duration = "3m"
        [providers.first]
        priority = 2
        [[providers.first.phases]]
        from = "60s"
        to = "90s"
        outage = "server_error"
        [providers.second]
        [[traffic]]
        rate = 4
    "#;

    let outcome = simulated(text, &["quality"], 1, NonZeroUsize::MIN).remove(0);

    assert_eq!(outcome.answered, outcome.requests);
    assert!(outcome.answers["second"] > 0 && outcome.answers["first"] > outcome.answers["second"], "{outcome:#?}");
    let [recovery] = &outcome.recoveries[..] else { panic!("one outage") };
    // A breaker's pauses double up to 30 s, and one request probes when they end.
    assert!((0.0..40.0).contains(&recovery.recovered_after.unwrap()), "{recovery:?}");
    assert_eq!((recovery.provider.as_str(), recovery.ended.to_bits()), ("first", 90f64.to_bits()));
}

#[test]
fn a_price_that_changes_is_paid_from_then_on() {
    let text = r#"
        duration = "20s"
        [providers.only]
        total = "100ms"
        first_token = "100ms"
        price = { input_per_mtok = "1", output_per_mtok = "1" }
        [[providers.only.phases]]
        from = "10s"
        price = { input_per_mtok = "3", output_per_mtok = "3" }
        [[traffic]]
        rate = 2
        arrivals = "even"
        input_tokens = 600
        output_tokens = 400
    "#;

    let outcome = simulated(text, &["cost"], 1, NonZeroUsize::MIN).remove(0);

    let per_slice: Vec<String> = outcome.timeline.iter().map(|slice| slice.cost_usd.decimal()).collect();
    assert_eq!((&*per_slice[5], &*per_slice[15]), ("0.002", "0.006"));
}

#[test]
fn callers_who_get_no_answer_ask_again_as_often_as_they_do() {
    let text = r#"
        duration = "5s"
        [providers.dead]
        failures = { server_error = 1.0 }
        [[traffic]]
        rate = 1
        arrivals = "even"
        ask_again = { times = 2, after = "1s" }
    "#;

    let outcome = simulated(text, &["fail-fast"], 1, NonZeroUsize::MIN).remove(0);

    assert_eq!((outcome.callers, outcome.callers_answered), (4, 0));
    assert_eq!((outcome.requests, outcome.answered), (12, 0), "each asks three times");
    assert_eq!(outcome.failures.values().sum::<u64>(), 12);
}

#[test]
fn names_the_strategy_that_cannot_be_loaded() {
    let scenario = parse_scenario("test", "[providers.a]\n[[traffic]]\nrate = 1\n").unwrap();
    let contender = parse_contender("nowhere.wasm").unwrap();

    let error = simulate(&scenario, &[contender], 1, NonZeroUsize::MIN).unwrap_err();

    assert!(error.to_string().starts_with("strategy nowhere.wasm: "), "{error}");
    assert_eq!(scenario.duration, Duration::from_secs(600));
}

#[test]
fn extremes_are_simulated_to_the_end() {
    let text = r#"
        duration = "1h"
        start = "9999-12-30T22:00:00Z"
        [providers.endless]
        first_token = { p50 = "1ms", p95 = "700h" }
        total = { p50 = "1ms", p95 = "720h" }
        [[providers.endless.phases]]
        slower = 1000
        [providers.instant]
        first_token = "0s"
        total = "0s"
        refusal = "0s"
        failures = { server_error = 0.5 }
        [[traffic]]
        rate = 0.01
        streaming = 0.5
        ask_again = { times = 3, after = "0s" }
        [[traffic.bursts]]
        at = "59m"
        requests = 20
        within = "0s"
    "#;

    let outcomes = simulated(text, &["smart", "round-robin"], 3, TWO);

    assert!(
        outcomes.iter().all(|outcome| outcome.callers >= 20 && outcome.requests >= outcome.callers),
        "{outcomes:#?}"
    );
}
