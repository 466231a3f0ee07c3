//! A strategy that does its worst costs decisions, never the request: the prebuilt `hostile` guest on a route, in every mode.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backstop::config::{BudgetConfig, Config, ProviderConfig};
use backstop::strategy::StrategyHealth;
use backstop::types::Price;
use backstop::{Backstop, BuildError, ChatRequest, RouteError};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use serde_json::{Value, json};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const AT_ONCE: Duration = Duration::ZERO;

/// Modes whose every decision is a fault.
const FAULTY: [&str; 14] = [
    "trap",
    "loop",
    "recurse",
    "grow-memory",
    "out-of-range",
    "long-note",
    "huge-note",
    "huge-reason",
    "not-utf8",
    "wild-pointer",
    "wild-note",
    "long-delay",
    "past-deadline",
    "hold-forever",
];

/// Modes that are odd and do no harm while all is well.
const HARMLESS: [&str; 6] =
    ["ansi-reason", "hedge-at-once", "always-first", "always-last", "never-ready", "same-again"];

/// Modes that name a target, whatever became of it.
const STUBBORN: [&str; 4] = ["always-first", "always-last", "never-ready", "same-again"];

fn prebuilt(guest: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt");
    folder.join(guest).with_extension("wasm").display().to_string()
}

/// Three providers `a`, `b`, `c`, and time to compile on a busy machine.
fn config() -> Config {
    let mut config = Config::new();
    for name in ["a", "b", "c"] {
        let url = format!("https://{name}.invalid/v1").parse().unwrap();
        let provider =
            ProviderConfig::openai_compatible(url).with_model("m").with_key("TEST_KEY", "sk-canary-4f1c0d5e77a9");
        config.providers.insert(name.to_owned(), provider);
    }
    config.sandbox.compile_time = 60 * SECOND;
    config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
    config
}

async fn build<F>(
    guest: &str,
    options: &Value,
    config: Config,
    transport: &Arc<Simulated<F>>,
) -> Result<Backstop, BuildError>
where
    F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
{
    let transport: Arc<Simulated<F>> = Arc::clone(transport);
    let builder = Backstop::builder().config(config).transport(transport).seed(4);
    builder.strategy(&prebuilt(guest)).strategy_options(options.as_object().unwrap().clone()).build().await
}

/// The guest in a mode, well-behaved while it is proven.
async fn hostile<F>(mode: &str, config: Config, transport: &Arc<Simulated<F>>) -> Backstop
where
    F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
{
    let options = json!({"mode": mode, "after_proof": true});
    build("hostile", &options, config, transport).await.unwrap()
}

fn health(backstop: &Backstop) -> StrategyHealth {
    backstop.routes()[0].health
}

/// Who was called, in order.
fn way<F: Fn(&SeenCall, usize) -> Fate + Send + Sync>(transport: &Simulated<F>) -> String {
    transport.seen().iter().map(|call| call.provider.to_string()).collect()
}

// F4, RELIABILITY 57 to 59, 61
#[tokio::test(start_paused = true)]
async fn answers_in_declared_order_whatever_the_strategy_does_and_quarantines_it_after_five_faults() {
    for mode in FAULTY {
        let transport = Simulated::new(|call, _| match &*call.provider {
            "a" => Fate::Status(429, AT_ONCE, None),
            _ => Fate::Answer(AT_ONCE),
        });
        let backstop = hostile(mode, config(), &transport).await;

        let answer = backstop.chat(ChatRequest::ask("hi")).await.expect(mode);

        // One decision was lost before each attempt: at `a`, which is rate-limited, and at `b`.
        assert_eq!((&*way(&transport), answer.attempts), ("ab", 2), "{mode}");
        assert_eq!(health(&backstop), StrategyHealth { faults: 2, in_a_row: 2, quarantined: false }, "{mode}");
        let record = backstop.explain(answer.id).unwrap();
        let told = record.steps.iter().filter(|step| format!("{step:?}").contains("StrategyFault")).count();
        assert_eq!(told, 2, "{mode}: the record tells of the faults");

        for _ in 0..10 {
            backstop.chat(ChatRequest::ask("hi")).await.expect(mode);
        }

        assert_eq!(health(&backstop), StrategyHealth { faults: 5, in_a_row: 5, quarantined: true }, "{mode}");
        assert_eq!(way(&transport), "abbbbbbbbbbb", "{mode}");
    }
}

