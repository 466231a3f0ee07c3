//! The cache of replies (A12, B7, R19), in front of providers on real sockets that count what they are asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use backstop::config::{CacheConfig, Config, ProviderConfig, Purpose};
use backstop::gateway::keys::{Grant, KeyFile, Keys};
use backstop::scripted::{Answer, Fault, Gate, Place, Reply, Script, ScriptedProvider};
use backstop::types::{CacheWish, Event, Outcome};
use backstop::{AnswerStream, Backstop, ChatRequest, Gateway, NanoUsd, Price};
use backstop_tests::simulated::{Fate, Simulated};
use backstop_tests::{HttpReply, Served, Stage, exchange, post};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const SECOND: Duration = Duration::from_secs(1);

/// A question whose answer is the same each time.
fn steady(question: &str) -> ChatRequest {
    ChatRequest::ask(question).with_field("temperature", &0)
}

fn on() -> CacheConfig {
    CacheConfig { enabled: true, ..CacheConfig::default() }
}

async fn provider(script: impl Into<Script>) -> ScriptedProvider {
    ScriptedProvider::start(script).await.unwrap()
}

/// One provider at a price, and what the configuration says of the cache.
fn config(of: &ScriptedProvider, cache: CacheConfig) -> Config {
    let price = Price::flat_per_1k("0.001".parse().unwrap());
    let asked = ProviderConfig::openai_compatible(of.base_url()).with_model("m").with_price(price);
    let mut config = Config::new();
    config.providers.insert("alpha".to_owned(), asked);
    config.cache = cache;
    config.routes["default"].options = json!({"retries": 0}).as_object().cloned().unwrap();
    config
}

async fn build(config: Config) -> Backstop {
    Backstop::builder().config(config).build().await.unwrap()
}

async fn asking(of: &ScriptedProvider) -> Backstop {
    build(config(of, on())).await
}

/// All events of a stream as they came, and its text.
async fn read(mut stream: AnswerStream) -> (String, String, AnswerStream) {
    let (mut raw, mut text) = (String::new(), String::new());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        raw.push_str(std::str::from_utf8(&chunk.raw).unwrap());
        text.push_str(&chunk.text);
    }
    (raw, text, stream)
}

/// Asks twice; whether the second time nobody was asked.
async fn is_kept(backstop: &Backstop, request: ChatRequest) -> bool {
    backstop.chat(request.clone()).await.unwrap();
    backstop.chat(request).await.unwrap().from_cache
}

// B7, R19
#[tokio::test]
async fn answers_an_equal_request_without_an_attempt_and_at_no_cost() {
    let alpha = provider(Script::always(Answer::new("yes"))).await;
    let mut config = config(&alpha, on());
    config.budget.daily = Some(NanoUsd::DOLLAR);
    let backstop = build(config).await;

    let first = backstop.chat(steady("hi")).await.unwrap();
    let spent = backstop.budgets();
    let again = backstop.chat(steady("hi").with_label("context", "another")).await.unwrap();

    assert_eq!((again.text.as_str(), again.attempts, again.cost), ("yes", 0, Some(NanoUsd::ZERO)));
    assert_eq!((first.from_cache, again.from_cache, again.body == first.body), (false, true, true));
    assert_eq!(again.to_json()["cached"], json!(true));
    assert_eq!((alpha.call_count(), backstop.budgets() == spent), (1, true), "no hold, nothing spent");
    let record = backstop.explain(again.id).unwrap();
    assert_eq!((record.outcome, record.attempts.len(), record.cost), (Outcome::Cached, 0, Some(NanoUsd::ZERO)));
    assert!(matches!(&record.steps[..], [(_, Event::FromCache { target, .. })] if target.to_string() == "alpha/m"));
    let (stats, costs) = (backstop.stats(), backstop.costs());
    assert_eq!((stats.total_requests, stats.successful_requests, stats.cached_requests), (2, 1, 1));
    assert_eq!(costs.lines().map(|line| line.answers).sum::<u64>(), 1);
}

