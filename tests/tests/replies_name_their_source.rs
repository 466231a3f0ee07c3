//! Every reply names its provider, its model, the attempts and the cost: those of the one that really answered.

use backstop::config::{Config, Protocol, ProviderConfig};
use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest, NanoUsd, Price};
use serde_json::{Value, json};

const PROTOCOLS: [Protocol; 4] = [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama];

/// What 7 and 3 tokens cost at 1,000 nano-dollars each.
const COST: NanoUsd = NanoUsd::from_nanos(10_000);

/// One provider that is overloaded, and one that answers, in these protocols.
struct Pair {
    backstop: Backstop,
    _providers: [ScriptedProvider; 2],
}

async fn pair(first: Protocol, second: Protocol) -> Pair {
    let overloaded = Script::by(|call| Reply::overloaded_as(call.protocol()));
    let answering =
        Script::by(|call| Answer::new("Paris it is").model(call.model().unwrap_or("none")).usage(7, 3).into());
    let overloaded = ScriptedProvider::start(overloaded).await.unwrap();
    let answering = ScriptedProvider::start(answering).await.unwrap();
    let mut config = Config::new();
    for (name, kind, of) in [("first", first, &overloaded), ("second", second, &answering)] {
        let url = if kind == Protocol::OpenAi { of.base_url() } else { of.root_url() };
        let mut provider = ProviderConfig::openai_compatible(url)
            .with_model(&format!("{name}-model"))
            .with_key("TEST_KEY", "sk-test-0123456789")
            .with_price(Price::flat_per_1k("0.001".parse().unwrap()));
        provider.kind = kind;
        config.providers.insert(name.to_owned(), provider);
    }
    config.routes["default"].options = json!({"retries": 0}).as_object().unwrap().clone();
    let backstop = Backstop::builder().config(config).build().await.unwrap();
    Pair { backstop, _providers: [overloaded, answering] }
}

fn pairs() -> impl Iterator<Item = (Protocol, Protocol)> {
    PROTOCOLS.into_iter().flat_map(|first| PROTOCOLS.map(|second| (first, second)))
}

// RELIABILITY 35
#[tokio::test]
async fn names_who_answered_a_whole_reply_in_every_pair_of_protocols() {
    for (first, second) in pairs() {
        let pair = pair(first, second).await;

        let answer = pair.backstop.chat(ChatRequest::ask("hi").with_model("first/first-model")).await.unwrap();

        let reply = answer.to_json();
        let named = json!([reply["provider"], reply["model"], reply["attempts"], reply["cost"]]);
        assert_eq!(named, json!(["second", "second-model", 2, 0.000_01]), "{first:?} {second:?}: {reply}");
        assert_eq!(answer.target.as_ref().unwrap().to_string(), "second/second-model", "{first:?} {second:?}");
        assert_eq!((answer.attempts, answer.cost), (2, Some(COST)), "{first:?} {second:?}");
        let record = pair.backstop.explain(answer.id).unwrap();
        assert_eq!((record.served_by.clone(), record.cost), (answer.target, Some(COST)), "{first:?} {second:?}");
    }
}

// RELIABILITY 35
#[tokio::test]
async fn names_who_answered_a_stream_in_every_pair_of_protocols() {
    for (first, second) in pairs() {
        let pair = pair(first, second).await;

        let mut stream = pair.backstop.stream(ChatRequest::ask("hi").with_model("first/first-model")).await.unwrap();
        let mut models = Vec::new();
        while let Some(chunk) = stream.next().await {
            models.extend(models_in(&chunk.unwrap().raw));
        }

        assert!(!models.is_empty(), "{first:?} {second:?}");
        assert!(models.iter().all(|model| model == "second-model"), "{first:?} {second:?}: {models:?}");
        assert_eq!(stream.target.as_ref().unwrap().to_string(), "second/second-model", "{first:?} {second:?}");
        assert_eq!((stream.attempts, stream.cost), (2, Some(COST)), "{first:?} {second:?}");
        let record = pair.backstop.explain(stream.id).unwrap();
        assert_eq!(
            (record.served_by.clone(), record.cost),
            (stream.target.clone(), Some(COST)),
            "{first:?} {second:?}"
        );
    }
}

/// The field `model` of each event.
fn models_in(raw: &[u8]) -> Vec<String> {
    let raw = std::str::from_utf8(raw).unwrap();
    let events = raw.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|event| *event != "[DONE]");
    events.map(|event| serde_json::from_str::<Value>(event).unwrap()["model"].to_string().replace('"', "")).collect()
}
