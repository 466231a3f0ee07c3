//! The strategies that go by more than an order: by what a request is for, by what they have learnt, by what is left.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backstop::config::{BreakerConfig, Config, ProviderConfig, StrategyRef};
use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::strategy::Learning;
use backstop::types::Price;
use backstop::{Backstop, ChatRequest};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use serde_json::{Value, json};
use tokio::time::Instant;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Providers `a`, `b` and `c`, whose breakers never open: what is left alone is left alone by the strategy.
fn config(strategy: &'static str, options: &Value) -> Config {
    let mut config = Config::new();
    for name in ["a", "b", "c"] {
        let url = format!("https://{name}.invalid/v1").parse().unwrap();
        let price = Price::flat_per_1k("0.001".parse().unwrap());
        let provider = ProviderConfig::openai_compatible(url).with_model("m").with_price(price);
        config.providers.insert(name.to_owned(), provider);
    }
    unbroken(config, strategy, options)
}

fn unbroken(mut config: Config, strategy: &'static str, options: &Value) -> Config {
    config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
    config.retries.hedges = 1.0;
    config.breaker = BreakerConfig { failures: 0, success_rate: 0.0, ..BreakerConfig::default() };
    let route = config.routes.get_mut("default").unwrap();
    route.strategy = StrategyRef::BuiltIn(strategy);
    route.options = options.as_object().unwrap().clone();
    config
}

/// A backstop over simulated providers, told of each outcome before the next request.
struct Learner<F> {
    backstop: Backstop,
    learning: Arc<Learning>,
    providers: Arc<Simulated<F>>,
}

impl<F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static> Learner<F> {
    async fn new(config: Config, fate: F) -> Self {
        let (providers, learning) = (Simulated::new(fate), Arc::new(Learning::in_memory()));
        let transport: Arc<Simulated<F>> = Arc::clone(&providers);
        let builder = Backstop::builder().config(config).transport(transport).seed(11).learning(Arc::clone(&learning));
        Self { backstop: builder.build().await.unwrap(), learning, providers }
    }

    /// Asks so often; how many calls went to each provider meanwhile.
    async fn ask(&self, times: usize) -> [usize; 3] {
        let before = self.counts();
        for _ in 0..times {
            self.backstop.chat(brief()).await.unwrap();
            self.learning.settle();
        }
        let after = self.counts();
        [0, 1, 2].map(|place| after[place] - before[place])
    }

    fn counts(&self) -> [usize; 3] {
        ["a", "b", "c"].map(|name| self.providers.count(name))
    }
}

/// A question whose answer cannot cost much more than it does: what a hedge may cost is reckoned at its worst.
fn brief() -> ChatRequest {
    ChatRequest::ask("hi").with_field("max_tokens", &5)
}

async fn first_asked(backstop: &Backstop, request: ChatRequest) -> String {
    backstop.chat(request).await.unwrap().target.unwrap().provider.to_string()
}

