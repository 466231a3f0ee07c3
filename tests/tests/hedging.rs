//! A second attempt beside a slow one: when it is made, who wins, how the loser ends, and what both cost.

use std::sync::Arc;
use std::time::{Duration, Instant as WallInstant};

use backstop::config::{BudgetConfig, Config, ProviderConfig, StrategyRef};
use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::types::{AttemptEnd, Outcome, RequestRecord};
use backstop::{Backstop, ChatRequest, NanoUsd, Price, RouteError};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

const SHAPES: [Shape; 2] = [Shape::Whole, Shape::Streamed];

/// What a token costs at every provider here.
const TOKEN: u64 = 1_000;

/// What an answer of a simulated provider costs: 11 tokens.
const ANSWER: u64 = 11 * TOKEN;

/// How an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Whole,
    Streamed,
}

/// An answer, whichever way it came.
#[derive(Debug)]
struct Told {
    provider: String,
    cost: Option<NanoUsd>,
    attempts: u32,
    took: Duration,
    record: Arc<RequestRecord>,
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many providers `a`, `b`, `c` on a route that hedges after 100 ms as often as it likes.
fn config(providers: usize) -> Config {
    let urls = ["a", "b", "c"].map(|name| (name, format!("http://{name}.invalid/v1").parse().unwrap()));
    let mut config = Config::new();
    for (name, url) in urls.into_iter().take(providers) {
        config
            .providers
            .insert(name.to_owned(), ProviderConfig::openai_compatible(url).with_model("m").with_price(price()));
    }
    hedged(config)
}

fn hedged(mut config: Config) -> Config {
    config.retries.hedges = 1.0;
    config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
    with_options(config, &json!({"hedge": "100ms", "retries": 0}))
}

fn with_options(mut config: Config, options: &Value) -> Config {
    config.routes["default"].options = options.as_object().unwrap().clone();
    config
}

fn price() -> Price {
    Price::flat_per_1k("0.001".parse().unwrap())
}

async fn backstop<F>(config: Config, transport: &Arc<Simulated<F>>) -> Backstop
where
    F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
{
    let transport: Arc<Simulated<F>> = Arc::clone(transport);
    Backstop::builder().config(config).transport(transport).seed(34).build().await.unwrap()
}

/// Asks, and takes the answer to its end.
async fn ask(backstop: &Backstop, shape: Shape) -> Result<Told, RouteError> {
    let began = Instant::now();
    let request = ChatRequest::ask("hi");
    let (target, cost, attempts, id) = match shape {
        Shape::Whole => {
            let answer = backstop.chat(request).await?;
            (answer.target, answer.cost, answer.attempts, answer.id)
        }
        Shape::Streamed => {
            let mut stream = backstop.stream(request).await?;
            while let Some(chunk) = stream.next().await {
                chunk.unwrap();
            }
            (stream.target.clone(), stream.cost, stream.attempts, stream.id)
        }
    };
    let record = backstop.explain(id).unwrap();
    Ok(Told { provider: target.unwrap().provider.to_string(), cost, attempts, took: began.elapsed(), record })
}

/// Each attempt of a record: who, and how it ended.
fn ends(record: &RequestRecord) -> Vec<(&str, &'static str)> {
    let word = |end: &AttemptEnd| match end {
        AttemptEnd::Served => "served",
        AttemptEnd::Failed(_) => "failed",
        AttemptEnd::Cancelled => "cancelled",
    };
    record.attempts.iter().map(|attempt| (&*attempt.target.provider, word(&attempt.end))).collect()
}

/// The most that one attempt may cost.
fn worst_case(backstop: &Backstop) -> u64 {
    backstop.estimate(&ChatRequest::ask("hi")).unwrap()[0].cost.unwrap().nanos()
}

async fn worst_case_of_one_attempt() -> u64 {
    worst_case(&backstop(config(2), &Simulated::new(|_, _| Fate::Silence)).await)
}

fn daily(nanos: u64) -> BudgetConfig {
    BudgetConfig { daily: Some(NanoUsd::from_nanos(nanos)), ..BudgetConfig::default() }
}

/// `a` answers after a minute the first time, at once later; `b` after 200 ms.
fn slow_at_first(call: &SeenCall, before: usize) -> Fate {
    match (&*call.provider, before) {
        ("a", 0) => Fate::Answer(ms(5_000)),
        ("a", _) => Fate::Answer(ms(1)),
        _ => Fate::Answer(ms(200)),
    }
}

// RELIABILITY 34
#[tokio::test(start_paused = true)]
async fn lets_the_second_answer_where_the_first_is_slow_and_gives_the_first_up_at_once() {
    for shape in SHAPES {
        let transport = Simulated::new(slow_at_first);
        let backstop = backstop(config(2), &transport).await;

        let told = ask(&backstop, shape).await.unwrap();

        assert_eq!((told.provider.as_str(), told.attempts), ("b", 2), "{shape:?}");
        assert!(told.took >= ms(300) && told.took <= ms(310), "{shape:?}: {:?}", told.took);
        assert_eq!(ends(&told.record), [("b", "served"), ("a", "cancelled")], "{shape:?}");
        let given_up = transport.given_up();
        assert_eq!((given_up.len(), &*given_up[0].provider), (1, "a"), "{shape:?}");
        let answered = transport.seen()[1].at + ms(200);
        assert!(given_up[0].at <= answered + ms(50), "{shape:?}: {:?} after the answer", given_up[0].at - answered);
        assert_eq!(backstop.stats().attempts, 2);
    }
}

// RELIABILITY 34: as the slow provider sees it, on a socket; before the head of its reply, and after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_the_losers_connection_within_50_ms() {
    let slow: [fn() -> Reply; 2] = [
        || Reply::answer("too late").after(Duration::from_secs(60)),
        || Answer::new("too late").first_token_after(Duration::from_secs(60)).into(),
    ];
    for (shape, slow) in SHAPES.into_iter().flat_map(|shape| slow.map(|slow| (shape, slow))) {
        let first = ScriptedProvider::start(Script::always(slow())).await.unwrap();
        let second = ScriptedProvider::start(Script::always(Reply::answer("in time"))).await.unwrap();
        let mut config = Config::new();
        for (name, of) in [("a", &first), ("b", &second)] {
            let provider = ProviderConfig::openai_compatible(of.base_url()).with_model("m").with_price(price());
            config.providers.insert(name.to_owned(), provider);
        }
        let options = json!({"hedge": "20ms", "retries": 0, "primary": "a"});
        let backstop = Backstop::builder().config(with_options(hedged(config), &options)).build().await.unwrap();

        let mut waits = Vec::new();
        for number in 1..=9 {
            let told = ask(&backstop, shape).await.unwrap();
            let answered = WallInstant::now();
            first.disconnects_reach(number).await;
            waits.push(answered.elapsed());
            assert_eq!(told.provider, "b", "{shape:?}");
        }

        // The median: a machine may be busy with something else for once.
        waits.sort();
        assert!(waits[4] <= ms(50), "{shape:?}: {waits:?}");
        assert_eq!((first.call_count(), second.call_count()), (9, 9), "{shape:?}");
    }
}

