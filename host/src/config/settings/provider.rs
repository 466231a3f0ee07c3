//! One provider: how it is spoken to, with which keys, within which times and limits.

use std::time::Duration;

use indexmap::IndexMap;
use secrecy::SecretString;
use url::Url;

use crate::types::Price;

use super::budget::SpendLimits;
use super::limits::Limits;
use super::model::{EmbeddingModel, ModelConfig};

/// One provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The wire protocol.
    pub kind: Protocol,
    /// Where its API begins, such as `https://api.openai.com/v1`.
    pub base_url: Url,
    /// Whether keys may travel unencrypted (`http://`) to a host that is neither this machine nor a private address.
    pub allow_insecure: bool,
    /// Its keys, or why it has none.
    pub credentials: Credentials,
    /// Its chat models in the order they are tried; at least one of these or of the next where the provider is usable.
    pub models: Vec<ModelConfig>,
    /// Its embedding models: no route of chats tries them.
    pub embedding_models: Vec<EmbeddingModel>,
    /// Switched off by the operator where false.
    pub enabled: bool,
    /// Higher is better.
    pub priority: i32,
    /// Runs on the operator's own machines.
    pub local: bool,
    /// The price of models that have none of their own.
    pub price: Option<Price>,
    /// Its time limits.
    pub timeouts: Timeouts,
    /// What it may be asked at most.
    pub limits: Limits,
    /// What may be spent there, within what may be spent at all.
    pub budget: SpendLimits,
    /// Generation settings for requests that say nothing.
    pub defaults: GenerationDefaults,
    /// Headers sent along with every request, such as `HTTP-Referer`.
    pub headers: IndexMap<String, String>,
    /// The operator's own words about it, shown to strategies.
    pub labels: IndexMap<String, String>,
}

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `POST {base_url}/chat/completions` as OpenAI defined it.
    OpenAi,
    /// Anthropic Messages: `POST {base_url}/v1/messages`.
    Anthropic,
    /// Gemini: `POST {base_url}/v1beta/models/{model}:generateContent`, or `:streamGenerateContent`.
    Gemini,
    /// Ollama: `POST {base_url}/api/chat`.
    Ollama,
}

/// A provider's keys.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// It takes none (a local server).
    NotNeeded,
    /// Rotated, each with its own cooldown.
    Keys(Vec<ApiKey>),
    /// It wants one and has none, or only a placeholder: "not initialised".
    Missing {
        /// The variables that would bring one.
        variables: Vec<String>,
        /// The variable that holds a placeholder, where that is the trouble.
        placeholder: Option<String>,
    },
}

/// One key and where it came from.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The variable (or the place in code) it came from: what logs and records name it by.
    pub name: String,
    /// The key itself. Only the transport looks at it.
    pub secret: SecretString,
}

/// Time limits of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection. 5 s.
    pub connect: Duration,
    /// From sending to the first token. `None` is 10 s for streams and no limit of its own for whole replies, which come
    /// in one piece when the last token is made; set by hand it holds for both.
    pub first_token: Option<Duration>,
    /// Between two tokens of a stream; comments do not count. 15 s.
    pub idle: Duration,
    /// The whole attempt. 120 s.
    pub total: Duration,
}

/// Generation settings for requests that say nothing themselves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GenerationDefaults {
    /// `temperature`, 0 to 2.
    pub temperature: Option<f64>,
    /// `max_tokens`, from 1.
    pub max_tokens: Option<u32>,
}

impl ProviderConfig {
    /// A provider that speaks OpenAI's protocol at `base_url`, with every setting at its default and no model yet.
    #[must_use]
    pub fn openai_compatible(base_url: Url) -> Self {
        Self {
            kind: Protocol::OpenAi,
            base_url,
            allow_insecure: false,
            credentials: Credentials::NotNeeded,
            models: Vec::new(),
            embedding_models: Vec::new(),
            enabled: true,
            priority: 0,
            local: false,
            price: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            budget: SpendLimits::default(),
            defaults: GenerationDefaults::default(),
            headers: IndexMap::new(),
            labels: IndexMap::new(),
        }
    }

    /// Adds a key.
    #[must_use]
    pub fn with_key(mut self, name: &str, secret: &str) -> Self {
        let key = ApiKey { name: name.to_owned(), secret: SecretString::from(secret) };
        match &mut self.credentials {
            Credentials::Keys(keys) => keys.push(key),
            Credentials::NotNeeded | Credentials::Missing { .. } => self.credentials = Credentials::Keys(vec![key]),
        }
        self
    }

    /// Adds a model; models are tried in the order they were added.
    #[must_use]
    pub fn with_model(mut self, id: &str) -> Self {
        self.models.push(ModelConfig::new(id));
        self
    }

    /// Adds an embedding model.
    #[must_use]
    pub fn with_embedding_model(mut self, id: &str) -> Self {
        self.embedding_models.push(EmbeddingModel::new(id));
        self
    }

    /// The ids of all its models, those for embeddings last. A model's place is its place among these.
    pub fn model_ids(&self) -> impl Iterator<Item = &str> {
        let chat = self.models.iter().map(|model| model.id.as_str());
        chat.chain(self.embedding_models.iter().map(|model| model.id.as_str()))
    }

    /// Sets the price of the models that have none of their own.
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// What one of its models costs: the operator's own word, for a local one nothing, else what the catalogue says.
    #[must_use]
    pub fn price_of(&self, model: &ModelConfig) -> Option<Price> {
        let own = model.price.or(self.price).or(self.local.then_some(Price::FREE));
        own.or(model.listed.and_then(|listed| listed.price))
    }

    /// What one of its embedding models costs: the operator's own word, for a local one nothing, else what the catalogue says.
    #[must_use]
    pub fn embedding_price_of(&self, model: &EmbeddingModel) -> Option<Price> {
        model.price.or(self.local.then_some(Price::FREE)).or(model.listed)
    }

    /// Sets the priority; higher is better.
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the time limits.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}

impl Credentials {
    /// Whether the provider can be asked at all.
    #[must_use]
    pub fn are_usable(&self) -> bool {
        !matches!(self, Self::Missing { .. })
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: None,
            idle: Duration::from_secs(15),
            total: Duration::from_secs(120),
        }
    }
}