// RELIABILITY 61
#[tokio::test(start_paused = true)]
async fn gives_a_strategy_that_is_loaded_again_another_chance() {
    let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
    let quarantined = hostile("trap", config(), &transport).await;
    for _ in 0..5 {
        quarantined.chat(ChatRequest::ask("hi")).await.unwrap();
    }
    assert!(health(&quarantined).quarantined);

    let loaded_again = hostile("always-last", config(), &transport).await;
    let answer = loaded_again.chat(ChatRequest::ask("hi")).await.unwrap();

    assert_eq!(&*answer.target.unwrap().provider, "c");
    assert_eq!(health(&loaded_again), StrategyHealth { faults: 0, in_a_row: 0, quarantined: false });
}

// F4: four faults are forgiven for one good answer, and every request is answered meanwhile.
#[tokio::test(start_paused = true)]
async fn goes_on_asking_a_strategy_that_fails_now_and_then() {
    let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
    let backstop = hostile("different-each-call", config(), &transport).await;

    for _ in 0..40 {
        backstop.chat(ChatRequest::ask("hi")).await.unwrap();
    }

    assert!(health(&backstop).faults > 0 && !health(&backstop).quarantined, "{:?}", health(&backstop));
    assert_eq!(transport.seen().len(), 40);
}

// F4
#[tokio::test(start_paused = true)]
async fn is_answered_under_a_strategy_that_is_merely_odd() {
    for mode in HARMLESS {
        let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
        let backstop = hostile(mode, config(), &transport).await;

        let answer = backstop.chat(ChatRequest::ask("hi")).await.expect(mode);

        assert_eq!((answer.attempts, health(&backstop).faults), (1, 0), "{mode}");
        let record = backstop.explain(answer.id).unwrap();
        assert!(!format!("{record:?}").contains('\u{1b}'), "{mode}: an escape sequence in the record");
    }
}

// W24, F5, RELIABILITY 26, 60
#[tokio::test(start_paused = true)]
async fn ends_within_its_bounds_under_a_strategy_that_always_picks_the_dead_provider() {
    for mode in STUBBORN {
        for (trouble, fate) in [
            ("an outage", Fate::Status(500, AT_ONCE, None)),
            ("a rate limit", Fate::Status(429, AT_ONCE, Some("30"))),
            ("a dead key", Fate::Status(401, AT_ONCE, None)),
            ("silence", Fate::Silence),
        ] {
            let transport = Simulated::new(move |_, _| fate.clone());
            let mut config = config();
            config.routes["default"].max_attempts = Some(3);
            config.routes["default"].deadline = 20 * SECOND;
            let backstop = hostile(mode, config, &transport).await;
            let began = Instant::now();

            let outcome = backstop.chat(ChatRequest::ask("hi")).await;

            let place = format!("{mode} under {trouble}");
            assert!(outcome.is_err(), "{place}");
            assert!(transport.seen().len() <= 3, "{place}: {} attempts", transport.seen().len());
            assert!(began.elapsed() <= 20 * SECOND + SECOND / 10, "{place}: took {:?}", began.elapsed());
        }
    }
}

