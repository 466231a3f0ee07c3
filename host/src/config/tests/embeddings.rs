//! `embedding_models`: read, shown, checked.

use crate::config::{EmbeddingModel, show, show_json};
use crate::types::{NanoUsd, Price};

use super::{default_route, loaded, problem, problems};

const ONE: &str = r#"
[providers.own]
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
embedding_models = ["e-1", { id = "own/e-2", same_as = "e-2", price = { input_per_mtok = "0.02" } }]
"#;

#[test]
fn reads_them_apart_from_the_chat_models() {
    let provider = &loaded(ONE, &[]).config.providers["own"];

    let price = Some(Price::new(NanoUsd::from_nanos(20_000_000), NanoUsd::ZERO));
    let second = EmbeddingModel { same_as: Some("e-2".to_owned()), price, ..EmbeddingModel::new("own/e-2") };
    assert_eq!(provider.embedding_models, [EmbeddingModel::new("e-1"), second]);
    assert_eq!(super::models(provider), ["m"]);
}

#[test]
fn shows_them_as_they_were_written() {
    let loaded = loaded(ONE, &[]);

    let shown = show(&loaded);

    let line = shown.lines().find(|line| line.starts_with("embedding_models")).unwrap();
    insta::assert_snapshot!(line, @r#"embedding_models = ["e-1", { id = "own/e-2", same_as = "e-2", price = { input_per_mtok = "0.02" } }]  # backstop.toml:5"#);
    assert!(show_json(&loaded)["settings"]["providers.own.embedding_models"]["value"].is_array());
}

#[test]
fn knows_the_price_of_one_from_the_catalogue() {
    let toml = "[providers.openai]\nembedding_models = [\"text-embedding-3-small\", \"no-such-model\"]\n";

    let loaded = loaded(toml, &[("OPENAI_API_KEY", "k")]);

    let provider = &loaded.config.providers["openai"];
    let prices = provider.embedding_models.iter().map(|model| provider.embedding_price_of(model));
    let input = Price::new(NanoUsd::from_nanos(20_000_000), NanoUsd::ZERO);
    assert_eq!(prices.collect::<Vec<_>>(), [Some(input), None]);
    assert!(show(&loaded).contains("by the catalogue: text-embedding-3-small ($0.02 for 1M tokens)"));
}

#[test]
fn knows_those_of_known_providers_at_their_own_address_unless_told_otherwise() {
    let ids = |settings: &str| {
        let config = loaded(&format!("[providers.openai]\n{settings}"), &[("OPENAI_API_KEY", "k")]).config;
        let models = config.providers["openai"].embedding_models.iter().map(|model| model.id.clone());
        models.collect::<Vec<_>>().join(" ")
    };

    assert_eq!(ids(""), "text-embedding-3-small text-embedding-3-large");
    assert_eq!(ids("models = [\"gpt-4o\"]\n"), "text-embedding-3-small text-embedding-3-large");
    assert_eq!(ids("embedding_models = [\"text-embedding-ada-002\"]\n"), "text-embedding-ada-002");
    assert_eq!(ids("embedding_models = []\n"), "");
    assert_eq!(ids("base_url = \"http://127.0.0.1:1/v1\"\n"), "", "whoever is there may have others");
}

#[test]
fn takes_a_provider_that_only_makes_embeddings_and_lets_nobody_chat_with_it() {
    let only = "[providers.own]\nbase_url = \"http://127.0.0.1:1/v1\"\nembedding_models = [\"e\"]\n";
    let other = "[providers.chat]\nbase_url = \"http://127.0.0.1:2/v1\"\nmodels = [\"m\"]\n";

    let config = loaded(&format!("{only}{other}"), &[]).config;

    let targets = default_route(&config).targets.iter().map(|target| target.provider.as_str());
    assert_eq!(targets.collect::<Vec<_>>(), ["chat"]);
    insta::assert_snapshot!(problem(&format!("{only}{other}[routes.default]\ntargets = [\"chat\", \"own\"]\n")), @"backstop.toml:8: routes.default.targets[1]: own only makes embeddings; remove it here: embeddings have routes of their own");
}

#[test]
fn says_what_is_wrong_with_them() {
    let toml = r#"
[providers.own]
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
embedding_models = ["m", "e e", { same_as = "x" }, { id = "e", price = { output_per_mtok = "1" } }, 7]

[providers.anthropic]
embedding_models = ["e"]
"#;

    insta::assert_snapshot!(problems(toml, &[]).join("\n"), @r#"
    backstop.toml:5: providers.own.embedding_models[1] = "e e": not a model's id; write the id the provider has for it
    backstop.toml:5: providers.own.embedding_models[2].id: missing; write id = "text-embedding-3-small"
    backstop.toml:5: providers.own.embedding_models[3].price.input_per_mtok: missing; write input_per_mtok = "0.02"
    backstop.toml:5: providers.own.embedding_models[3].price.output_per_mtok: no such setting; did you mean input_per_mtok?
    backstop.toml:5: providers.own.embedding_models[4] = 7: a number where text belongs; write "..."
    backstop.toml:5: providers.own.embedding_models: m is there twice; keep one of them
    backstop.toml:8: providers.anthropic.embedding_models: kind anthropic has no embeddings; remove them, or write kind = "openai" and the address of an API that has
    "#);
}
