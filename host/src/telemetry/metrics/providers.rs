//! How providers stand at the moment they are asked about.

use jiff::Timestamp;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

use crate::guard::{ProviderStatus, Verdict};

use super::{add, gauge};

/// Gauges by provider.
pub(super) struct Providers {
    up: IntGaugeVec,
    cooldown: GaugeVec,
    in_flight: IntGaugeVec,
    waiting: IntGaugeVec,
}

impl Providers {
    pub(super) fn new(registry: &Registry) -> Self {
        let cooldown =
            Opts::new("backstop_cooldown_seconds", "Until the provider is asked again; 0 where it may be now.");
        Self {
            up: gauge(
                registry,
                "backstop_provider_up",
                "1 where the provider can be asked now, else 0.",
                &["provider"],
            ),
            cooldown: add(registry, GaugeVec::new(cooldown, &["provider"])),
            in_flight: gauge(registry, "backstop_in_flight", "HTTP calls under way.", &["provider", "model"]),
            waiting: gauge(
                registry,
                "backstop_waiting",
                "Requests in line for their turn within the operator's limits.",
                &["provider"],
            ),
        }
    }

    /// Shows these providers and, since a reload may have removed some, no others.
    pub(super) fn show(&self, providers: &[ProviderStatus], now: Timestamp) {
        self.up.reset();
        self.cooldown.reset();
        self.in_flight.reset();
        self.waiting.reset();
        for provider in providers {
            let name = &*provider.provider;
            self.up.with_label_values(&[name]).set(i64::from(provider.verdict == Verdict::Healthy));
            let pause = provider.state.until().map_or(0.0, |until| until.duration_since(now).as_secs_f64().max(0.0));
            self.cooldown.with_label_values(&[name]).set(pause);
            self.waiting.with_label_values(&[name]).set(i64::from(provider.waiting));
            for model in &provider.models {
                self.in_flight.with_label_values(&[name, &*model.model]).set(i64::from(model.in_flight));
            }
        }
    }
}
