//! Counters, gauges and histograms for Prometheus, in the text format 0.0.4. docs/metrics.md lists them.

mod requests;
mod attempts;
mod providers;
mod shadows;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::accounting::RecordSink;
use crate::guard::{ProviderStatus, SharedStoreStatus};
use crate::types::RequestRecord;

use attempts::Attempts;
use providers::Providers;
use requests::Requests;
pub use shadows::ShadowCount;
use shadows::Shadows;

/// Upper bounds of histograms of time, in seconds: from a quick refusal to a long answer.
const SECONDS: [f64; 13] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// All counters of one process. They have a registry of their own: what else the program counts does not appear here.
pub struct Metrics {
    registry: Registry,
    requests: Requests,
    attempts: Attempts,
    /// Held while they are written and read: of two scrapes at once, each would see the other's half.
    providers: Mutex<Providers>,
    shadows: Mutex<Shadows>,
    shared_store_up: IntGaugeVec,
}

impl Metrics {
    /// The type of [`Metrics::render`]'s text.
    pub const CONTENT_TYPE: &'static str = prometheus::TEXT_FORMAT;

    /// Counters that stand at zero.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let build = gauge(&registry, "backstop_build_info", "The version that runs; always 1.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            requests: Requests::new(&registry),
            attempts: Attempts::new(&registry),
            providers: Mutex::new(Providers::new(&registry)),
            shadows: Mutex::new(Shadows::new(&registry)),
            shared_store_up: gauge(
                &registry,
                "backstop_shared_store_up",
                "1 where the store that instances share answers, else 0; nothing where there is none.",
                &[],
            ),
            registry,
        }
    }

    /// All of it as text, with the states of the providers, of the strategies in the shadow and of the shared store as they are now.
    #[must_use]
    pub fn render(
        &self,
        states: &[ProviderStatus],
        strategies: &[ShadowCount],
        shared_store: Option<&SharedStoreStatus>,
        now: Timestamp,
    ) -> String {
        let providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.show(states, now);
        self.shadows.lock().unwrap_or_else(PoisonError::into_inner).show(strategies);
        if let Some(store) = shared_store {
            self.shared_store_up.with_label_values::<&str>(&[]).set(i64::from(store.fault.is_none()));
        }
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::warn!("metrics could not be written: {error}");
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordSink for Metrics {
    fn ended(&self, record: &Arc<RequestRecord>) {
        self.requests.count(record);
        self.attempts.count(record);
    }
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    add(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    add(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn seconds(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    add(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels))
}

#[expect(
    clippy::expect_used,
    reason = "fails for names that are wrong or used twice, and all of them are in this folder"
)]
fn add<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("a sound name and sound labels");
    registry.register(Box::new(collector.clone())).expect("a name of its own");
    collector
}
