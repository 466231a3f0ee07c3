//! Counts over all requests.

use serde::Serialize;

use crate::types::{FailureKind, Outcome, RequestRecord};

/// Counts since the start or the latest reset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// Requests that have ended.
    pub total_requests: u64,
    /// Those that a provider answered.
    pub successful_requests: u64,
    /// Those that nobody could answer, the degraded and the interrupted ones among them.
    pub failed_requests: u64,
    /// Those that met at least one rate limit on their way, however they ended.
    pub rate_limited_requests: u64,
    /// How often a request went on from one provider to another.
    pub provider_switches: u64,
    /// HTTP calls made for all of them.
    pub attempts: u64,
    /// Requests that were answered from the cache.
    pub cached_requests: u64,
}

impl Stats {
    /// Counts a finished request.
    pub(super) fn enter(&mut self, record: &RequestRecord) {
        self.total_requests += 1;
        match record.outcome {
            Outcome::Served => self.successful_requests += 1,
            Outcome::Cached => self.cached_requests += 1,
            Outcome::Failed | Outcome::Degraded | Outcome::Interrupted => self.failed_requests += 1,
            Outcome::Pending | Outcome::Abandoned | Outcome::Unknown => {}
        }
        let failures = record.attempts.iter().filter_map(|attempt| attempt.failure());
        if failures.clone().any(|failure| failure.kind == FailureKind::RateLimited) {
            self.rate_limited_requests += 1;
        }
        let switches = record.attempts.iter().zip(record.attempts.iter().skip(1));
        let switches = switches.filter(|(one, next)| one.target.provider != next.target.provider).count();
        self.provider_switches += u64::try_from(switches).unwrap_or(u64::MAX);
        self.attempts += u64::try_from(record.attempts.len()).unwrap_or(u64::MAX);
    }
}
