//! The loop's promises, over thousands of simulated schedules on a paused clock.

use std::sync::Arc;
use std::time::Duration;

use backstop::config::{BreakerConfig, Config, CooldownConfig, ProviderConfig, RetryConfig};
use backstop::random::Random;
use backstop::{Backstop, ChatRequest, RouteError};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many providers `a`, `b`, `c` … of one model each.
fn config(providers: usize) -> Config {
    let mut config = Config::new();
    for name in ["a", "b", "c", "d"].into_iter().take(providers) {
        let url = format!("http://{name}.invalid/v1").parse().unwrap();
        config.providers.insert(name.to_owned(), ProviderConfig::openai_compatible(url).with_model("m"));
    }
    config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
    config
}

async fn backstop<F>(config: Config, transport: &Arc<Simulated<F>>, seed: u64) -> Backstop
where
    F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
{
    let transport: Arc<Simulated<F>> = Arc::clone(transport);
    Backstop::builder().config(config).transport(transport).seed(seed).build().await.unwrap()
}

/// A fate drawn from a seed: every kind of fault there is.
fn drawn(random: &Random) -> Fate {
    let took = ms(random.next() % 3_000);
    let waits = [None, Some("1"), Some("7"), Some("-1"), Some("garbage"), Some("1000000000000"), Some("6m0s")];
    let wait = waits[(random.next() % 7) as usize];
    let statuses = [429, 429, 500, 503, 502, 529, 400, 401, 404, 402, 413];
    match random.next() % 8 {
        0 => Fate::Answer(took),
        1 => Fate::Refused(took),
        2 => Fate::Silence,
        _ => Fate::Status(statuses[(random.next() % 11) as usize], took, wait),
    }
}

// RELIABILITY 26
#[test]
fn keeps_to_the_attempts_and_the_deadline_under_any_mix_of_faults() {
    for seed in 0..1_000 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let random = Random::seeded(seed);
            let transport = Simulated::new(move |_, _| drawn(&random));
            let mut config = config(1 + (seed as usize) % 4);
            let deadline = ms(500 + seed * 37 % 40_000);
            let route = config.routes.get_mut("default").unwrap();
            route.max_attempts = Some(1 + (seed as u32) % 6);
            route.emergency = seed % 3 == 0;
            let bound = route.max_attempts.unwrap();
            let backstop = backstop(config, &transport, seed).await;
            let request = ChatRequest::ask("hi").with_deadline(deadline);
            let began = Instant::now();

            let outcome = backstop.stream(request).await;

            let (took, attempts) = (began.elapsed(), transport.seen().len());
            assert!(attempts <= bound as usize, "seed {seed}: {attempts} attempts of {bound}");
            assert!(took <= deadline + ms(100), "seed {seed}: took {took:?} of {deadline:?}");
            drop(outcome);
        });
    }
}

// RELIABILITY 27
#[tokio::test(start_paused = true)]
async fn lets_nobody_through_while_a_named_wait_lasts_and_spreads_the_waiting_afterwards() {
    let transport = Simulated::new(|_, before| match before {
        0 => Fate::Status(429, ms(1), Some("2")),
        _ => Fate::Answer(ms(50)),
    });
    let backstop = backstop(config(1), &transport, 27).await;
    let first = tokio::spawn({
        let backstop = backstop.clone();
        async move { backstop.chat(ChatRequest::ask("the one that meets the limit")).await }
    });
    tokio::time::sleep(ms(5)).await;

    let answers = join_all((0..100).map(|_| backstop.chat(ChatRequest::ask("hi")))).await;

    let seen = transport.seen();
    let named = seen[0].at + ms(1);
    let after: Vec<Duration> = seen.iter().skip(1).map(|call| call.at).collect();
    assert!(after[0] >= named + 2 * SECOND, "a call {:?} after the limit was named", after[0] - named);
    let spread = *after.last().unwrap() - after[0];
    assert!(spread >= ms(500), "the waiting came back within {spread:?}");
    assert_eq!(after.iter().filter(|at| **at < after[0] + ms(50)).count(), 1, "more than one probe");
    assert!(answers.iter().all(Result::is_ok) && first.await.unwrap().is_ok());
}

// RELIABILITY 29
#[tokio::test(start_paused = true)]
async fn gives_a_silent_provider_up_at_the_first_token_limit_and_tries_it_once() {
    let transport = Simulated::new(|call, _| if &*call.provider == "a" { Fate::Silence } else { Fate::Answer(ms(10)) });
    let backstop = backstop(config(2), &transport, 29).await;
    let began = Instant::now();

    let stream = backstop.stream(ChatRequest::ask("hi")).await.unwrap();

    let took = began.elapsed();
    assert_eq!(&*stream.target.as_ref().unwrap().provider, "b");
    assert!(took >= ms(9_500) && took <= ms(10_500), "{took:?}");
    assert_eq!((transport.count("a"), transport.count("b")), (1, 1));
}

