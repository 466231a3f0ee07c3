//! What a reply's headers tell of the quota reaches the strategy before the provider fails (A13).

use std::time::Duration;

use backstop::config::{Config, ProviderConfig};
use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest};
use serde_json::json;

/// The headers of real replies, with 2 % left of the scarcest limit.
const NEARLY_USED_UP: [(&str, &[(&str, &str)]); 4] = [
    (
        "OpenAI",
        &[
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9000"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-tokens", "4000"),
            ("x-ratelimit-reset-tokens", "58s"),
        ],
    ),
    (
        "Anthropic",
        &[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "1"),
            ("anthropic-ratelimit-requests-reset", "2025-01-01T00:00:59Z"),
        ],
    ),
    ("Cerebras", &[("x-ratelimit-limit-requests-day", "14400"), ("x-ratelimit-remaining-requests-day", "288")]),
    ("Together", &[("x-tokenlimit-limit", "60000"), ("x-tokenlimit-remaining", "1200")]),
];

async fn pair(first: impl Into<Script>) -> (ScriptedProvider, ScriptedProvider, Backstop) {
    let first = ScriptedProvider::start(first).await.unwrap();
    let second = ScriptedProvider::start(Script::always(Answer::new("second"))).await.unwrap();
    let mut config = Config::new();
    for (name, of) in [("first", &first), ("second", &second)] {
        config.providers.insert(name.to_owned(), ProviderConfig::openai_compatible(of.base_url()).with_model("m"));
    }
    let options = json!({"avoid_trouble": true, "retries": 0});
    config.routes["default"].options = options.as_object().cloned().unwrap();
    let backstop = Backstop::builder().config(config).seed(13).build().await.unwrap();
    (first, second, backstop)
}

async fn served_by(backstop: &Backstop) -> String {
    backstop.chat(ChatRequest::ask("hi")).await.unwrap().target.unwrap().provider.to_string()
}

// A13
#[tokio::test]
async fn asks_a_provider_last_whose_replies_say_that_its_quota_is_nearly_used_up() {
    for (name, headers) in NEARLY_USED_UP {
        let reply = headers.iter().fold(Reply::answer("first"), |reply, (header, value)| reply.header(header, *value));
        let (first, _second, backstop) = pair(Script::always(reply)).await;

        let served = [served_by(&backstop).await, served_by(&backstop).await];

        assert_eq!(served, ["first", "second"], "{name}");
        let left = backstop.status()[0].models[0].health.quota_left;
        assert!(left.is_some_and(|left| (left - 0.02).abs() < 1e-6), "{name}: {left:?}");
        assert_eq!(first.call_count(), 1);
    }
}

// A13
#[tokio::test]
async fn learns_it_from_replies_that_fail_and_from_streams_before_they_end() {
    let used_up =
        |reply: Reply| reply.header("x-ratelimit-limit-requests", "60").header("x-ratelimit-remaining-requests", "0");
    let (_first, _second, backstop) = pair(Script::always(used_up(Reply::overloaded()))).await;
    assert_eq!(served_by(&backstop).await, "second");
    assert_eq!(backstop.status()[0].models[0].health.quota_left, Some(0.0));

    let slow = Answer::new("one two").every(Duration::from_millis(1));
    let (_first, _second, backstop) = pair(Script::always(used_up(slow.into()))).await;
    let mut stream = backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    let left = backstop.status()[0].models[0].health.quota_left;
    assert!(stream.next().await.is_some_and(|chunk| chunk.is_ok()));

    assert_eq!(left, Some(0.0), "told while the answer is still coming");
}
