//! The operator's limits, and the line before them (A12, B4, R42), over simulated providers on a paused clock and real ones on
//! sockets.

use std::sync::Arc;
use std::time::Duration;

use backstop::config::{Config, Limits, ModelConfig, ProviderConfig};
use backstop::scripted::{Fault, Gate, Place, Reply, Script, ScriptedProvider};
use backstop::types::{Event, Outcome};
use backstop::{Backstop, ChatRequest, Gateway, RouteError};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use backstop_tests::{exchange, post};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn limited(limits: Limits) -> Config {
    let url = "http://alpha.invalid/v1".parse().unwrap();
    let mut alpha = ProviderConfig::openai_compatible(url).with_model("m");
    alpha.limits = limits;
    let mut config = Config::new();
    config.providers.insert("alpha".to_owned(), alpha);
    config
}

async fn build<F>(config: Config, transport: &Arc<Simulated<F>>) -> Backstop
where
    F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
{
    let transport: Arc<Simulated<F>> = Arc::clone(transport);
    Backstop::builder().config(config).transport(transport).seed(12).build().await.unwrap()
}

fn quick() -> Arc<Simulated<impl Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static>> {
    Simulated::new(|_, _| Fate::Answer(ms(10)))
}

/// Asks on behalf of somebody.
fn from(who: &str) -> ChatRequest {
    ChatRequest::ask("hi").with_label("gateway-key", who).with_field("max_tokens", &1)
}

/// Has one request under way.
async fn occupy(backstop: &Backstop) {
    let backstop = backstop.clone();
    // It goes on by itself: to drop the handle does not end it.
    drop(tokio::spawn(async move { backstop.chat(from("a")).await }));
    tokio::task::yield_now().await;
}

/// Asks all of them, one after the other within the same instant; who was answered, in which order.
async fn order_of(backstop: &Backstop, askers: &str) -> String {
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let asked: Vec<_> = askers
        .chars()
        .map(|who| {
            let (backstop, said) = (backstop.clone(), said.clone());
            tokio::spawn(async move {
                if backstop.chat(from(&who.to_string())).await.is_ok() {
                    said.send(who).unwrap();
                }
            })
        })
        .collect();
    drop(said);
    join_all(asked).await;
    let mut order = String::new();
    while let Ok(who) = heard.try_recv() {
        order.push(who);
    }
    order
}

// A12
#[tokio::test(start_paused = true)]
async fn waits_for_its_turn_instead_of_an_error_and_says_so_in_the_record() {
    let transport = quick();
    let limits = Limits { rpm: Some(60), burst: Some(1), queue: Some(10 * SECOND), ..Limits::default() };
    let backstop = build(limited(limits), &transport).await;

    let answers = join_all((0..5).map(|_| backstop.chat(from("a")))).await;

    let at: Vec<u128> = transport.seen().iter().map(|call| call.at.as_millis()).collect();
    assert_eq!(at, [0, 1_000, 2_000, 3_000, 4_000], "each at its told time");
    let mut ahead: Vec<Option<u32>> = Vec::new();
    for answer in answers {
        let record = backstop.explain(answer.unwrap().id).unwrap();
        let waits = record.steps.iter().filter_map(|(_, event)| match event {
            Event::Waiting { ahead, wait, .. } => Some((*ahead, *wait)),
            _ => None,
        });
        let waits: Vec<_> = waits.collect();
        assert!(waits.len() <= 1 && waits.iter().all(|(_, wait)| *wait == 10 * SECOND), "{waits:?}");
        ahead.push(waits.first().and_then(|(ahead, _)| *ahead));
    }
    assert_eq!(ahead, [None, Some(0), Some(1), Some(2), Some(3)]);
}

#[tokio::test(start_paused = true)]
async fn serves_equals_in_order_and_everybody_in_turn() {
    let transport = quick();
    let limits = Limits { rpm: Some(60), burst: Some(1), queue: Some(60 * SECOND), ..Limits::default() };
    let backstop = build(limited(limits), &transport).await;

    let order = order_of(&backstop, "xaaaaabbc").await;

    assert_eq!(order, "xabcabaaa");
}

