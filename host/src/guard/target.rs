//! The targets of a configuration: every model of every provider, also of those that cannot be used.

use std::sync::Arc;

use crate::config::{Config, ModelConfig, ProviderConfig};
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
    /// Its model's place in the provider's `models`.
    pub model: usize,
}

impl Target {
    /// The price to count with, if there is one: what runs on the operator's own machines is free unless said otherwise.
    #[must_use]
    pub fn price(&self) -> Option<Price> {
        self.roster.price
    }
}

/// All targets in declared order; a target's id is its place in the list.
#[must_use]
pub fn targets(config: &Config) -> Vec<Target> {
    let places = config.providers.iter().enumerate().flat_map(|(provider, (name, settings))| {
        settings.models.iter().enumerate().map(move |(model, of)| (provider, name, settings, model, of))
    });
    let target = |(id, (provider, name, settings, model, of)): (u32, (usize, &String, &ProviderConfig, usize, _))| {
        let roster = roster_target(name, settings, of);
        Target { id: TargetId(id), name: Arc::new(roster.name.clone()), roster, provider, model }
    };
    (0u32..).zip(places).map(target).collect()
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
