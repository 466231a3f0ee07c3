//! Embeddings through the library: vectors, records and costs.

use std::time::Duration;

use backstop::config::{Config, EmbeddingModel, ProviderConfig};
use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::types::{Outcome, Price};
use backstop::{Backstop, EmbeddingRequest, NanoUsd, RouteError};

const DOLLAR: NanoUsd = NanoUsd::DOLLAR;

async fn scripted(script: impl Into<Script>) -> ScriptedProvider {
    ScriptedProvider::start(script).await.unwrap()
}

/// A provider of `embed-2` at a dollar for a million tokens, and of nothing else.
fn provider(of: &ScriptedProvider) -> ProviderConfig {
    let mut provider = ProviderConfig::openai_compatible(of.base_url());
    let price = Some(Price::new(DOLLAR, NanoUsd::ZERO));
    provider.embedding_models.push(EmbeddingModel { price, ..EmbeddingModel::new("embed-2") });
    provider
}

async fn backstop(providers: &[(&str, &ScriptedProvider)]) -> Backstop {
    let mut config = Config::new();
    for (name, of) in providers {
        config.providers.insert((*name).to_owned(), provider(of));
    }
    Backstop::builder().config(config).build().await.unwrap()
}

fn request() -> EmbeddingRequest {
    EmbeddingRequest::of_texts("embed-2", ["one", "two"]).unwrap()
}

#[tokio::test]
async fn has_the_vectors_in_the_order_of_the_texts() {
    let out_of_order = r#"{"data":[{"index":1,"embedding":[0.5,-1]},{"index":0,"embedding":[2]}]}"#;
    let one = scripted(Script::always(Reply::raw(200, "application/json", out_of_order))).await;

    let embeddings = backstop(&[("one", &one)]).await.embed(request()).await.unwrap();

    assert_eq!(embeddings.vectors().unwrap(), [vec![2.0], vec![0.5, -1.0]]);
    assert_eq!(embeddings.body, out_of_order);
}

#[tokio::test]
async fn records_and_bills_as_a_chat_is() {
    let one = scripted(Script::always(Reply::unauthorized())).await;
    let two = scripted(Script::always(Answer::new("vectors").usage(2_000, 0))).await;
    let backstop = backstop(&[("one", &one), ("two", &two)]).await;

    let embeddings = backstop.embed(request().with_label("context", "search")).await.unwrap();

    let cost = NanoUsd::from_nanos(2_000_000);
    assert_eq!((embeddings.target.to_string(), embeddings.cost), ("two/embed-2".to_owned(), Some(cost)));
    let record = backstop.explain(embeddings.id).unwrap();
    assert_eq!((&*record.route, record.outcome), ("embeddings/embed-2", Outcome::Served));
    assert_eq!((record.cost, record.usage.map(|usage| (usage.input, usage.output))), (Some(cost), Some((2_000, 0))));
    assert_eq!(record.labels.to_vec(), [("context".to_owned(), "search".to_owned())]);
    let tried: Vec<String> = record.attempts.iter().map(|attempt| attempt.target.to_string()).collect();
    assert_eq!(tried, ["one/embed-2", "two/embed-2"]);
    assert_eq!(backstop.costs().total(), cost);
}

#[tokio::test]
async fn needs_no_chat_model_and_says_so_to_who_wants_to_chat() {
    let one = scripted(Script::always(Answer::new("vectors"))).await;
    let backstop = backstop(&[("one", &one)]).await;

    let embedded = backstop.embed(request()).await;
    let chat = backstop.ask("hi").await.unwrap_err();

    assert!(embedded.is_ok());
    assert!(matches!(chat, RouteError::Unavailable { .. }), "{chat}");
    assert_eq!(one.call_count(), 1);
}

#[tokio::test]
async fn ends_at_the_deadline() {
    let one = scripted(Script::always(Reply::silence())).await;

    let failed = backstop(&[("one", &one)]).await.embed(request().with_deadline(Duration::from_millis(100))).await;

    assert!(matches!(failed, Err(RouteError::DeadlineExceeded { .. })), "{failed:?}");
}