#[tokio::test]
async fn asks_again_for_whatever_decides_an_answer() {
    let alpha = provider(Script::always(Answer::new("yes"))).await;
    let backstop = asking(&alpha).await;
    let requests = [
        steady("hi"),
        steady("ho"),
        steady("hi").with_message("user", "there"),
        steady("hi").with_field("max_tokens", &9),
        steady("hi").with_model("alpha/m"),
        steady("hi").with_provider("alpha"),
        steady("hi").with_tenant("one"),
        steady("hi").with_tenant("two"),
    ];

    for request in &requests {
        assert!(!backstop.chat(request.clone()).await.unwrap().from_cache);
    }
    for request in &requests {
        assert!(backstop.chat(request.clone()).await.unwrap().from_cache);
    }

    assert_eq!(alpha.call_count(), requests.len());
}

#[tokio::test]
async fn keeps_only_what_would_be_answered_the_same_again_unless_told_otherwise() {
    let alpha = provider(Script::always(Answer::new("yes"))).await;
    let plain = || ChatRequest::ask("hi");
    let warm = || plain().with_field("temperature", &0.7);
    let backstop = asking(&alpha).await;
    let kept = [
        is_kept(&backstop, plain()).await,
        is_kept(&backstop, warm()).await,
        is_kept(&backstop, plain().with_field("temperature", &json!(null))).await,
        is_kept(&backstop, plain().with_purpose("moderation")).await,
        is_kept(&backstop, warm().with_purpose("moderation")).await,
        is_kept(&backstop, steady("hi").with_field("n", &2)).await,
        is_kept(&backstop, steady("hi").with_field("tools", &json!([{"type": "function"}]))).await,
    ];
    assert_eq!(kept, [false, false, false, true, false, false, true]);

    let mut cold_provider = config(&alpha, on());
    cold_provider.providers["alpha"].defaults.temperature = Some(0.0);
    let mut cold = config(&alpha, on());
    cold.defaults.temperature = Some(0.0);
    cold.purposes.insert("warm".to_owned(), Purpose { fields: [("temperature".to_owned(), json!(1))].into() });
    let any = config(&alpha, CacheConfig { any_temperature: true, ..on() });
    let off = config(&alpha, CacheConfig::default());
    let (cold_provider, cold, any, off) =
        (build(cold_provider).await, build(cold).await, build(any).await, build(off).await);

    let kept = [
        is_kept(&cold_provider, plain()).await,
        is_kept(&cold, plain()).await,
        is_kept(&cold, plain().with_purpose("warm")).await,
        is_kept(&any, warm()).await,
        is_kept(&off, steady("hi")).await,
    ];
    assert_eq!(kept, [true, true, false, true, false]);
}

#[tokio::test]
async fn keeps_no_answer_that_is_cut_short_filtered_broken_off_or_no_models() {
    let broken = Reply::answer("one two three").at(Place::AfterTokens(2), Fault::Reset);
    for (name, reply) in [
        ("cut short", Reply::from(Answer::new("one two").finish_reason("length"))),
        ("filtered", Answer::new("one two").finish_reason("content_filter").into()),
        ("an end nobody knows", Answer::new("one two").finish_reason("weary").into()),
    ] {
        let alpha = provider(Script::always(reply)).await;
        let backstop = asking(&alpha).await;

        assert!(!is_kept(&backstop, steady("hi")).await, "{name}");
        for _ in 0..2 {
            let (.., stream) = read(backstop.stream(steady("hi")).await.unwrap()).await;
            assert!(!stream.from_cache, "{name}");
        }
    }
    let alpha = provider(Script::new().then(broken).then(Answer::new("one two three")).forever()).await;
    let backstop = build({
        let mut config = config(&alpha, on());
        config.routes["default"].on_interrupt = backstop::config::OnInterrupt::Fail;
        config
    })
    .await;
    let mut stream = backstop.stream(steady("hi")).await.unwrap();
    while stream.next().await.is_some_and(|chunk| chunk.is_ok()) {}
    drop(stream);
    let (_, text, stream) = read(backstop.stream(steady("hi")).await.unwrap()).await;
    assert_eq!((text.as_str(), stream.from_cache, alpha.call_count()), ("one two three", false, 2));

    let down = provider(Script::always(Reply::empty(500))).await;
    let backstop = asking(&down).await;
    let own = || steady("hi").with_fallback_text("my own words");
    assert!(backstop.chat(own()).await.unwrap().is_degraded());
    assert!(backstop.chat(own()).await.unwrap().is_degraded());
    assert_eq!(backstop.stats().cached_requests, 0);
}