#[tokio::test(start_paused = true)]
async fn refuses_at_once_who_would_wait_in_vain_or_finds_the_line_full() {
    let transport = Simulated::new(|_, _| Fate::Answer(100 * SECOND));
    let limits = Limits { concurrent: Some(1), queue: Some(2 * SECOND), queue_size: Some(2), ..Limits::default() };
    let backstop = build(limited(limits), &transport).await;
    occupy(&backstop).await;
    let began = Instant::now();

    let ended = join_all((0..4).map(|_| async {
        let refused = backstop.chat(from("a")).await.unwrap_err();
        (began.elapsed().as_millis(), refused)
    }))
    .await;

    let mut waited: Vec<u128> = ended.iter().map(|(waited, _)| *waited).collect();
    waited.sort_unstable();
    assert_eq!(waited, [0, 0, 2_000, 2_000]);
    let mut reasons: Vec<String> = ended.iter().map(|(_, refused)| denied(&backstop, refused)).collect();
    reasons.sort_unstable();
    assert_eq!(reasons[0], "its turn did not come within 2.0s in line");
    assert_eq!(reasons[3], "the operator's limit for it is used up: 2 requests wait for their turn, and no more may");
    assert_eq!(transport.count("alpha"), 1);

    let window = Limits { rpm: Some(1), queue: Some(2 * SECOND), ..Limits::default() };
    let backstop = build(limited(window), &quick()).await;
    backstop.chat(from("a")).await.unwrap();
    let began = Instant::now();
    let refused = backstop.chat(from("a")).await.unwrap_err();
    let RouteError::Unavailable { retry_after, .. } = &refused else { panic!("{refused}") };
    assert_eq!(
        (began.elapsed(), retry_after.map(|wait| wait.as_secs())),
        (Duration::ZERO, Some(59)),
        "the first was asked 10 ms ago"
    );
    assert!(
        denied(&backstop, &refused).contains("its turn comes in 60s at the earliest"),
        "{}",
        denied(&backstop, &refused)
    );
}

