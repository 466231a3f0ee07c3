//! What was spent, by provider, model and day (UTC).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::types::as_json::usd;
use crate::types::{NanoUsd, RequestRecord, Usage};

/// Sums by provider, model and day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Costs {
    lines: BTreeMap<Of, (NanoUsd, Usage, u64)>,
}

/// Provider, model and day.
type Of = (Arc<str>, Arc<str>, Date);

/// What one model of a provider cost on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model's id.
    pub model: Arc<str>,
    /// The day, in UTC.
    pub day: Date,
    /// Answers it gave.
    pub answers: u64,
    /// Their tokens.
    pub usage: Usage,
    /// What they cost, where the price was known.
    #[serde(rename = "cost_usd", with = "usd")]
    pub cost: NanoUsd,
}

impl Costs {
    /// One line for each model and day, by provider, model and day.
    pub fn lines(&self) -> impl Iterator<Item = CostLine> + '_ {
        self.lines.iter().map(|((provider, model, day), (cost, usage, answers))| CostLine {
            provider: Arc::clone(provider),
            model: Arc::clone(model),
            day: *day,
            answers: *answers,
            usage: *usage,
            cost: *cost,
        })
    }

    /// What one provider cost on one day.
    #[must_use]
    pub fn on(&self, provider: &str, day: Date) -> NanoUsd {
        let lines = self.lines.iter().filter(|((of, _, on), _)| **of == *provider && *on == day);
        lines.fold(NanoUsd::ZERO, |sum, (_, (cost, ..))| sum.saturating_add(*cost))
    }

    /// All that was spent.
    #[must_use]
    pub fn total(&self) -> NanoUsd {
        self.lines.values().fold(NanoUsd::ZERO, |sum, (cost, ..)| sum.saturating_add(*cost))
    }

    pub(super) fn enter(&mut self, record: &RequestRecord, now: Timestamp) {
        let Some(target) = record.answered_by() else { return };
        let day = now.to_zoned(TimeZone::UTC).date();
        let line = self.lines.entry((Arc::clone(&target.provider), Arc::clone(&target.model), day)).or_default();
        line.0 = line.0.saturating_add(record.cost.unwrap_or_default());
        let usage = record.usage.unwrap_or_default();
        line.1.input = line.1.input.saturating_add(usage.input);
        line.1.output = line.1.output.saturating_add(usage.output);
        line.1.cache_read = line.1.cache_read.saturating_add(usage.cache_read);
        line.1.cache_creation = line.1.cache_creation.saturating_add(usage.cache_creation);
        line.1.reasoning = line.1.reasoning.saturating_add(usage.reasoning);
        line.2 += 1;
    }

    pub(super) fn reset(&mut self, provider: Option<&str>) {
        match provider {
            None => self.lines.clear(),
            Some(name) => self.lines.retain(|(provider, ..), _| &**provider != name),
        }
    }
}
