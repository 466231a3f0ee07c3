//! Fills in what follows from the rest of a configuration.

use super::settings::{Config, ProviderConfig, TargetRef};

/// Makes sure that there is a default route and that it comes first, and gives every route that names no targets all enabled
/// providers in declared order, but for those that only make embeddings.
pub fn finish(config: &mut Config) {
    let default = config.routes.shift_remove(Config::DEFAULT_ROUTE).unwrap_or_default();
    config.routes.shift_insert(0, Config::DEFAULT_ROUTE.to_owned(), default);
    let only_embeds = |provider: &ProviderConfig| provider.models.is_empty() && !provider.embedding_models.is_empty();
    let enabled = config.providers.iter().filter(|(_, provider)| provider.enabled && !only_embeds(provider));
    let all: Vec<TargetRef> = enabled.map(|(name, _)| TargetRef { provider: name.clone(), model: None }).collect();
    for route in config.routes.values_mut().filter(|route| route.targets.is_empty()) {
        route.targets.clone_from(&all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RouteConfig;

    fn provider() -> ProviderConfig {
        ProviderConfig::openai_compatible("http://127.0.0.1:1/v1".parse().unwrap()).with_model("m")
    }

    fn providers(route: &RouteConfig) -> Vec<&str> {
        route.targets.iter().map(|target| target.provider.as_str()).collect()
    }

    #[test]
    fn gives_a_route_without_targets_every_enabled_provider() {
        let mut config = Config::new();
        config.providers.insert("b".into(), provider());
        config.providers.insert("off".into(), ProviderConfig { enabled: false, ..provider() });
        config.providers.insert("a".into(), provider());
        let only = TargetRef { provider: "a".into(), model: None };
        config.routes.insert("own".into(), RouteConfig { targets: vec![only], ..RouteConfig::default() });

        finish(&mut config);

        assert_eq!(providers(&config.routes["default"]), ["b", "a"]);
        assert_eq!(providers(&config.routes["own"]), ["a"]);
    }

    #[test]
    fn puts_the_default_route_first() {
        let mut config = Config::new();
        config.routes.clear();
        config.routes.insert("own".into(), RouteConfig::default());

        finish(&mut config);

        assert_eq!(config.routes.keys().collect::<Vec<_>>(), ["default", "own"]);
    }
}