/// Why a request's only choice was not admitted.
fn denied(backstop: &Backstop, refused: &RouteError) -> String {
    let record = backstop.explain(refused.id().unwrap()).unwrap();
    let why = record.steps.iter().find_map(|(_, event)| match event {
        Event::Denied { why, .. } => Some(why.clone()),
        _ => None,
    });
    why.unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn goes_elsewhere_where_somebody_else_is_ready_and_waits_only_where_nobody_is() {
    let transport = Simulated::new(|_, _| Fate::Answer(ms(10)));
    let limits = Limits { rpm: Some(60), burst: Some(1), queue: Some(10 * SECOND), ..Limits::default() };
    let mut config = limited(limits);
    let url = "http://beta.invalid/v1".parse().unwrap();
    let mut beta = ProviderConfig::openai_compatible(url).with_model("m");
    beta.limits = Limits { rpm: Some(1), ..Limits::default() };
    config.providers.insert("beta".to_owned(), beta);
    let backstop = build(config, &transport).await;

    for _ in 0..3 {
        backstop.chat(from("a")).await.unwrap();
    }

    let seen: Vec<_> = transport.seen().iter().map(|call| (call.provider.to_string(), call.at.as_secs())).collect();
    assert_eq!(seen, [("alpha".to_owned(), 0), ("beta".to_owned(), 0), ("alpha".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn ends_at_the_requests_own_deadline() {
    let transport = Simulated::new(|_, _| Fate::Answer(100 * SECOND));
    let limits = Limits { concurrent: Some(1), queue: Some(50 * SECOND), ..Limits::default() };
    let backstop = build(limited(limits), &transport).await;
    occupy(&backstop).await;
    let began = Instant::now();

    let late = backstop.chat(from("a").with_deadline(3 * SECOND)).await.unwrap_err();

    assert_eq!(began.elapsed(), 3 * SECOND);
    assert!(matches!(late, RouteError::DeadlineExceeded { .. }), "{late}");
}

#[tokio::test(start_paused = true)]
async fn frees_the_place_of_a_client_that_goes_away() {
    let transport = quick();
    let limits =
        Limits { rpm: Some(60), burst: Some(1), queue: Some(10 * SECOND), queue_size: Some(1), ..Limits::default() };
    let backstop = build(limited(limits), &transport).await;
    backstop.chat(from("a")).await.unwrap();
    let gone = tokio::spawn({
        let backstop = backstop.clone();
        async move { backstop.chat(from("a")).await }
    });
    tokio::time::sleep(ms(1)).await;
    assert!(backstop.chat(from("a")).await.is_err(), "the line is full");

    gone.abort();
    let _ = gone.await;
    let next = backstop.chat(from("a")).await.unwrap();

    let abandoned = backstop.latest(9).iter().filter(|record| record.outcome == Outcome::Abandoned).count();
    assert_eq!((next.attempts, abandoned, transport.count("alpha")), (1, 1, 2));
    assert_eq!(transport.seen()[1].at.as_millis(), 1_000, "nothing was used up by the one that went away");
}

#[tokio::test(start_paused = true)]
async fn is_called_when_a_place_comes_free_and_leaves_when_the_provider_fails() {
    let transport = Simulated::new(|_, before| match before {
        0 => Fate::Answer(ms(1_234)),
        1 => Fate::Status(429, ms(100), Some("30")),
        _ => Fate::Answer(ms(10)),
    });
    let limits = Limits { concurrent: Some(1), queue: Some(20 * SECOND), ..Limits::default() };
    let mut config = limited(limits);
    config.routes["default"].deadline = 25 * SECOND;
    let backstop = build(config, &transport).await;
    let began = Instant::now();

    let ended =
        join_all((0..3).map(|_| async { (backstop.chat(from("a")).await.is_ok(), began.elapsed().as_millis()) })).await;

    // The second meets a rate limit of 30 s; nobody waits for that until the deadline, in line or elsewhere.
    assert_eq!(ended, [(true, 1_234), (false, 1_334), (false, 1_334)]);
    assert_eq!(transport.seen()[1].at.as_millis(), 1_234);
}

#[tokio::test(start_paused = true)]
async fn keeps_each_models_limits_within_its_providers() {
    let transport = quick();
    let mut config = limited(Limits { rpm: Some(3), ..Limits::default() });
    let one = ModelConfig { limits: Limits { rpm: Some(1), ..Limits::default() }, ..ModelConfig::new("one") };
    config.providers["alpha"].models = vec![one, ModelConfig::new("two")];
    config.routes["default"].deadline = SECOND;
    let backstop = build(config, &transport).await;

    let answered = join_all((0..4).map(|_| async { backstop.chat(from("a")).await.is_ok() })).await;

    let models: Vec<String> = transport.seen().into_iter().map(|call| call.model).collect();
    assert_eq!((answered, models), (vec![true, true, true, false], ["one", "two", "two"].map(str::to_owned).to_vec()));
}

#[tokio::test(start_paused = true)]
async fn keeps_the_limits_of_a_day() {
    let transport = quick();
    let limits = Limits { rpd: Some(2), queue: Some(10 * SECOND), ..Limits::default() };
    let backstop = build(limited(limits), &transport).await;
    let hour = 3_600 * SECOND;

    let mut answered = Vec::new();
    for _ in 0..4 {
        answered.push(backstop.chat(from("a")).await.is_ok());
        tokio::time::advance(12 * hour).await;
    }

    assert_eq!(answered, [true, true, true, true]);
    let (one, other) = (backstop.chat(from("a")).await, backstop.chat(from("a")).await);
    assert_eq!((one.is_ok(), other.is_ok()), (true, false));
}

/// Without a line, everything is as ever: the strategy waits as it sees fit.
#[tokio::test(start_paused = true)]
async fn leaves_the_waiting_to_the_strategy_where_there_is_no_line() {
    let transport = quick();
    let backstop = build(limited(Limits { rpm: Some(1), ..Limits::default() }), &transport).await;

    let answers = join_all((0..2).map(|_| backstop.chat(from("a")))).await;

    assert!(answers.iter().all(Result::is_ok));
    assert!(transport.seen()[1].at >= 60 * SECOND);
}

// A12
#[tokio::test]
async fn has_clients_of_the_gateway_wait_in_line_and_frees_the_place_of_one_that_hangs_up() {
    let gate = Gate::closed();
    let held = Reply::answer("yes").at(Place::BeforeHead, Fault::Hold(gate.clone()));
    let alpha = ScriptedProvider::start(Script::new().then(held).then(Reply::answer("yes")).forever()).await.unwrap();
    let mut config = Config::new();
    let mut asked = ProviderConfig::openai_compatible(alpha.base_url()).with_model("m");
    asked.limits = Limits { concurrent: Some(1), queue: Some(60 * SECOND), queue_size: Some(1), ..Limits::default() };
    config.providers.insert("alpha".to_owned(), asked);
    let backstop = Backstop::builder().config(config).build().await.unwrap();
    let gateway = Gateway::bind("127.0.0.1:0".parse().unwrap(), backstop.clone()).await.unwrap();
    let address = gateway.address();
    tokio::spawn(gateway.serve(std::future::pending));
    let body = json!({"messages": [{"role": "user", "content": "hi"}]}).to_string();
    let sent = post(&body, &[]);
    let first = tokio::spawn({
        let sent = sent.clone();
        async move { exchange(address, &sent).await.status }
    });
    alpha.calls_reach(1).await;

    let hangs_up = tokio::spawn({
        let sent = sent.clone();
        async move { exchange(address, &sent).await.status }
    });
    waiting(&backstop).await;
    let full = exchange(address, &sent).await;
    hangs_up.abort();
    let _ = hangs_up.await;
    ended_as(&backstop, Outcome::Abandoned).await;
    let third = tokio::spawn(async move { exchange(address, &sent).await.status });
    gate.open();

    assert_eq!((full.status, full.header("x-backstop-attempts")), (503, Some("0")), "{}", full.text());
    assert_eq!((first.await.unwrap(), third.await.unwrap(), alpha.call_count()), (200, 200, 2));
}

/// Ends when somebody waits in line.
async fn waiting(backstop: &Backstop) {
    while backstop.status()[0].waiting == 0 {
        tokio::time::sleep(ms(1)).await;
    }
}

/// Ends when a request has ended so.
async fn ended_as(backstop: &Backstop, outcome: Outcome) {
    while !backstop.latest(9).iter().any(|record| record.outcome == outcome) {
        tokio::time::sleep(ms(1)).await;
    }
}
