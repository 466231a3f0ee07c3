//! What a scenario came to under one strategy.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use crate::types::NanoUsd;
use crate::types::as_json::usd;

use super::spread::Spread;

/// What a scenario came to under one strategy. Nothing in it depends on the machine it was simulated on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The name the strategy is shown by.
    pub strategy: String,
    /// Those who asked.
    pub callers: u64,
    /// Those who had an answer in the end.
    pub callers_answered: u64,
    /// Requests that came in, those that callers made again among them.
    pub requests: u64,
    /// Those that were answered in full by a provider.
    pub answered: u64,
    /// Their share.
    pub success: f64,
    /// Until the first token of a stream.
    pub first_token_ms: Option<Spread>,
    /// Until the end of an answer.
    pub answer_ms: Option<Spread>,
    /// What everything cost.
    #[serde(serialize_with = "usd::serialize")]
    pub cost_usd: NanoUsd,
    /// Calls to providers.
    pub attempts: u64,
    /// The share of requests that went on to another target than the one tried first.
    pub fail_over_rate: f64,
    /// The mean quality of the answers.
    pub quality: Option<f64>,
    /// How long each outage or brown-out lasted on: from its end to the provider's next answer.
    pub recoveries: Vec<Recovery>,
    /// Answers by provider.
    pub answers: IndexMap<String, u64>,
    /// Requests without an answer, by the reason their callers were given.
    pub failures: BTreeMap<String, u64>,
    /// Seconds that each of the next stands for.
    pub slice_seconds: f64,
    /// The same over time, by when requests began.
    pub timeline: Vec<Slice>,
}

/// The end of a phase in which a provider failed otherwise than usual.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recovery {
    /// Whose.
    pub provider: String,
    /// When it ended, in seconds since the start.
    pub ended: f64,
    /// Seconds until the provider answered again; `None` where it never did.
    pub recovered_after: Option<f64>,
}

/// The requests that began within a short time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// How many.
    pub requests: u64,
    /// How many were answered.
    pub answered: u64,
    /// Until the first token of a stream.
    pub first_token_ms: Option<Spread>,
    /// Until the end of an answer.
    pub answer_ms: Option<Spread>,
    /// What they cost.
    #[serde(serialize_with = "usd::serialize")]
    pub cost_usd: NanoUsd,
    /// Calls to providers.
    pub attempts: u64,
    /// How many went on to another target.
    pub failed_over: u64,
    /// Answers by provider, in declared order.
    pub answers: Vec<u64>,
}

impl Outcome {
    /// The longest time that a provider stayed unused after such a phase, in seconds; `None` where there was none, and
    /// where a provider never answered again.
    #[must_use]
    pub fn time_to_recover(&self) -> Option<f64> {
        let each: Option<Vec<f64>> = self.recoveries.iter().map(|recovery| recovery.recovered_after).collect();
        each?.into_iter().reduce(f64::max)
    }

    /// Calls to providers for each request.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    pub fn attempts_per_request(&self) -> f64 {
        self.attempts as f64 / self.requests.max(1) as f64
    }
}
