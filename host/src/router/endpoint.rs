//! A provider as an attempt needs it: where to send, what to send along, and how long to wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;
use url::Url;

use crate::config::{ApiKey, Credentials, GenerationDefaults, ModelConfig, Protocol, ProviderConfig, Timeouts};
use crate::provider::{Dialect, headers};
use crate::transport::HttpCall;
use crate::types::{Failure, FailureKind};

/// The time a stream's first token may take where the operator says nothing.
const FIRST_TOKEN: Duration = Duration::from_secs(10);

/// One provider, ready to be called.
#[derive(Debug)]
pub struct Endpoint {
    /// The provider's name.
    pub name: Arc<str>,
    /// How it is spoken to.
    pub protocol: Protocol,
    base_url: Url,
    /// Where chat requests go, where that is the same for all models.
    chat_url: Option<Url>,
    /// How its tongue differs from its protocol's.
    pub dialect: &'static Dialect,
    own_headers: IndexMap<String, String>,
    /// What its keys are called.
    pub key_names: Vec<String>,
    /// Its time limits.
    pub timeouts: Timeouts,
    /// Generation settings for requests that say nothing.
    pub defaults: GenerationDefaults,
    /// What the operator says of single models.
    models: HashMap<String, ModelWord>,
}

/// What the operator says of one model.
#[derive(Debug)]
struct ModelWord {
    /// Whether it goes on with an answer that has begun.
    prefill: Option<bool>,
    defaults: GenerationDefaults,
}

impl Endpoint {
    /// Makes a provider's configuration ready to use.
    #[must_use]
    pub fn new(name: &str, config: &ProviderConfig) -> Self {
        Self {
            name: name.into(),
            protocol: config.kind,
            base_url: config.base_url.clone(),
            chat_url: (config.kind != Protocol::Gemini).then(|| config.kind.chat_url(&config.base_url, "", false)),
            dialect: Dialect::of(name, &config.base_url),
            own_headers: config.headers.clone(),
            key_names: match &config.credentials {
                Credentials::Keys(keys) => keys.iter().map(|key| key.name.clone()).collect(),
                Credentials::NotNeeded | Credentials::Missing { .. } => Vec::new(),
            },
            timeouts: config.timeouts,
            defaults: config.defaults,
            models: config.models.iter().map(|model| (model.id.clone(), ModelWord::of(model))).collect(),
        }
    }

    /// The call that carries a body for one of the provider's models with one of its keys.
    ///
    /// # Errors
    /// When the key cannot stand in a header.
    pub(super) fn call(
        &self,
        model: &str,
        key: Option<&ApiKey>,
        body: Bytes,
        streaming: bool,
    ) -> Result<HttpCall, Failure> {
        let url = self.chat_url.clone().unwrap_or_else(|| self.protocol.chat_url(&self.base_url, model, streaming));
        self.call_to(url, self.protocol, key, body, streaming)
    }

    /// The call that carries a body for one of the provider's embedding models. All are asked in OpenAI's protocol.
    ///
    /// # Errors
    /// When the provider has no embeddings, or the key cannot stand in a header.
    pub(super) fn embeddings_call(&self, key: Option<&ApiKey>, body: Bytes) -> Result<HttpCall, Failure> {
        let words = || format!("{} has no embeddings", self.protocol.name());
        let url = self.protocol.embeddings_url(&self.base_url);
        let url = url.ok_or_else(|| Failure::new(FailureKind::ModelNotFound, words()))?;
        self.call_to(url, Protocol::OpenAi, key, body, false)
    }

    fn call_to(
        &self,
        url: Url,
        protocol: Protocol,
        key: Option<&ApiKey>,
        body: Bytes,
        streaming: bool,
    ) -> Result<HttpCall, Failure> {
        let headers = headers(protocol, key.map(|key| &key.secret), &self.own_headers, streaming);
        Ok(HttpCall {
            provider: Arc::clone(&self.name),
            url,
            headers: headers.map_err(|error| Failure::new(FailureKind::Authentication, error.to_string()))?,
            body,
            connect_timeout: self.timeouts.connect,
        })
    }

    /// The operator's own word on whether a model goes on with an answer that has begun.
    pub(super) fn prefill(&self, model: &str) -> Option<bool> {
        self.models.get(model)?.prefill
    }

    /// The operator's generation settings for one model.
    pub(super) fn defaults_of(&self, model: &str) -> Option<&GenerationDefaults> {
        self.models.get(model).map(|word| &word.defaults)
    }

    /// How long the first token may take.
    pub(super) fn first_token(&self, streaming: bool) -> Duration {
        match self.timeouts.first_token {
            Some(limit) => limit,
            None if streaming => FIRST_TOKEN,
            None => self.timeouts.total,
        }
    }
}

impl ModelWord {
    fn of(model: &ModelConfig) -> Self {
        Self { prefill: model.prefill, defaults: model.defaults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_each_protocol_at_its_own_chat_endpoint() {
        for (kind, base, expected) in [
            (Protocol::OpenAi, "https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            (Protocol::Ollama, "http://localhost:11434", "http://localhost:11434/api/chat"),
            (Protocol::Anthropic, "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
            (Protocol::Gemini, "https://g.example", "https://g.example/v1beta/models/m:generateContent"),
        ] {
            let config = ProviderConfig { kind, ..ProviderConfig::openai_compatible(base.parse().unwrap()) };

            let call = Endpoint::new("p", &config).call("m", None, Bytes::new(), false).unwrap();

            assert_eq!(call.url.as_str(), expected);
        }
    }

    #[test]
    fn asks_for_embeddings_in_openais_protocol_whatever_a_chat_is_asked_in() {
        let base = "https://g.example".parse().unwrap();
        let gemini = ProviderConfig { kind: Protocol::Gemini, ..ProviderConfig::openai_compatible(base) };
        let key = ApiKey { name: "KEY".to_owned(), secret: "canary".into() };

        let call = Endpoint::new("g", &gemini).embeddings_call(Some(&key), Bytes::new()).unwrap();

        assert_eq!(call.url.as_str(), "https://g.example/v1beta/openai/embeddings");
        assert_eq!(call.headers["authorization"], "Bearer canary");
        assert!(!call.headers.contains_key("x-goog-api-key"));
    }
}
