//! A request in one line: what lists of requests show.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::as_json::{labels, maybe_millis, maybe_usd, millis};
use super::{NanoUsd, Outcome, RequestId, RequestRecord, TargetName, Usage};

/// The gist of a [`RequestRecord`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestSummary {
    /// Its name.
    pub id: RequestId,
    /// When it began.
    pub started: Timestamp,
    /// The route it took.
    pub route: Arc<str>,
    /// The strategy that was asked.
    pub strategy: Arc<str>,
    /// Whether a stream was asked for.
    pub streaming: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Who answered.
    pub served_by: Option<Arc<TargetName>>,
    /// HTTP calls made.
    pub attempts: usize,
    /// Whether more than one target was tried.
    pub failed_over: bool,
    /// From the start to the end.
    #[serde(rename = "took_ms", with = "millis")]
    pub took: Duration,
    /// From the start to the first token.
    #[serde(rename = "first_token_ms", with = "maybe_millis", default, skip_serializing_if = "Option::is_none")]
    pub first_token: Option<Duration>,
    /// What the answering provider counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What the answer cost, where the price is known.
    #[serde(rename = "cost_usd", with = "maybe_usd", default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<NanoUsd>,
    /// The caller's words about it.
    #[serde(with = "labels")]
    pub labels: Arc<[(String, String)]>,
}

impl From<&RequestRecord> for RequestSummary {
    fn from(record: &RequestRecord) -> Self {
        Self {
            id: record.id,
            started: record.started,
            route: Arc::clone(&record.route),
            strategy: Arc::clone(&record.strategy),
            streaming: record.streaming,
            outcome: record.outcome,
            served_by: record.served_by.clone(),
            attempts: record.attempts.len(),
            failed_over: record.failed_over(),
            took: record.took,
            first_token: record.first_token(),
            usage: record.usage,
            cost: record.cost,
            labels: Arc::clone(&record.labels),
        }
    }
}