// RELIABILITY 32
#[tokio::test(start_paused = true)]
async fn spreads_the_retries_of_a_thousand_simultaneous_failures() {
    let transport = Simulated::new(|_, before| match before {
        0..1_000 => Fate::Status(500, ms(5), None),
        _ => Fate::Answer(ms(5)),
    });
    let mut config = config(1);
    config.breaker = BreakerConfig { failures: 0, success_rate: 0.0, ..BreakerConfig::default() };
    config.retries = RetryConfig { ratio: 1.0, floor: 2_000, hedges: 0.05 };
    let backstop = backstop(config, &transport, 32).await;

    let answers = join_all((0..1_000).map(|_| backstop.chat(ChatRequest::ask("hi")))).await;

    let retries: Vec<Duration> = transport.seen().iter().skip(1_000).map(|call| call.at).collect();
    assert!(answers.iter().all(Result::is_ok));
    let begun = ms(5);
    for slot in 0..10u32 {
        let (from, to) = (begun + slot * ms(100), begun + (slot + 1) * ms(100));
        let in_slot = retries.iter().filter(|at| **at >= from && **at < to).count();
        assert!(in_slot * 100 <= retries.len() * 15, "{in_slot} of {} retries in slot {slot}", retries.len());
    }
}

// RELIABILITY 33
#[tokio::test(start_paused = true)]
async fn makes_no_call_that_its_own_records_do_not_show() {
    let random = Random::seeded(33);
    let transport = Simulated::new(move |_, _| drawn(&random));
    let backstop = backstop(config(3), &transport, 33).await;

    for _ in 0..10_000 {
        let _ = backstop.chat(ChatRequest::ask("hi")).await;
        tokio::time::advance(ms(700)).await;
    }

    assert_eq!(backstop.stats().total_requests, 10_000);
    assert_eq!(backstop.stats().attempts, transport.seen().len() as u64);
}

// RELIABILITY 38, E8
#[tokio::test(start_paused = true)]
async fn serves_through_an_outage_of_a_minute_and_is_soon_back_on_the_primary() {
    // A breaker that opens on the third failure, as document-chat has it, keeps to the figure of 6; the default one opens on
    // the fifth, and with its three probes within the minute comes to 8.
    for (failures, most) in [(3, 6), (5, 8)] {
        let transport = Simulated::new(|call, _| match call.at {
            at if &*call.provider == "a" && at < 60 * SECOND => Fate::Status(503, ms(5), None),
            _ => Fate::Answer(ms(5)),
        });
        let mut config = config(2);
        config.breaker.failures = failures;
        config.routes.get_mut("default").unwrap().options =
            json!({"retries": 0, "primary": "a"}).as_object().unwrap().clone();
        let backstop = backstop(config, &transport, 38).await;

        for _ in 0..20 {
            backstop.chat(ChatRequest::ask("hi")).await.unwrap();
            tokio::time::sleep(3 * SECOND).await;
        }
        let during = transport.count("a");
        let mut later = Vec::new();
        for _ in 0..400 {
            later.push(backstop.chat(ChatRequest::ask("hi")).await.unwrap().target.unwrap().provider.to_string());
            tokio::time::sleep(ms(100)).await;
        }

        assert!(during <= most, "{during} attempts at the primary while it was down");
        let back = later.iter().position(|provider| provider == "a").expect("never back on the primary");
        assert!(back <= 300, "back after {back} tenths of a second");
        assert!(later[back..].iter().all(|provider| provider == "a"), "not on the primary after its first good probe");
    }
}

// RELIABILITY 41
#[tokio::test(start_paused = true)]
async fn fails_at_once_with_a_time_to_come_back_when_every_breaker_is_open() {
    let transport = Simulated::new(|_, _| Fate::Status(503, ms(1), None));
    let backstop = backstop(config(2), &transport, 41).await;
    for _ in 0..10 {
        let _ = backstop.chat(ChatRequest::ask("hi")).await;
    }
    let (before, began) = (transport.seen().len(), Instant::now());

    let error = backstop.chat(ChatRequest::ask("hi")).await.unwrap_err();

    assert!(matches!(error, RouteError::Unavailable { retry_after: Some(_), .. }), "{error}");
    assert!(began.elapsed() <= ms(20));
    assert_eq!(transport.seen().len(), before);
}

// RELIABILITY 30
#[tokio::test(start_paused = true)]
async fn asks_once_where_asking_again_is_of_no_use() {
    for (status, elsewhere) in [(400, false), (422, false), (404, true), (401, true), (403, true)] {
        let transport = Simulated::new(move |call, _| match &*call.provider {
            "a" => Fate::Status(status, ms(1), None),
            _ => Fate::Answer(ms(1)),
        });
        let backstop = backstop(config(2), &transport, 30).await;

        let outcome = backstop.chat(ChatRequest::ask("hi")).await;

        assert_eq!(transport.count("a"), 1, "{status}");
        assert_eq!(transport.count("b"), usize::from(elsewhere), "{status}");
        assert_eq!(outcome.is_ok(), elsewhere, "{status}");
    }
}

// RELIABILITY 28
#[tokio::test(start_paused = true)]
async fn takes_no_named_wait_longer_than_five_minutes() {
    for wait in ["-1", "1000000000000", "6m0s", "garbage", "Wed, 21 Oct 2015 07:28:00 GMT", "1e400", "NaN"] {
        let transport = Simulated::new(move |_, before| match before {
            0 => Fate::Status(429, ms(1), Some(wait)),
            _ => Fate::Answer(ms(1)),
        });
        let mut config = config(1);
        config.cooldown = CooldownConfig::default();
        config.routes.get_mut("default").unwrap().deadline = 400 * SECOND;
        let backstop = backstop(config, &transport, 28).await;

        let answer = backstop.chat(ChatRequest::ask("hi")).await;

        assert!(answer.is_ok(), "{wait}: {answer:?}");
        let seen = transport.seen();
        assert!(seen[1].at - seen[0].at <= 302 * SECOND, "{wait}: {:?}", seen[1].at - seen[0].at);
    }
}
