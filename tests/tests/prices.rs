//! What an answer cost, by the catalogue: over real sockets, with cached tokens, under a budget.

use backstop::config::{Config, ProviderConfig};
use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest, NanoUsd};
use serde_json::json;

async fn cost_at(name: &str, model: &str) -> Option<NanoUsd> {
    let usage =
        json!({"prompt_tokens": 3_000, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 2_000}});
    let answer = Reply::from(Answer::new("hello").usage_json(usage));
    let scripted = ScriptedProvider::start(Script::always(answer)).await.unwrap();
    let provider = ProviderConfig::openai_compatible(scripted.base_url()).with_key("TEST_KEY", "sk").with_model(model);
    let mut config = Config::new();
    config.providers.insert(name.to_owned(), provider);
    config.budget.daily = Some(NanoUsd::DOLLAR);
    let backstop = Backstop::builder().config(config).build().await.unwrap();

    let answer = backstop.chat(ChatRequest::ask("hi").with_field("max_tokens", &200)).await.ok()?;

    assert_eq!(answer.text, "hello");
    backstop.latest(1)[0].cost
}

#[tokio::test]
async fn bills_a_model_of_the_catalogue_that_nobody_gave_a_price() {
    let cost = cost_at("openai", "gpt-4o-mini").await;

    // 1,000 at $0.15, 2,000 read from the cache at $0.075, 200 at $0.60.
    assert_eq!(cost, Some(NanoUsd::from_nanos(420_000)));
}

#[tokio::test]
async fn asks_no_model_of_unknown_price_while_a_budget_is_set() {
    assert_eq!(cost_at("mine", "none-such").await, None);
}