// D6
#[tokio::test(start_paused = true)]
async fn by_task_sends_each_kind_of_request_where_the_operator_wants_it() {
    let options = json!({"tasks": {"moderation": "c", "code": ["b", "c"]}, "long": "b", "long_from": 2_000});
    let learner = Learner::new(config("by-task", &options), |_, _| Fate::Answer(ms(5))).await;
    let asked = async |request: ChatRequest| first_asked(&learner.backstop, request).await;

    let moderation = asked(ChatRequest::ask("hi").with_label("context", "moderation")).await;
    let code = asked(ChatRequest::ask("hi").with_label("context", "code")).await;
    let long = asked(ChatRequest::ask(&"word ".repeat(2_000))).await;
    let other = asked(ChatRequest::ask("hi").with_label("context", "chat")).await;

    assert_eq!([&*moderation, &*code, &*long, &*other], ["c", "b", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn by_task_falls_back_on_everybody_else() {
    let learner = Learner::new(config("by-task", &json!({"tasks": {"quiz": "c"}})), |call, _| match &*call.provider {
        "c" => Fate::Status(429, ms(5), None),
        _ => Fate::Answer(ms(5)),
    })
    .await;

    let served = first_asked(&learner.backstop, ChatRequest::ask("hi").with_label("context", "quiz")).await;

    assert_eq!((&*served, learner.counts()), ("a", [1, 0, 1]));
}

// D6
#[tokio::test(start_paused = true)]
async fn bandit_learns_who_is_soonest_and_finds_him_again_when_he_has_recovered() {
    let began = Instant::now();
    // `b` is the best for the first ten minutes, and the worst afterwards.
    let fate = move |call: &SeenCall, _| match (&*call.provider, began.elapsed() < Duration::from_secs(600)) {
        ("a", _) => Fate::Answer(ms(4_000)),
        ("b", true) | ("c", false) => Fate::Answer(ms(100)),
        _ => Fate::Answer(ms(3_000)),
    };
    let learner = Learner::new(config("bandit", &json!({})), fate).await;

    let at_first = learner.ask(10).await;
    learner.ask(100).await;
    let learnt = learner.ask(100).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    learner.ask(150).await;
    let learnt_anew = learner.ask(100).await;

    assert!(at_first.iter().filter(|calls| **calls > 0).count() > 1, "{at_first:?}");
    assert!(learnt[1] > 80, "{learnt:?}");
    assert!(learnt_anew[2] > 80, "{learnt_anew:?}");
}

#[tokio::test(start_paused = true)]
async fn bandit_leaves_a_provider_alone_that_fails_and_serves_every_request() {
    let learner = Learner::new(config("bandit", &json!({"retries": 0})), |call, _| match &*call.provider {
        "a" => Fate::Status(500, ms(5), None),
        _ => Fate::Answer(ms(500)),
    })
    .await;

    learner.ask(60).await;
    let [a, ..] = learner.ask(100).await;

    assert!(a < 15, "{a} of 100 requests went to the one that fails");
    assert_eq!(learner.backstop.stats().failed_requests, 0);
}

// D6
#[tokio::test(start_paused = true)]
async fn hedge_asks_a_second_target_when_the_first_is_slower_than_it_ever_was() {
    let options = json!({"extra_cost": 1.0});
    let learner = Learner::new(config("hedge", &options), |call, before| match (&*call.provider, before) {
        ("a", 40) => Fate::Answer(ms(60_000)),
        ("a", _) => Fate::Answer(ms(100)),
        _ => Fate::Answer(ms(50)),
    })
    .await;
    assert_eq!(learner.ask(40).await, [40, 0, 0]);

    let began = Instant::now();
    let served = first_asked(&learner.backstop, brief()).await;

    assert_eq!(&*served, "b");
    assert!((ms(150)..ms(180)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hedge_keeps_to_its_share_of_what_is_spent() {
    let learner =
        Learner::new(config("hedge", &json!({"extra_cost": 0.0})), |call, before| match (&*call.provider, before) {
            ("a", 40) => Fate::Answer(ms(3_000)),
            _ => Fate::Answer(ms(100)),
        })
        .await;
    learner.ask(40).await;

    let asked = learner.ask(1).await;

    assert_eq!(asked, [1, 0, 0]);
}

/// A provider that tells what is left of its requests, and refuses who comes when none are.
async fn with_quota(limit: usize) -> ScriptedProvider {
    let counted = std::sync::atomic::AtomicUsize::new(0);
    let script = Script::by(move |_| {
        let used = counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        match limit.checked_sub(used) {
            Some(left) => Reply::from(Answer::new("yes"))
                .header("x-ratelimit-limit-requests", limit.to_string())
                .header("x-ratelimit-remaining-requests", left.to_string()),
            None => Reply::rate_limited(Duration::from_secs(60)),
        }
    });
    ScriptedProvider::start(script).await.unwrap()
}

// D6
#[tokio::test]
async fn quota_aware_uses_up_two_quotas_alike_and_meets_no_429() {
    let (small, large) = (with_quota(40).await, with_quota(160).await);
    let mut config = Config::new();
    for (name, provider) in [("small", &small), ("large", &large)] {
        let provider = ProviderConfig::openai_compatible(provider.base_url()).with_model("m");
        config.providers.insert(name.to_owned(), provider);
    }
    let config = unbroken(config, "quota-aware", &json!({}));
    let backstop = Backstop::builder().config(config).seed(3).build().await.unwrap();

    let mut attempts = 0;
    for _ in 0..150 {
        attempts += backstop.chat(ChatRequest::ask("hi")).await.unwrap().attempts;
    }

    // Whoever took turns would have had the small one's 429 after some eighty requests.
    assert_eq!(attempts, 150);
    let share = |provider: &ScriptedProvider, limit: usize| provider.call_count() * 100 / limit;
    assert!(share(&small, 40).abs_diff(share(&large, 160)) < 30, "{} and {}", small.call_count(), large.call_count());
}

// A14: components that were built with the contract's first release, byte for byte, whatever has been added to it since.
#[tokio::test(start_paused = true)]
async fn goes_on_taking_components_that_were_built_with_the_released_contract() {
    for golden in ["smart", "weighted"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/contract-1.0.0").join(golden);
        let mut config = config("smart", &json!({}));
        config.sandbox.wasi = true;
        config.routes.get_mut("default").unwrap().strategy = StrategyRef::File(file.with_extension("wasm"));
        let learner = Learner::new(config, |_, _| Fate::Answer(ms(5))).await;

        let calls: usize = learner.ask(5).await.iter().sum();

        assert_eq!((calls, learner.backstop.routes()[0].health.faults), (5, 0), "{golden}");
    }
}
