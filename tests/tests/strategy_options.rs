//! What the options of the built-in strategies come to, to the millisecond, on a paused clock.

use std::sync::Arc;
use std::time::Duration;

use backstop::config::{BreakerConfig, Config, CooldownConfig, ProviderConfig, RetryConfig};
use backstop::{Backstop, ChatRequest};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const AT_ONCE: Duration = Duration::ZERO;

/// Providers `a`, `b` … with their models, on a route with this strategy and these options.
fn config(providers: &[(&str, &[&str])], options: &Value) -> Config {
    let mut config = Config::new();
    for (name, models) in providers {
        let url = format!("http://{name}.invalid/v1").parse().unwrap();
        let provider = ProviderConfig::openai_compatible(url);
        let provider = models.iter().fold(provider, |provider, model| provider.with_model(model));
        config.providers.insert((*name).to_owned(), provider);
    }
    config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
    config.routes["default"].options = options.as_object().unwrap().clone();
    config
}

async fn backstop<F>(config: Config, strategy: &str, transport: &Arc<Simulated<F>>, seed: u64) -> Backstop
where
    F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
{
    let transport: Arc<Simulated<F>> = Arc::clone(transport);
    let builder = Backstop::builder().config(config).strategy(strategy).transport(transport).seed(seed);
    builder.build().await.unwrap()
}

fn names(seen: &[SeenCall]) -> Vec<&str> {
    seen.iter().map(|call| &*call.provider).collect()
}

/// The settings of the terminal tool: five attempts on each model, delays of 2, 4, 8 and 16 s.
fn depth_first(jitter: f64) -> Config {
    let options = json!({
        "rotate": false, "attempts": 5, "retries": 4, "base_delay": "2s", "max_delay": "60s", "jitter": jitter,
        "patience": "60s",
    });
    let mut config = config(&[("a", &["one", "two"]), ("b", &["three"])], &options);
    config.cooldown = CooldownConfig { rate_limited: AT_ONCE, ..CooldownConfig::default() };
    config.breaker = BreakerConfig { failures: 0, success_rate: 0.0, ..BreakerConfig::default() };
    config.retries = RetryConfig { floor: 1_000, ..RetryConfig::default() };
    config.routes["default"].max_attempts = Some(100);
    config.routes["default"].deadline = 600 * SECOND;
    config
}

// C2, C3
#[tokio::test(start_paused = true)]
async fn makes_all_attempts_on_a_model_then_on_the_next_then_at_the_next_provider() {
    for (trouble, status) in [("a rate limit", 429), ("an outage", 500)] {
        let transport = Simulated::new(move |_, _| Fate::Status(status, AT_ONCE, None));
        let backstop = backstop(depth_first(0.0), "round-robin", &transport, 3).await;

        let outcome = backstop.chat(ChatRequest::ask("hi")).await;

        assert!(outcome.is_err(), "{trouble}");
        let seen = transport.seen();
        let models: Vec<&str> = seen.iter().map(|call| &*call.model).collect();
        assert_eq!(models, [["one"; 5], ["two"; 5], ["three"; 5]].concat(), "{trouble}");
        let begun = seen[0].at;
        let times: Vec<u64> = seen.iter().map(|call| (call.at - begun).as_secs()).collect();
        assert_eq!(times, [0, 2, 6, 14, 30, 30, 32, 36, 44, 60, 60, 62, 66, 74, 90], "{trouble}");
    }
}

// C3
#[tokio::test(start_paused = true)]
async fn takes_up_to_a_fifth_off_each_delay_and_never_more_than_the_cap() {
    for seed in 0..20 {
        let transport = Simulated::new(|_, _| Fate::Status(500, AT_ONCE, None));
        let mut config = depth_first(0.2);
        config.routes["default"].options["attempts"] = json!(8);
        config.routes["default"].options["retries"] = json!(7);
        let backstop = backstop(config, "round-robin", &transport, seed).await;

        let _ = backstop.chat(ChatRequest::ask("hi")).await;

        let mut seen = transport.seen();
        seen.retain(|call| call.model == "one");
        let delays = seen.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64());
        for (delay, full) in delays.zip([2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
            // A wait is rounded to whole milliseconds.
            assert!(delay >= full * 0.8 - 0.002 && delay <= full + 0.002, "seed {seed}: {delay} s of {full} s");
        }
        assert_eq!(seen.len(), 8, "seed {seed}");
    }
}

// A1, D1
#[tokio::test(start_paused = true)]
async fn asks_the_primary_then_the_others_then_everyone_again_in_an_emergency() {
    for strategy in ["smart", "cost", "quality", "round-robin"] {
        let transport = Simulated::new(|_, before| match before {
            0 => Fate::Status(429, AT_ONCE, None),
            _ => Fate::Answer(AT_ONCE),
        });
        let mut config = config(&[("a", &["m"]), ("b", &["m"]), ("c", &["m"])], &json!({"primary": "b"}));
        config.routes["default"].emergency = true;
        let backstop = backstop(config, strategy, &transport, 1).await;

        let answer = backstop.chat(ChatRequest::ask("hi")).await.unwrap();

        assert_eq!(names(&transport.seen()), ["b", "a", "c", "b"], "{strategy}");
        assert_eq!(answer.attempts, 4, "{strategy}");
    }
}

