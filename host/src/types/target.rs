//! A target: one configured provider and model that a request may go to.

use std::fmt;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{NanoUsd, Price};

/// A target's place among all targets of the configuration, in declared order, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TargetId(pub u32);

impl TargetId {
    /// The place as an index into a list of all targets.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Provider and model: how people, logs and records name a target. Shown as `provider/model`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetName {
    /// The provider's name in the configuration.
    pub provider: Arc<str>,
    /// The provider's own id of the model.
    pub model: Arc<str>,
}

impl TargetName {
    /// Joins a provider's name and a model's id.
    #[must_use]
    pub fn new(provider: &str, model: &str) -> Self {
        Self { provider: provider.into(), model: model.into() }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl Serialize for TargetName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A provider's name has no slash; a model's id may have.
        let parts = text.split_once('/').map(|(provider, model)| Self::new(provider, model));
        parts.ok_or_else(|| D::Error::custom(format_args!("{text:?} is no provider/model")))
    }
}

/// What a strategy is told of a target once, when it is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RosterTarget {
    /// Which provider and model.
    pub name: TargetName,
    /// The operator's ranking: higher is better.
    pub priority: i32,
    /// Runs on the operator's own machines.
    pub local: bool,
    /// The price, where it is known.
    pub price: Option<Price>,
    /// Tokens of input and output together, where known.
    pub context_window: Option<u32>,
    /// Takes tool definitions.
    pub tools: bool,
    /// Can be held to JSON output.
    pub json: bool,
    /// Takes images.
    pub vision: bool,
    /// The operator's own words about the target.
    pub labels: Vec<(String, String)>,
}

impl RosterTarget {
    /// What so many tokens cost here at most, where the price is known.
    #[must_use]
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> Option<NanoUsd> {
        self.price.map(|price| price.cost(input_tokens, output_tokens))
    }
}