#[tokio::test]
async fn gives_a_stream_again_byte_for_byte() {
    let alpha = provider(Script::always(Answer::new("one two three").comment("thinking"))).await;
    let backstop = asking(&alpha).await;

    let (raw, text, first) = read(backstop.stream(steady("hi")).await.unwrap()).await;
    let (raw_again, text_again, again) = read(backstop.stream(steady("hi")).await.unwrap()).await;

    assert_eq!((raw_again, text_again.as_str()), (raw, "one two three"));
    assert_eq!((text.as_str(), first.from_cache, again.from_cache), ("one two three", false, true));
    assert_eq!((again.usage, again.finish_reason.as_deref()), (first.usage, Some("stop")));
    assert_eq!((again.attempts, again.cost, alpha.call_count()), (0, Some(NanoUsd::ZERO), 1));
    assert_eq!(backstop.explain(again.id).unwrap().outcome, Outcome::Cached);
}

#[tokio::test]
async fn gives_a_whole_reply_as_a_stream_but_puts_no_stream_together_to_a_whole_one() {
    let tools = Answer::tool_call("look_up", r#"{"city":"Paris"}"#);
    let alpha = provider(Script::always(tools)).await;
    let backstop = asking(&alpha).await;

    let whole = backstop.chat(steady("hi")).await.unwrap();
    let mut stream = backstop.stream(steady("hi")).await.unwrap();
    let chunk = stream.next().await.unwrap().unwrap();

    let asked: serde_json::Value = serde_json::from_slice(&whole.body).unwrap();
    let call = &asked["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((chunk.calls.len(), chunk.calls[0].id.as_deref()), (1, call["id"].as_str()));
    assert_eq!(chunk.calls[0].arguments, call["function"]["arguments"]);
    assert!(stream.from_cache && stream.next().await.is_none());

    let (.., streamed) = read(backstop.stream(steady("ho")).await.unwrap()).await;
    let whole = backstop.chat(steady("ho")).await.unwrap();
    assert_eq!((streamed.from_cache, whole.from_cache, alpha.call_count()), (false, false, 3));
}

#[tokio::test]
async fn makes_one_attempt_for_fifty_equal_requests_at_once() {
    let gate = Gate::closed();
    let held = Reply::answer("yes").at(Place::AfterTokens(0), Fault::Hold(gate.clone()));
    let alpha = provider(Script::always(held)).await;
    let crowd = Crowd::before(&alpha).await;
    let first = crowd.ask();
    alpha.calls_reach(1).await;
    let others = crowd.join(49).await;

    gate.open();

    assert_eq!(first.await.unwrap().as_deref(), Some("yes"));
    assert_eq!(texts(others).await, vec![Some("yes".to_owned()); 49]);
    assert_eq!((alpha.call_count(), crowd.backstop.stats().cached_requests), (1, 49));
}

/// Requests that are asked on tasks of their own, and how many of them wait for another's answer.
struct Crowd {
    backstop: Backstop,
    waiting: watch::Sender<usize>,
}

impl Crowd {
    async fn before(alpha: &ScriptedProvider) -> Self {
        Self { backstop: asking(alpha).await, waiting: watch::Sender::new(0) }
    }

    /// Asks the question they all ask.
    fn ask(&self) -> JoinHandle<Option<String>> {
        let (backstop, waiting) = (self.backstop.clone(), self.waiting.clone());
        let observer = move |event: &Event| {
            if *event == Event::Joined {
                waiting.send_modify(|count| *count += 1);
            }
        };
        tokio::spawn(async move {
            let answer = backstop.chat_observed(steady("hi"), Arc::new(observer)).await;
            answer.ok().map(|answer| answer.text)
        })
    }

    /// Has so many ask behind the first, and waits until all of them wait.
    async fn join(&self, count: usize) -> Vec<JoinHandle<Option<String>>> {
        let asked = (0..count).map(|_| self.ask()).collect();
        self.waiting.subscribe().wait_for(|waiting| *waiting == count).await.unwrap();
        asked
    }
}

async fn texts(asked: Vec<JoinHandle<Option<String>>>) -> Vec<Option<String>> {
    join_all(asked).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn lets_those_who_wait_go_on_their_own_when_the_first_fails() {
    let gate = Gate::closed();
    let failing = Reply::empty(500).at(Place::BeforeHead, Fault::Hold(gate.clone()));
    let alpha = provider(Script::new().then(failing).then(Answer::new("yes")).forever()).await;
    let crowd = Crowd::before(&alpha).await;
    let first = crowd.ask();
    alpha.calls_reach(1).await;
    let others = crowd.join(3).await;

    gate.open();

    assert_eq!(first.await.unwrap(), None);
    assert_eq!(texts(others).await, vec![Some("yes".to_owned()); 3]);
    assert_eq!(alpha.call_count(), 4);
}

#[tokio::test]
async fn hands_over_when_the_first_goes_away() {
    let gate = Gate::closed();
    let held = Reply::answer("yes").at(Place::BeforeHead, Fault::Hold(gate.clone()));
    let alpha = provider(Script::new().then(held.clone()).then(held)).await;
    let crowd = Crowd::before(&alpha).await;
    let first = crowd.ask();
    alpha.calls_reach(1).await;
    let others = crowd.join(3).await;

    first.abort();
    alpha.calls_reach(2).await;
    gate.open();

    assert_eq!(texts(others).await, vec![Some("yes".to_owned()); 3]);
    assert_eq!(alpha.call_count(), 2, "one of the three has taken the place of the first");
}

#[tokio::test]
async fn does_as_the_request_wishes() {
    let alpha = provider(Script::by(|_| Answer::new("yes").into())).await;
    let backstop = asking(&alpha).await;
    let ask = async |wish| backstop.chat(steady("hi").with_cache(wish)).await.unwrap().from_cache;

    let hits = [
        ask(CacheWish::Bypass).await,
        ask(CacheWish::Use).await,
        ask(CacheWish::Use).await,
        ask(CacheWish::Bypass).await,
        ask(CacheWish::Refresh).await,
        ask(CacheWish::Use).await,
    ];

    assert_eq!((hits, alpha.call_count()), ([false, false, true, false, false, true], 4));
}

#[tokio::test(start_paused = true)]
async fn forgets_a_reply_when_its_time_is_over_and_all_with_the_configuration() {
    let transport = Simulated::new(|_, _| Fate::Answer(SECOND));
    let url = "http://alpha.invalid/v1".parse().unwrap();
    let mut config = Config::new();
    config.providers.insert("alpha".to_owned(), ProviderConfig::openai_compatible(url).with_model("m"));
    config.cache = CacheConfig { ttl: 60 * SECOND, ..on() };
    let backstop = Backstop::builder().config(config.clone()).transport(transport.clone()).build().await.unwrap();
    let ask = async || backstop.chat(steady("hi")).await.unwrap().from_cache;

    let mut hits = vec![ask().await];
    tokio::time::advance(59 * SECOND).await;
    hits.push(ask().await);
    tokio::time::advance(SECOND).await;
    hits.push(ask().await);
    hits.push(ask().await);
    backstop.reload(config).await.unwrap();
    hits.push(ask().await);

    assert_eq!((hits, transport.count("alpha")), (vec![false, true, false, true, false], 3));
}

/// A follower does not wait for ever for a stream that its reader leaves lying.
#[tokio::test(start_paused = true)]
async fn is_not_held_up_for_good_by_a_reader_who_dawdles() {
    let transport = Simulated::new(|_, _| Fate::Answer(SECOND));
    let url = "http://alpha.invalid/v1".parse().unwrap();
    let mut config = Config::new();
    config.providers.insert("alpha".to_owned(), ProviderConfig::openai_compatible(url).with_model("m"));
    config.cache = on();
    let backstop = Backstop::builder().config(config).transport(transport.clone()).build().await.unwrap();
    let left_lying = backstop.stream(steady("hi")).await.unwrap();

    let request = steady("hi").with_deadline(40 * SECOND);
    let (_, text, stream) = read(backstop.stream(request).await.unwrap()).await;

    assert_eq!((text.as_str(), stream.from_cache, transport.count("alpha")), ("Paris", false, 2));
    drop(left_lying);
}

const HI: &str = r#"{"temperature":0,"messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"temperature":0,"messages":[{"role":"user","content":"ho"}],"stream":true}"#;

fn told(reply: &HttpReply) -> [Option<&str>; 4] {
    ["x-backstop-cache", "x-backstop-attempts", "x-backstop-cost-usd", "x-backstop-provider"]
        .map(|name| reply.header(name))
}

const HIT: [Option<&str>; 4] = [Some("hit"), Some("0"), Some("0.00"), Some("alpha")];

async fn gateway(of: &ScriptedProvider, keys: Keys, cache: CacheConfig) -> SocketAddr {
    let backstop = build(config(of, cache)).await;
    let gateway = Gateway::bind_with_keys("127.0.0.1:0".parse().unwrap(), backstop, keys).await.unwrap();
    let address = gateway.address();
    tokio::spawn(gateway.serve(std::future::pending));
    address
}

#[tokio::test]
async fn says_at_the_gateway_that_a_reply_is_from_the_cache_and_does_as_its_headers_wish() {
    let alpha = provider(Script::always(Answer::new("one two"))).await;
    let address = gateway(&alpha, Keys::none(), on()).await;
    let send = async |body: &str, headers: &[(&str, &str)]| exchange(address, &post(body, headers)).await;

    for body in [HI, STREAM] {
        let before = alpha.call_count();
        let first = send(body, &[]).await;
        let again = send(body, &[]).await;
        assert_eq!((told(&first)[0], told(&again)), (None, HIT), "{}", again.text());
        assert_eq!(first.body, again.body);
        assert_ne!(first.header("x-backstop-request-id"), again.header("x-backstop-request-id"));
        assert_eq!(alpha.call_count() - before, 1);
    }
    let before = alpha.call_count();
    for headers in [
        &[("cache-control", "no-store")][..],
        &[("cache-control", "no-cache")],
        &[("x-backstop-cache", "bypass")],
        &[("x-backstop-cache", "refresh")],
    ] {
        assert_eq!(told(&send(HI, headers).await)[0], None, "{headers:?}");
    }
    assert_eq!((told(&send(HI, &[]).await), alpha.call_count() - before), (HIT, 4));
    let refused = send(HI, &[("x-backstop-cache", "maybe")]).await;
    assert_eq!((refused.status, refused.text().contains("bypass")), (400, true), "{}", refused.text());
}

// R19
#[tokio::test]
async fn gives_nobody_the_reply_to_anothers_key_unless_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = KeyFile::at(folder.path().join("keys.json"));
    let now = "2025-01-01T00:00:00Z".parse().unwrap();
    let key = |name: &str| {
        let made = file.create(name, Grant::default(), now).unwrap();
        format!("Bearer {}", made.text.expose())
    };
    let (one, other) = (key("one"), key("other"));
    for (per_key, expected) in
        [(true, [None, None, Some("hit"), Some("hit")]), (false, [None, Some("hit"), Some("hit"), Some("hit")])]
    {
        let alpha = provider(Script::always(Answer::new("yes"))).await;
        let cache = CacheConfig { per_key, ..on() };
        let address = gateway(&alpha, Keys::open(file.clone()).unwrap(), cache).await;

        let mut seen = Vec::new();
        for key in [&one, &other, &one, &other] {
            let reply = exchange(address, &post(HI, &[("authorization", key)])).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            seen.push(reply.header("x-backstop-cache").map(str::to_owned));
        }

        assert_eq!(seen, expected.map(|said| said.map(str::to_owned)), "per_key = {per_key}");
        assert_eq!(alpha.call_count(), if per_key { 2 } else { 1 });
    }
}

#[tokio::test]
async fn keeps_replies_for_clients_of_anthropics_protocol_too() {
    let alpha = provider(Script::always(Answer::new("one two"))).await;
    let address = gateway(&alpha, Keys::none(), on()).await;
    let send = async |stream: bool| {
        let body = json!({
            "model": "default", "max_tokens": 50, "temperature": 0, "stream": stream,
            "messages": [{"role": "user", "content": "hi"}],
        })
        .to_string();
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        exchange(address, format!("{head}{body}").as_bytes()).await
    };

    for stream in [true, false] {
        let (first, again) = (send(stream).await, send(stream).await);
        assert_eq!((told(&first)[0], told(&again)[0]), (None, Some("hit")), "{}", again.text());
        let tokens = |reply: &HttpReply| {
            let text = reply.text();
            text.rsplit("\"output_tokens\":")
                .next()
                .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
        };
        assert!(again.text().contains("one"), "{}", again.text());
        assert_eq!(tokens(&first), tokens(&again));
    }
    assert_eq!(alpha.call_count(), 2);
}

// B2, B7
#[tokio::test(flavor = "multi_thread")]
async fn is_turned_on_by_the_variable_and_told_in_the_log_the_metrics_and_the_story() {
    let stage = Stage::new([("alpha", Script::always(Answer::new("yes")))]).await;
    let serve = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).env("LLM_ENABLE_CACHING", "true");
    let gateway = Served::start_as(serve).await;
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "temperature": 0.7});

    let first = gateway.chat(&body).await;
    let again = gateway.chat(&body).await;

    assert_eq!((first.status, again.header("x-backstop-cache"), stage.attempts()), (200, Some("hit"), vec![1]));
    let metrics = gateway.get("/metrics").await.text();
    assert!(metrics.contains(r#"backstop_requests_total{context="",outcome="cached",route="default"} 1"#), "{metrics}");
    let id = again.header("x-backstop-request-id").unwrap().to_owned();
    let record = gateway.get(&format!("/api/requests/{id}")).await.json();
    assert_eq!((&record["outcome"], &record["steps"][0]["event"]), (&json!("cached"), &json!("from-cache")));
    let log = gateway.stopped().await;
    assert!(log.contains("outcome=cached"), "{log}");
    let why = stage.backstop(["why", &id]).run().await;
    assert!(why.stdout.contains("answered from the cache"), "{why:#?}");
}

#[tokio::test]
async fn keeps_no_stream_that_was_not_read_to_its_end() {
    let alpha = provider(Script::always(Answer::new("one two three"))).await;
    let backstop = asking(&alpha).await;
    let mut begun = backstop.stream(steady("hi")).await.unwrap();
    begun.next().await.unwrap().unwrap();
    drop(begun);

    let (_, text, stream) = read(backstop.stream(steady("hi")).await.unwrap()).await;

    assert_eq!((text.as_str(), stream.from_cache), ("one two three", false));
}