// D1
#[tokio::test(start_paused = true)]
async fn swaps_the_order_with_the_primary() {
    for (primary, expected) in [("a", ["a", "b"]), ("b", ["b", "a"])] {
        let transport = Simulated::new(|_, _| Fate::Status(503, AT_ONCE, None));
        let options = json!({"primary": primary, "retries": 0});
        let backstop = backstop(config(&[("a", &["m"]), ("b", &["m"])], &options), "smart", &transport, 1).await;

        let _ = backstop.chat(ChatRequest::ask("hi")).await;

        assert_eq!(names(&transport.seen()), expected);
    }
}

// E2, E8: the community bot's settings, with the first rate-limited for five minutes and the second out for five seconds.
#[tokio::test(start_paused = true)]
async fn keeps_to_the_one_that_served_last_until_the_first_is_back() {
    let transport = Simulated::new(|call, _| match (&*call.provider, call.at.as_secs()) {
        ("a", 0..299) => Fate::Status(429, AT_ONCE, None),
        _ => Fate::Answer(AT_ONCE),
    });
    let options = json!({"rotate": false, "retries": 0, "sticky": true});
    let mut config = config(&[("a", &["m"]), ("b", &["x", "y"]), ("c", &["m"])], &options);
    config.cooldown = CooldownConfig { rate_limited: 5 * MINUTE, ..CooldownConfig::default() };
    config.breaker = BreakerConfig { failures: 1, pause: 5 * SECOND, ..BreakerConfig::default() };
    config.routes["default"].prefer_for = 30 * MINUTE;
    let backstop = backstop(config, "round-robin", &transport, 1).await;

    backstop.report_failure("b", backstop::FailureKind::ServerError).unwrap();
    let mut served = Vec::new();
    for _ in 0..7 {
        let answer = backstop.chat(ChatRequest::ask("hi")).await.unwrap();
        served.push(answer.target.unwrap().provider.to_string());
        tokio::time::sleep(MINUTE).await;
    }

    // `b` is back after 5 s, but `c` served last; `a` comes first again as soon as it may be asked.
    assert_eq!(served, ["c", "c", "c", "c", "c", "a", "a"]);
    assert_eq!(names(&transport.seen()), ["a", "c", "c", "c", "c", "c", "a", "a"]);
}

// E2: a preference ends with its time.
#[tokio::test(start_paused = true)]
async fn forgets_who_served_last_when_its_time_is_up() {
    for (lasting, expected) in [(10 * MINUTE, "c"), (MINUTE / 2, "b")] {
        let transport = Simulated::new(|call, _| match &*call.provider {
            "a" => Fate::Status(429, AT_ONCE, Some("290")),
            _ => Fate::Answer(AT_ONCE),
        });
        let options = json!({"rotate": false, "retries": 0});
        let mut config = config(&[("a", &["m"]), ("b", &["m"]), ("c", &["m"])], &options);
        config.routes["default"].prefer_for = lasting;
        config.breaker = BreakerConfig { failures: 1, ..BreakerConfig::default() };
        let backstop = backstop(config, "round-robin", &transport, 1).await;
        backstop.report_failure("b", backstop::FailureKind::ServerError).unwrap();
        backstop.chat(ChatRequest::ask("hi")).await.unwrap();
        tokio::time::sleep(MINUTE).await;

        let answer = backstop.chat(ChatRequest::ask("hi")).await.unwrap();

        assert_eq!(&*answer.target.unwrap().provider, expected, "{lasting:?}");
    }
}

// E4
#[tokio::test(start_paused = true)]
async fn tells_primary_fallbacks_and_who_served_last() {
    let transport = Simulated::new(|call, _| match &*call.provider {
        "b" => Fate::Status(503, AT_ONCE, None),
        _ => Fate::Answer(AT_ONCE),
    });
    let options = json!({"primary": "b", "retries": 0});
    let mut config = config(&[("a", &["m"]), ("b", &["x", "y"]), ("c", &["m"])], &options);
    config.routes["default"].prefer_for = 30 * MINUTE;
    let backstop = backstop(config, "quality", &transport, 1).await;
    let shown = |name: Option<Arc<backstop::types::TargetName>>| name.map(|name| name.to_string());

    let before = backstop.routes().remove(0);
    backstop.chat(ChatRequest::ask("hi")).await.unwrap();
    backstop.force_provider("c", SECOND).unwrap();
    let after = backstop.routes().remove(0);

    let fallbacks: Vec<String> = before.fallbacks.iter().map(ToString::to_string).collect();
    assert_eq!((shown(before.primary).as_deref(), before.preferred, before.forced), (Some("b/x"), None, None));
    assert_eq!(fallbacks, ["a/m", "b/y", "c/m"]);
    assert_eq!((shown(after.preferred).as_deref(), after.forced.as_deref()), (Some("a/m"), Some("c")));
    backstop.clear_preference();
    let cleared = backstop.routes().remove(0);
    assert_eq!((cleared.preferred, cleared.forced), (None, None));
}
