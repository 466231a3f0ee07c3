//! What is counted of HTTP calls and of the answers they brought.

use prometheus::{CounterVec, HistogramVec, IntCounterVec, Opts, Registry};

use crate::telemetry::calls::{Call, calls};
use crate::types::{RequestRecord, TargetName};

use super::{add, counter, seconds};

/// Counters by provider and model.
pub(super) struct Attempts {
    ended: IntCounterVec,
    took: HistogramVec,
    first_token: HistogramVec,
    tokens: IntCounterVec,
    cost: CounterVec,
}

const TARGET: [&str; 2] = ["provider", "model"];

impl Attempts {
    pub(super) fn new(registry: &Registry) -> Self {
        let cost = Opts::new("backstop_cost_usd_total", "Dollars spent, where the price is known.");
        Self {
            ended: counter(
                registry,
                "backstop_attempts_total",
                "HTTP calls that have ended, by how; the label failure is empty where they did not fail.",
                &["provider", "model", "end", "failure"],
            ),
            took: seconds(registry, "backstop_attempt_seconds", "From a HTTP call's start to its end.", &TARGET),
            first_token: seconds(
                registry,
                "backstop_first_token_seconds",
                "From a HTTP call's start to the first token of a stream.",
                &TARGET,
            ),
            tokens: counter(
                registry,
                "backstop_tokens_total",
                "Tokens as providers counted them; cached ones are part of the input, reasoning is part of the output.",
                &["provider", "model", "kind"],
            ),
            cost: add(registry, CounterVec::new(cost, &TARGET)),
        }
    }

    pub(super) fn count(&self, record: &RequestRecord) {
        for call in calls(record) {
            self.count_call(record, &call);
        }
        if let Some(target) = record.answered_by() {
            self.count_answer(record, target);
        }
    }

    fn count_call(&self, record: &RequestRecord, call: &Call<'_>) {
        let target = labels(call.target);
        let [provider, model] = target;
        self.ended.with_label_values(&[provider, model, call.end.name(), call.end.failure()]).inc();
        self.took.with_label_values(&target).observe(call.took().as_secs_f64());
        if let Some(waited) = call.first_token().filter(|_| record.streaming) {
            self.first_token.with_label_values(&target).observe(waited.as_secs_f64());
        }
    }

    fn count_answer(&self, record: &RequestRecord, target: &TargetName) {
        let target = labels(target);
        let [provider, model] = target;
        if let Some(cost) = record.cost {
            self.cost.with_label_values(&target).inc_by(cost.as_dollars());
        }
        let Some(usage) = record.usage else { return };
        for (kind, tokens) in [
            ("input", usage.all_input()),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_creation", usage.cache_creation),
            ("reasoning", usage.reasoning),
        ] {
            if tokens > 0 {
                self.tokens.with_label_values(&[provider, model, kind]).inc_by(tokens);
            }
        }
    }
}

fn labels(target: &TargetName) -> [&str; 2] {
    [&target.provider, &target.model]
}