// F5, RELIABILITY 27, 60
#[tokio::test(start_paused = true)]
async fn keeps_a_named_wait_whatever_the_strategy_says() {
    let transport = Simulated::new(|call, before| match (&*call.provider, before) {
        ("a", 0) => Fate::Status(429, AT_ONCE, Some("30")),
        _ => Fate::Answer(AT_ONCE),
    });
    let mut config = config();
    config.routes["default"].emergency = true;
    config.routes["default"].deadline = 10 * SECOND;
    let backstop = hostile("always-first", config, &transport).await;

    for _ in 0..20 {
        let _ = backstop.chat(ChatRequest::ask("hi")).await;
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(transport.count("a"), 1, "asked again within the wait");
    tokio::time::sleep(20 * SECOND).await;
    let answer = backstop.chat(ChatRequest::ask("hi")).await.unwrap();

    assert_eq!(&*answer.target.unwrap().provider, "a");
}

// F5, RELIABILITY 60
#[tokio::test(start_paused = true)]
async fn keeps_limits_budgets_and_switches_whatever_the_strategy_says() {
    let dollar = |text: &str| text.parse().unwrap();
    let price = Price::new(dollar("10"), dollar("10"));
    let mut over_budget = config();
    over_budget.budget = BudgetConfig { per_request: Some(dollar("0.001")), ..over_budget.budget };
    let mut over_limit = config();
    let mut switched_off = config();
    for name in ["a", "b", "c"] {
        over_budget.providers[name].price = Some(price);
        over_limit.providers[name].limits.rpm = Some(1);
    }
    switched_off.providers["a"].enabled = false;
    switched_off.routes["default"].targets =
        ["a", "b"].map(|name| backstop::config::TargetRef { provider: name.into(), model: None }).into();

    for (rule, config, requests, allowed) in
        [("budget", over_budget, 3, 0), ("limit", over_limit, 5, 1), ("switch", switched_off, 3, 0)]
    {
        let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
        let backstop = hostile("always-first", config, &transport).await;
        for _ in 0..requests {
            let request = ChatRequest::ask("hi").with_field("max_tokens", &1_000).with_deadline(SECOND);
            let _ = backstop.chat(request).await;
        }

        assert_eq!(transport.count("a"), allowed, "{rule}");
    }
}

// RELIABILITY 60, 64: what the host puts into a guest's memory, found by looking through all of it.
#[tokio::test(start_paused = true)]
async fn shows_a_guest_labels_and_targets_but_no_key_and_no_prompt() {
    for (word, is_shown) in [
        ("moderation-of-posts", true),
        ("sk-canary-4f1c0d5e77a9", false),
        ("canary-4f1c", false),
        ("the secret of the prompt", false),
        ("a.invalid", false),
        ("TEST_KEY", false),
    ] {
        let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
        let backwards: String = word.chars().rev().collect();
        let options = json!({"mode": "spy", "after_proof": true, "backwards": backwards});
        let mut config = config();
        config.sandbox.fuel = 500_000_000;
        let backstop = build("hostile", &options, config, &transport).await.unwrap();
        let request = ChatRequest::ask("the secret of the prompt").with_label("context", "moderation-of-posts");

        let answer = backstop.chat(request).await.unwrap();

        let record = backstop.explain(answer.id).unwrap();
        let expected = if is_shown { "seen" } else { "not seen" };
        assert_eq!(reason(&format!("{:?}", record.steps)), Some(expected), "{word}: {:?}", record.steps);
    }
}

/// The strategy's reason in a record's steps.
fn reason(steps: &str) -> Option<&str> {
    steps.split_once("reason: Some(\"")?.1.split_once('"').map(|(reason, _)| reason)
}

// E5: the caller's word on a request, in its record.
#[tokio::test(start_paused = true)]
async fn keeps_the_label_of_a_request_in_its_record() {
    let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
    let backstop = hostile("always-first", config(), &transport).await;

    let answer = backstop.chat(ChatRequest::ask("hi").with_label("context", "thread-name")).await.unwrap();

    let record = backstop.explain(answer.id).unwrap();
    assert_eq!(&*record.labels, &[("context".to_owned(), "thread-name".to_owned())]);
}

// W24: a strategy that gives up is obeyed, and nothing is sent.
#[tokio::test(start_paused = true)]
async fn obeys_a_strategy_that_gives_up() {
    let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
    let backstop = hostile("always-give-up", config(), &transport).await;

    let error = backstop.chat(ChatRequest::ask("hi")).await.unwrap_err();

    assert!(matches!(error, RouteError::Unavailable { .. }), "{error}");
    assert_eq!((transport.seen().len(), health(&backstop).faults), (0, 0));
}

// F4: an attempt without time fails by its timeout, and nothing worse comes of it.
#[tokio::test(start_paused = true)]
async fn ends_soon_where_the_strategy_leaves_no_time() {
    let transport = Simulated::new(|_, _| Fate::Answer(SECOND));
    let backstop = hostile("no-time", config(), &transport).await;
    let began = Instant::now();

    let error = backstop.chat(ChatRequest::ask("hi")).await.unwrap_err();

    assert!(matches!(error, RouteError::AllFailed { .. }), "{error}");
    assert!(transport.seen().len() <= 4 && began.elapsed() < SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn refuses_to_start_with_a_strategy_that_fails_its_proof_and_names_route_and_reason() {
    let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
    let of_configure =
        ["configure-error", "configure-huge-error", "configure-trap", "configure-loop", "configure-grow"];
    for mode in of_configure.into_iter().chain(FAULTY) {
        let error = build("hostile", &json!({"mode": mode}), config(), &transport).await.err().expect(mode);

        assert!(matches!(error, BuildError::Strategy { .. }), "{mode}: {error}");
        let told = error.to_string();
        assert!(told.starts_with("route \"default\": could not load strategy") && told.len() < 1_000, "{mode}: {told}");
        assert!(told.contains("refuses") || told.contains("fails"), "{mode}: {told}");
    }
}

// RELIABILITY 57
#[tokio::test]
async fn ends_a_strategy_without_end_within_10_ms() {
    for mode in ["loop", "recurse", "grow-memory"] {
        let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
        let mut shortest = SECOND;
        // The shortest of several: the machine may be busy with something else.
        for _ in 0..4 {
            let backstop = hostile(mode, config(), &transport).await;
            for _ in 0..4 {
                let began = std::time::Instant::now();
                backstop.chat(ChatRequest::ask("hi")).await.unwrap();
                shortest = shortest.min(began.elapsed());
            }
            assert_eq!(health(&backstop).faults, 4, "{mode}");
        }

        assert!(shortest <= Duration::from_millis(10), "{mode}: {shortest:?}");
    }
}

// W11, F4
#[tokio::test(start_paused = true)]
async fn loses_only_decisions_to_a_power_that_was_not_granted() {
    let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
    let options = json!({"weights": {"a": 0, "b": 0, "c": 1}});
    let backstop = build("weighted", &options, config(), &transport).await.unwrap();

    let answer = backstop.chat(ChatRequest::ask("hi")).await.unwrap();

    let record = backstop.explain(answer.id).unwrap();
    assert_eq!((&*way(&transport), health(&backstop).faults), ("a", 1));
    assert!(format!("{:?}", record.steps).contains("which is not granted"), "{:?}", record.steps);
}

// A14, F2, W11: a strategy of one's own, by its path, with the power it was granted.
#[tokio::test(start_paused = true)]
async fn shares_requests_out_by_weight_with_the_power_it_was_granted() {
    let transport = Simulated::new(|_, _| Fate::Answer(AT_ONCE));
    let mut granted = config();
    granted.sandbox.wasi = true;
    let options = json!({"weights": {"a": 0, "b": 1, "c": 3}});
    let backstop = build("weighted", &options, granted, &transport).await.unwrap();

    for _ in 0..400 {
        backstop.chat(ChatRequest::ask("hi")).await.unwrap();
    }

    let counts = ["a", "b", "c"].map(|name| transport.count(name));
    assert_eq!((counts[0], health(&backstop).faults), (0, 0), "{counts:?}");
    assert!((60..140).contains(&counts[1]), "{counts:?}");
}
