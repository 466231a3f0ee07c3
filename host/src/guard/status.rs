//! How every provider is doing, for people: what `backstop status` shows.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::denied::{Denied, Disabled};
use super::health::Health;
use super::provider::{Access, Book, Provider};
use super::turn::Urgency;
use crate::clock::Moment;
use crate::types::FailureKind;

/// How one provider is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderStatus {
    /// Its name in the configuration.
    pub provider: Arc<str>,
    /// The best of its models' states.
    pub state: ProviderState,
    /// The state in a word: healthy, rate limited, failed or unavailable.
    pub verdict: Verdict,
    /// Requests in line for their turn within its limits.
    pub waiting: u32,
    /// All its attempts.
    pub health: HealthStatus,
    /// Its models in declared order.
    pub models: Vec<ModelStatus>,
    /// Its keys, by name; empty where it needs none.
    pub keys: Vec<KeyStatus>,
}

/// Whether a provider, model or key can be used, and if not, why and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum ProviderState {
    /// It can.
    Available,
    /// It asked to be left alone.
    RateLimited {
        /// The reset.
        until: Timestamp,
    },
    /// It failed so often that it is left alone.
    TemporarilyDisabled {
        /// The next probe.
        until: Timestamp,
    },
    /// One request is trying whether it is back.
    Probing,
    /// Its account or daily quota is used up.
    OutOfQuota {
        /// The reset.
        until: Timestamp,
    },
    /// It has no key.
    NotInitialised {
        /// Why, and what mends it.
        why: String,
    },
    /// The operator switched it off.
    SwitchedOff,
    /// It was rejected by the provider and is not used any more.
    Rejected {
        /// What was.
        why: String,
    },
}

/// A state in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It can be used.
    Healthy,
    /// It will be usable by itself.
    RateLimited,
    /// It is broken at present.
    Failed,
    /// It cannot be used until somebody does something about it.
    Unavailable,
}

/// How attempts have ended of late.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthStatus {
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Share of the latest attempts that were served, 0 to 1.
    pub success_rate: f32,
    /// Smoothed milliseconds to the first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<f32>,
    /// Share left of the scarcest quota, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_left: Option<f32>,
    /// When an attempt was last served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When an attempt last failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// How it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure_kind: Option<FailureKind>,
}

/// How one model is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelStatus {
    /// The provider's id of it.
    pub model: Arc<str>,
    /// The best of its keys' states.
    pub state: ProviderState,
    /// Requests under way.
    pub in_flight: u32,
    /// Its attempts.
    pub health: HealthStatus,
}

/// How one key is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyStatus {
    /// The variable it came from.
    pub key: String,
    /// The best of its states at the provider's models.
    pub state: ProviderState,
}

impl ProviderState {
    /// The state in a word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Available => Verdict::Healthy,
            Self::RateLimited { .. } | Self::OutOfQuota { .. } => Verdict::RateLimited,
            Self::TemporarilyDisabled { .. } | Self::Probing => Verdict::Failed,
            Self::NotInitialised { .. } | Self::SwitchedOff | Self::Rejected { .. } => Verdict::Unavailable,
        }
    }

    /// The state in words, for people.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::RateLimited { .. } => "rate limited",
            Self::TemporarilyDisabled { .. } => "temporarily disabled",
            Self::Probing => "being tried again",
            Self::OutOfQuota { .. } => "out of quota",
            Self::NotInitialised { .. } => "not initialised",
            Self::SwitchedOff => "switched off",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// When it changes by itself, where it does.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { until } | Self::TemporarilyDisabled { until } | Self::OutOfQuota { until } => {
                Some(*until)
            }
            Self::Available
            | Self::Probing
            | Self::NotInitialised { .. }
            | Self::SwitchedOff
            | Self::Rejected { .. } => None,
        }
    }

    /// Orders states by how soon the provider can be used.
    fn rank(&self) -> (u8, Option<Timestamp>) {
        match self {
            Self::Available => (0, None),
            Self::Probing => (1, None),
            Self::RateLimited { until } | Self::TemporarilyDisabled { until } | Self::OutOfQuota { until } => {
                (2, Some(*until))
            }
            Self::Rejected { .. } | Self::NotInitialised { .. } | Self::SwitchedOff => (3, None),
        }
    }

    fn of(looked: Result<(), Denied>, wall: Timestamp) -> Self {
        let until = |wait: Duration| wall.saturating_add(wait).unwrap_or(Timestamp::MAX);
        match looked {
            Ok(()) => Self::Available,
            Err(Denied::CoolingDown(wait)) => Self::RateLimited { until: until(wait) },
            Err(Denied::Tripped(wait)) => Self::TemporarilyDisabled { until: until(wait) },
            Err(Denied::OutOfQuota(wait)) => Self::OutOfQuota { until: until(wait) },
            Err(Denied::Probing) => Self::Probing,
            // The operator's own limits and budgets say nothing of the provider.
            Err(
                Denied::Limited(_)
                | Denied::OverBudget(_)
                | Denied::Short
                | Denied::LedgerUnavailable
                | Denied::Unpriced
                | Denied::Unmeasured
                | Denied::NoRetriesLeft
                | Denied::NoHedgesLeft,
            ) => Self::Available,
            Err(Denied::Disabled(Disabled::SwitchedOff)) => Self::SwitchedOff,
            Err(Denied::Disabled(why)) => Self::Rejected { why: why.to_string() },
        }
    }
}

