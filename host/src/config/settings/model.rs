//! The models of a provider, for chats and for embeddings.

use crate::types::Price;

use super::limits::Limits;
use super::provider::GenerationDefaults;

/// One model of a provider.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// The provider's id of it.
    pub id: String,
    /// Its own price, where it differs from the provider's.
    pub price: Option<Price>,
    /// Tokens of input and output together, where known.
    pub context_window: Option<u32>,
    /// Takes tool definitions.
    pub tools: bool,
    /// Can be held to JSON.
    pub json: bool,
    /// Takes images.
    pub vision: bool,
    /// Tokens that one image, sound or file takes at most; `None` is not known, and a budget then refuses requests with any.
    pub media_tokens: Option<u32>,
    /// Generation settings for requests that say nothing, before its provider's.
    pub defaults: GenerationDefaults,
    /// Goes on with an answer that has begun; `None` is what is known of its provider.
    pub prefill: Option<bool>,
    /// What it may be asked at most, within its provider's limits.
    pub limits: Limits,
    /// What the catalogue says of it, which counts where the operator says nothing; `None` where it was not asked.
    pub listed: Option<Listing>,
}

/// One embedding model of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingModel {
    /// The provider's id of it.
    pub id: String,
    /// The name it shares with the same model elsewhere, where that is not its id: vectors of different models cannot be
    /// compared, so that only models of one name stand in for each other.
    pub same_as: Option<String>,
    /// Its own price; the provider's is that of its chat models.
    pub price: Option<Price>,
    /// What the catalogue says it costs, which counts where the operator says nothing.
    pub listed: Option<Price>,
}

/// What the catalogue says of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listing {
    /// Its price, where it has one that can be billed by tokens.
    pub price: Option<Price>,
    /// Tokens of input and output together, where known.
    pub context_window: Option<u32>,
}

impl ModelConfig {
    /// A model of which nothing is known but its id: it is taken to be capable of everything.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            price: None,
            context_window: None,
            tools: true,
            json: true,
            vision: true,
            media_tokens: None,
            defaults: GenerationDefaults::default(),
            prefill: None,
            limits: Limits::default(),
            listed: None,
        }
    }

    /// How much it takes in: the operator's own word, else the catalogue's. Tokens of input and output together.
    #[must_use]
    pub fn window(&self) -> Option<u32> {
        self.context_window.or(self.listed.and_then(|listed| listed.context_window))
    }
}

impl EmbeddingModel {
    /// A model of which nothing is known but its id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), same_as: None, price: None, listed: None }
    }

    /// The name by which it is the same model as others.
    #[must_use]
    pub fn name(&self) -> &str {
        self.same_as.as_deref().unwrap_or(&self.id)
    }
}
