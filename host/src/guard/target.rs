//! The targets of a configuration: every model of every provider, also of those that cannot be used.

use std::sync::Arc;

use crate::config::{Config, EmbeddingModel, ModelConfig, ProviderConfig};
use crate::types::{Price, RosterTarget, TargetId, TargetName};

/// One provider and model, with its place in the configuration.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its place among all targets.
    pub id: TargetId,
    /// What people call it.
    pub name: Arc<TargetName>,
    /// What a strategy is told of it.
    pub roster: RosterTarget,
    /// Its provider's place in `config.providers`.
    pub provider: usize,
    /// Its model's place in the provider's `model_ids`.
    pub model: usize,
    /// The name its embedding model goes by wherever it is the same; `None` where it chats.
    pub embeds: Option<Arc<str>>,
    /// Tokens that one image, sound or file takes at most, where the operator says.
    pub media_tokens: Option<u32>,
}

impl Target {
    /// The price to count with, if there is one: what runs on the operator's own machines is free unless said otherwise.
    #[must_use]
    pub fn price(&self) -> Option<Price> {
        self.roster.price
    }

    /// The route of its embedding model; `None` where it chats.
    #[must_use]
    pub fn embedding_route(&self) -> Option<String> {
        Some(format!("{}{}", Config::EMBEDDINGS, self.embeds.as_ref()?))
    }
}

/// All targets in declared order; a target's id is its place in the list.
#[must_use]
pub fn targets(config: &Config) -> Vec<Target> {
    let mut targets = Vec::new();
    for (provider, (name, settings)) in config.providers.iter().enumerate() {
        let chat = settings.models.iter().map(|model| (roster_target(name, settings, model), None, model.media_tokens));
        let embedding = settings.embedding_models.iter().map(|model| {
            let shared: Arc<str> = model.name().into();
            (embedding_roster_target(name, settings, model), Some(shared), None)
        });
        for (model, (roster, embeds, media_tokens)) in chat.chain(embedding).enumerate() {
            let id = TargetId(u32::try_from(targets.len()).unwrap_or(u32::MAX));
            let name = Arc::new(roster.name.clone());
            targets.push(Target { id, name, roster, provider, model, embeds, media_tokens });
        }
    }
    targets
}

fn roster_target(provider: &str, settings: &ProviderConfig, model: &ModelConfig) -> RosterTarget {
    RosterTarget {
        name: TargetName::new(provider, &model.id),
        priority: settings.priority,
        local: settings.local,
        price: settings.price_of(model),
        context_window: model.window(),
        tools: model.tools,
        json: model.json,
        vision: model.vision,
        labels: settings.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    }
}

/// What an embedding model takes is bounded for each text and not for the request: no window is told.
fn embedding_roster_target(provider: &str, settings: &ProviderConfig, model: &EmbeddingModel) -> RosterTarget {
    let told = ModelConfig { tools: false, json: false, vision: false, ..ModelConfig::new(&model.id) };
    RosterTarget { price: settings.embedding_price_of(model), ..roster_target(provider, settings, &told) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NanoUsd;

    fn provider() -> ProviderConfig {
        ProviderConfig::openai_compatible("http://127.0.0.1:1/v1".parse().unwrap())
    }

    #[test]
    fn numbers_every_model_in_declared_order_also_those_switched_off() {
        let mut config = Config::new();
        let off = ProviderConfig { enabled: false, ..provider().with_model("a").with_model("b") };
        config.providers.insert("one".to_owned(), off);
        config.providers.insert("two".to_owned(), provider().with_model("c"));

        let targets = targets(&config);

        let names: Vec<String> = targets.iter().map(|target| target.name.to_string()).collect();
        assert_eq!(names, ["one/a", "one/b", "two/c"]);
        let places: Vec<_> = targets.iter().map(|target| (target.id.0, target.provider, target.model)).collect();
        assert_eq!(places, [(0, 0, 0), (1, 0, 1), (2, 1, 0)]);
    }

    #[test]
    fn knows_embedding_models_that_are_the_same_by_a_name_of_theirs() {
        let mut other = provider().with_embedding_model("m2-embed");
        other.embedding_models[0].same_as = Some("embed-2".to_owned());
        let mut config = Config::new();
        config.providers.insert("one".to_owned(), provider().with_embedding_model("embed-2").with_model("a"));
        config.providers.insert("two".to_owned(), other);

        let targets = targets(&config);

        let told: Vec<_> =
            targets.iter().map(|target| (target.name.to_string(), target.embeds.as_deref(), target.model)).collect();
        let own = |name: &str| name.to_owned();
        assert_eq!(
            told,
            [
                (own("one/a"), None, 0),
                (own("one/embed-2"), Some("embed-2"), 1),
                (own("two/m2-embed"), Some("embed-2"), 0)
            ]
        );
    }

    #[test]
    fn takes_no_chat_models_price_for_an_embedding_models() {
        let mut config = Config::new();
        let paid = provider().with_price(Price::flat_per_1k(NanoUsd::from_nanos(5)));
        let mut paid = paid.with_embedding_model("unknown").with_embedding_model("own");
        let own = Price::new(NanoUsd::from_nanos(20), NanoUsd::ZERO);
        paid.embedding_models[1].price = Some(own);
        config.providers.insert("paid".to_owned(), paid);
        let local = ProviderConfig { local: true, ..provider().with_embedding_model("c") };
        config.providers.insert("local".to_owned(), local);

        let prices: Vec<_> = targets(&config).iter().map(Target::price).collect();

        assert_eq!(prices, [None, Some(own), Some(Price::FREE)]);
    }

    #[test]
    fn prefers_a_models_own_price_and_takes_a_local_one_for_free() {
        let flat = |cents| Price::flat_per_1k(NanoUsd::from_nanos(cents));
        let mut config = Config::new();
        let mut paid = provider().with_price(flat(5)).with_model("a").with_model("b");
        paid.models[1].price = Some(flat(7));
        config.providers.insert("paid".to_owned(), paid);
        config.providers.insert("local".to_owned(), ProviderConfig { local: true, ..provider().with_model("c") });

        let prices: Vec<_> = targets(&config).iter().map(Target::price).collect();

        assert_eq!(prices, [Some(flat(5)), Some(flat(7)), Some(flat(0))]);
    }
}