impl HealthStatus {
    fn of(health: &Health, now: Moment) -> Self {
        let (last_failure, last_failure_kind) = health.last_failure().unzip();
        Self {
            consecutive_failures: health.failures_in_a_row(),
            success_rate: health.success_rate(now),
            first_token_ms: health.first_token_ms(),
            quota_left: health.quota_left(now),
            last_success: health.last_success(),
            last_failure,
            last_failure_kind,
        }
    }
}

/// How a provider is doing now.
pub(super) fn provider_status(provider: &Provider, now: Moment, wall: Timestamp) -> ProviderStatus {
    let book = provider.book();
    let models = (0..).zip(&provider.models).filter_map(|(place, model)| {
        let of_model = book.models.get(place)?;
        let state = shut(provider).unwrap_or_else(|| model_state(&book, place, now, wall));
        let health = HealthStatus::of(&of_model.health, now);
        Some(ModelStatus { model: Arc::clone(model), state, in_flight: of_model.in_flight, health })
    });
    let models: Vec<ModelStatus> = models.collect();
    let keys = (0..)
        .zip(&provider.keys)
        .map(|(place, key)| KeyStatus { key: key.name.clone(), state: key_state(&book, place, now, wall) });
    let best = shut(provider).or_else(|| best_of(models.iter().map(|model| model.state.clone())));
    let state = best.unwrap_or(ProviderState::NotInitialised { why: "it has no model".to_owned() });
    ProviderStatus {
        provider: Arc::clone(&provider.name),
        verdict: state.verdict(),
        state,
        waiting: book.line.all().requests,
        health: HealthStatus::of(&book.health, now),
        keys: keys.collect(),
        models,
    }
}

fn shut(provider: &Provider) -> Option<ProviderState> {
    match &provider.access {
        Access::Open => None,
        Access::SwitchedOff => Some(ProviderState::SwitchedOff),
        Access::NotInitialised(why) => Some(ProviderState::NotInitialised { why: why.clone() }),
    }
}

fn model_state(book: &Book, model: usize, now: Moment, wall: Timestamp) -> ProviderState {
    if book.models.get(model).is_some_and(|of_model| of_model.is_unknown) {
        return ProviderState::of(Err(Disabled::ModelUnknown.into()), wall);
    }
    ProviderState::of(book.choose_key(model, now, Urgency::Usual).map(|_| ()), wall)
}

fn key_state(book: &Book, key: usize, now: Moment, wall: Timestamp) -> ProviderState {
    if let Some(why) = book.keys.rejection(key) {
        return ProviderState::Rejected { why: why.to_string() };
    }
    let slots = (0..book.models.len()).filter_map(|model| book.slot(model, key));
    let states = slots.map(|slot| ProviderState::of(slot.look(now, Urgency::Usual), wall));
    best_of(states).unwrap_or(ProviderState::Available)
}

fn best_of(states: impl Iterator<Item = ProviderState>) -> Option<ProviderState> {
    states.min_by_key(ProviderState::rank)
}
