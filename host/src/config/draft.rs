//! A provider in the making: what was said of it so far, before defaults are filled in and keys fetched.

use std::time::Duration;

use indexmap::IndexMap;
use url::Url;

use crate::types::Price;

use super::environment::Environment;
use super::key::{self, KeySource};
use super::known::{self, KnownProvider};
use super::origin::{Origin, join};
use super::problem::Fault;
use super::report::Report;
use super::settings::{
    EmbeddingModel, GenerationDefaults, Limits, ModelConfig, Protocol, ProviderConfig, SpendLimits, Timeouts,
};

/// What was said of a provider.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) known: Option<&'static KnownProvider>,
    pub(super) kind: Option<Protocol>,
    pub(super) base_url: Option<Url>,
    pub(super) allow_insecure: bool,
    /// `None` where nothing was said: the usual variables.
    pub(super) keys: Option<KeySource>,
    pub(super) models: Option<Vec<ModelConfig>>,
    /// `None` where nothing was said: those that come with the name.
    pub(super) embedding_models: Option<Vec<EmbeddingModel>>,
    pub(super) enabled: bool,
    pub(super) priority: i32,
    pub(super) local: Option<bool>,
    pub(super) price: Option<Price>,
    pub(super) timeouts: Timeouts,
    pub(super) limits: Limits,
    pub(super) budget: SpendLimits,
    pub(super) defaults: GenerationDefaults,
    pub(super) headers: IndexMap<String, String>,
    pub(super) labels: IndexMap<String, String>,
    /// `<P>_MAX_RETRIES`.
    pub(super) max_retries: Option<u32>,
    /// `<P>_RETRY_DELAY`.
    pub(super) retry_delay: Option<Duration>,
}

impl Draft {
    /// A provider of which nothing but its name is known.
    pub(super) fn new(name: &str) -> Self {
        Self {
            known: KnownProvider::find(name),
            kind: None,
            base_url: None,
            allow_insecure: false,
            keys: None,
            models: None,
            embedding_models: None,
            enabled: true,
            priority: 0,
            local: None,
            price: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            budget: SpendLimits::default(),
            defaults: GenerationDefaults::default(),
            headers: IndexMap::new(),
            labels: IndexMap::new(),
            max_retries: None,
            retry_delay: None,
        }
    }

    /// Fills in what comes with the name and fetches the keys. `None` where there is no address to go to, which is reported
    /// unless a faulty one was.
    pub(super) fn build(self, name: &str, environment: &Environment, report: &mut Report) -> Option<ProviderConfig> {
        let path = join("providers", name);
        let source = self.key_source(name);
        let credentials = key::fetch(&source, name, environment, report);
        let kind = self.kind.or(self.known.map(|known| known.kind)).unwrap_or(Protocol::OpenAi);
        let usual_address = self.known.and_then(|known| Url::parse(known.base_url).ok());
        let base_url = self.base_url.clone().or(usual_address).or_else(|| {
            self.missing_address(&path, report);
            None
        })?;
        let local = self.local.unwrap_or(self.known.is_some_and(|known| known.local));
        let usual_models = || self.known.iter().flat_map(|known| known.models).map(|id| ModelConfig::new(id)).collect();
        let usual_embedding_models = || match self.known {
            // Whoever is at another address may not have them.
            Some(known) if self.base_url.is_none() && kind == known.kind => {
                report.origins.note(format!("{path}.embedding_models"), Origin::KnownName);
                known.embedding_models.iter().map(|id| EmbeddingModel::new(id)).collect()
            }
            Some(_) | None => Vec::new(),
        };
        let embedding_models = self.embedding_models.unwrap_or_else(usual_embedding_models);
        if let Some(known) = self.known {
            note_known(known, &path, report);
        }
        Some(ProviderConfig {
            kind,
            base_url,
            allow_insecure: self.allow_insecure,
            credentials,
            models: self.models.unwrap_or_else(usual_models),
            embedding_models,
            enabled: self.enabled,
            priority: self.priority,
            local,
            price: self.price.or_else(|| local.then_some(Price::FREE)),
            timeouts: self.timeouts,
            limits: self.limits,
            budget: self.budget,
            defaults: self.defaults,
            headers: self.headers,
            labels: self.labels,
        })
    }

    /// Tells what an unknown name lacks. A faulty address was reported where it stood.
    fn missing_address(&self, path: &str, report: &mut Report) {
        let setting = format!("{path}.base_url");
        if !report.problems.iter().any(|problem| problem.setting == setting) {
            let fault = Fault::example("missing: the name is not a known one", "\"https://...\"");
            report.fault_of(&setting, fault);
        }
        if self.models.is_none() && self.embedding_models.is_none() && self.enabled {
            report.fault_of(&format!("{path}.models"), Fault::example("no model", "[\"gpt-4o\"]"));
        }
    }

    /// Where its keys are: where the file says, else in the variables that go with its name.
    fn key_source(&self, name: &str) -> KeySource {
        if let Some(source) = &self.keys {
            return source.clone();
        }
        let own = || vec![format!("{}_API_KEY", known::variable_prefix(name))];
        match self.known {
            Some(known) if known.local => KeySource::Optional(own()),
            Some(known) => KeySource::FirstOf(known.key_variables.iter().map(ToString::to_string).collect()),
            None => KeySource::Optional(own()),
        }
    }
}

fn note_known(known: &KnownProvider, path: &str, report: &mut Report) {
    for key in ["kind", "base_url", "models", "api_key_env"].into_iter().chain(known.local.then_some("local")) {
        let setting = format!("{path}.{key}");
        if !report.origins.is_set(&setting) {
            report.origins.note(setting, Origin::KnownName);
        }
    }
}
