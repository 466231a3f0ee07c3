//! What is counted of whole requests.

use prometheus::{HistogramVec, IntCounterVec, Registry};

use crate::telemetry::known::Known;
use crate::types::{ErrorKind, Event, RequestRecord};

use super::{counter, seconds};

/// Counters by route.
pub(super) struct Requests {
    ended: IntCounterVec,
    took: HistogramVec,
    every_provider_failed: IntCounterVec,
    fail_overs: IntCounterVec,
    decisions: IntCounterVec,
    faults: IntCounterVec,
    denied: IntCounterVec,
    contexts: Known,
}

impl Requests {
    pub(super) fn new(registry: &Registry) -> Self {
        let count = |name, help, labels| counter(registry, name, help, labels);
        Self {
            ended: count(
                "backstop_requests_total",
                "Requests that have ended, by how, and by what their callers said they are for.",
                &["route", "outcome", "context"],
            ),
            took: seconds(registry, "backstop_request_seconds", "From a request's start to its end.", &["route"]),
            every_provider_failed: count(
                "backstop_every_provider_failed_total",
                "Requests that no provider could serve, those answered with the caller's own text among them.",
                &["route"],
            ),
            fail_overs: count(
                "backstop_fail_overs_total",
                "Times a request went on from a provider that failed to another one.",
                &["route", "from", "to"],
            ),
            decisions: count("backstop_strategy_decisions_total", "Answers of strategies.", &["route", "strategy"]),
            faults: count(
                "backstop_strategy_faults_total",
                "Decisions left to declared order because the strategy trapped or answered nonsense.",
                &["route", "strategy"],
            ),
            denied: count(
                "backstop_denied_total",
                "Choices of strategies that were not admitted.",
                &["provider", "why"],
            ),
            contexts: Known::default(),
        }
    }

    pub(super) fn count(&self, record: &RequestRecord) {
        let route = &*record.route;
        let context = self.contexts.word(record.context().unwrap_or_default());
        self.ended.with_label_values(&[route, record.outcome.name(), context]).inc();
        self.took.with_label_values(&[route]).observe(record.took.as_secs_f64());
        if record.error.is_some_and(ErrorKind::is_outage) {
            self.every_provider_failed.with_label_values(&[route]).inc();
        }
        for (from, to) in record.fail_overs() {
            self.fail_overs.with_label_values(&[route, from, to]).inc();
        }
        for (_, event) in &record.steps {
            self.count_step(record, event);
        }
    }

    fn count_step(&self, record: &RequestRecord, event: &Event) {
        let decider = [&*record.route, &*record.strategy];
        match event {
            Event::Decided { .. } => self.decisions.with_label_values(&decider).inc(),
            Event::StrategyFault { .. } => self.faults.with_label_values(&decider).inc(),
            Event::Denied { target, standing, .. } => {
                self.denied.with_label_values(&[&*target.provider, standing.name()]).inc();
            }
            Event::Waiting { .. }
            | Event::Attempting { .. }
            | Event::Failed { .. }
            | Event::Served { .. }
            | Event::Cancelled { .. }
            | Event::Adapted { .. }
            | Event::Resuming { .. }
            | Event::Joined
            | Event::FromCache { .. }
            | Event::Completed { .. } => {}
        }
    }
}