// RELIABILITY 34
#[tokio::test(start_paused = true)]
async fn makes_no_second_attempt_that_the_day_cannot_pay_for_beside_the_first() {
    let worst_case = worst_case_of_one_attempt().await;
    for (shape, budget) in SHAPES.into_iter().flat_map(|shape| {
        let in_one_request = NanoUsd::from_nanos(2 * worst_case - 1);
        let per_request = BudgetConfig { per_request: Some(in_one_request), ..BudgetConfig::default() };
        [(shape, daily(2 * worst_case - 1)), (shape, per_request)]
    }) {
        let transport = Simulated::new(slow_at_first);
        let backstop = backstop(Config { budget, ..config(2) }, &transport).await;

        let told = ask(&backstop, shape).await.unwrap();

        assert_eq!((told.provider.as_str(), told.attempts), ("a", 1), "{shape:?}");
        assert_eq!(transport.seen().len(), 1, "{shape:?}");
        assert_eq!(told.cost, Some(NanoUsd::from_nanos(ANSWER)), "{shape:?}");
    }
}

// RELIABILITY 34
#[tokio::test(start_paused = true)]
async fn reserves_for_both_and_settles_the_loser_at_its_worst_case() {
    let worst_case = worst_case_of_one_attempt().await;
    let cost = worst_case + ANSWER;
    // What is left of the day pays for one more request, or misses that by the smallest amount.
    for (shape, short) in SHAPES.into_iter().flat_map(|shape| [(shape, 0), (shape, 1)]) {
        let transport = Simulated::new(slow_at_first);
        let limit = cost + worst_case - short;
        let backstop = backstop(Config { budget: daily(limit), ..config(2) }, &transport).await;
        let hedged = tokio::spawn({
            let backstop = backstop.clone();
            async move { ask(&backstop, shape).await }
        });
        tokio::time::sleep(ms(150)).await;
        assert_eq!(transport.seen().len(), 2, "{shape:?}: both are under way");

        let meanwhile = ask(&backstop, shape).await;
        let told = hedged.await.unwrap().unwrap();
        let afterwards = ask(&backstop, shape).await;

        assert!(matches!(meanwhile, Err(RouteError::BudgetExceeded { .. })), "{shape:?}: {meanwhile:?}");
        assert_eq!(told.cost, Some(NanoUsd::from_nanos(cost)), "{shape:?}");
        assert_eq!(told.record.cost, told.cost, "{shape:?}");
        assert_eq!(afterwards.is_ok(), short == 0, "{shape:?} {short}: {afterwards:?}");
    }
}

// RELIABILITY 34: everybody is slow, so that every request would like to hedge.
#[tokio::test(start_paused = true)]
async fn adds_at_most_one_attempt_to_twenty_requests_by_default_and_none_where_it_is_off() {
    for (strategy, shape) in [
        ("smart", Shape::Whole),
        ("smart", Shape::Streamed),
        ("round-robin", Shape::Whole),
        ("quality", Shape::Whole),
        ("cost", Shape::Streamed),
    ] {
        for (options, most) in [(json!({"hedge": "100ms"}), 50), (json!({"hedge": "off"}), 0), (json!({}), 0)] {
            let transport = Simulated::new(|_, _| Fate::Answer(ms(1_000)));
            let mut config = with_options(config(2), &options);
            config.retries = Config::new().retries;
            config.routes["default"].strategy = StrategyRef::BuiltIn(strategy);
            let backstop = backstop(config, &transport).await;

            for _ in 0..10 {
                let answers = join_all((0..100).map(|_| ask(&backstop, shape))).await;
                assert!(answers.iter().all(Result::is_ok));
            }

            let extra = transport.seen().len() - 1_000;
            assert!(extra <= most, "{strategy} {shape:?} {options}: {extra} extra");
            assert!(extra + 1 >= most, "{strategy} {shape:?} {options}: only {extra} extra");
            assert_eq!(backstop.stats().attempts, 1_000 + extra as u64);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn falls_back_as_ever_where_the_first_fails_before_the_second_is_due() {
    for shape in SHAPES {
        let transport = Simulated::new(|call, _| match &*call.provider {
            "a" => Fate::Status(500, ms(50), None),
            _ => Fate::Answer(ms(30)),
        });
        let mut config = config(2);
        config.retries.hedges = 0.0;
        let backstop = backstop(config, &transport).await;

        let told = ask(&backstop, shape).await.unwrap();

        assert_eq!(ends(&told.record), [("a", "failed"), ("b", "served")], "{shape:?}");
        assert!(told.took <= ms(90), "{shape:?}: {:?}", told.took);
        assert!(transport.given_up().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn goes_on_with_the_other_where_one_of_two_fails() {
    let first_fails = |call: &SeenCall, _| match &*call.provider {
        "a" => Fate::Status(503, ms(150), None),
        _ => Fate::Answer(ms(300)),
    };
    let second_fails = |call: &SeenCall, _| match &*call.provider {
        "a" => Fate::Answer(ms(400)),
        _ => Fate::Refused(ms(50)),
    };
    for shape in SHAPES {
        for (fate, ended) in [
            (first_fails as fn(&SeenCall, usize) -> Fate, [("a", "failed"), ("b", "served")]),
            (second_fails, [("b", "failed"), ("a", "served")]),
        ] {
            let transport = Simulated::new(fate);
            let backstop = backstop(config(2), &transport).await;

            let told = ask(&backstop, shape).await.unwrap();

            assert_eq!(ends(&told.record), ended, "{shape:?}");
            assert!(told.took >= ms(400) && told.took <= ms(410), "{shape:?}: {:?}", told.took);
            assert_eq!((told.attempts, transport.seen().len()), (2, 2), "{shape:?}");
            assert!(transport.given_up().is_empty(), "{shape:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ends_at_once_and_gives_the_second_up_where_the_request_itself_is_refused() {
    for shape in SHAPES {
        let transport = Simulated::new(|call, _| match &*call.provider {
            "a" => Fate::Status(400, ms(150), None),
            _ => Fate::Answer(ms(5_000)),
        });
        let backstop = backstop(config(2), &transport).await;
        let began = Instant::now();

        let error = ask(&backstop, shape).await.unwrap_err();

        let RouteError::Rejected { id, attempts, .. } = error else { panic!("{shape:?}: {error}") };
        assert!(began.elapsed() <= ms(160), "{shape:?}: {:?}", began.elapsed());
        assert_eq!(transport.given_up().iter().map(|call| &*call.provider).collect::<Vec<_>>(), ["b"], "{shape:?}");
        let record = backstop.explain(id).unwrap();
        assert_eq!(ends(&record), [("a", "failed"), ("b", "cancelled")], "{shape:?}");
        assert_eq!(attempts, record.attempts, "{shape:?}");
        assert_eq!(backstop.stats().attempts, 2, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lets_those_under_way_serve_when_no_attempt_is_left() {
    for shape in SHAPES {
        let transport = Simulated::new(|call, _| match &*call.provider {
            "a" => Fate::Answer(ms(500)),
            _ => Fate::Status(500, ms(50), None),
        });
        let mut config = config(3);
        config.routes["default"].max_attempts = Some(2);
        let backstop = backstop(config, &transport).await;

        let told = ask(&backstop, shape).await.unwrap();

        assert_eq!(ends(&told.record), [("b", "failed"), ("a", "served")], "{shape:?}");
        assert_eq!(transport.seen().len(), 2, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn gives_up_and_settles_both_when_the_caller_leaves() {
    let worst_case = worst_case_of_one_attempt().await;
    for shape in SHAPES {
        let transport = Simulated::new(|_, before| if before == 0 { Fate::Silence } else { Fate::Answer(ms(1)) });
        let backstop = backstop(Config { budget: daily(3 * worst_case - 1), ..config(2) }, &transport).await;

        let left = tokio::time::timeout(ms(200), ask(&backstop, shape)).await;

        assert!(left.is_err(), "{shape:?}");
        assert_eq!((transport.seen().len(), transport.given_up().len()), (2, 2), "{shape:?}");
        assert_eq!(backstop.latest(1)[0].outcome, Outcome::Abandoned, "{shape:?}");
        let next = ask(&backstop, shape).await;
        assert!(matches!(next, Err(RouteError::BudgetExceeded { .. })), "{shape:?}: both cost their worst case");
    }
}
