//! How one simulated provider behaves, and what the operator has configured of it.

use std::time::Duration;

use toml::de::DeValue;
use url::Url;

use crate::config::file::{read_abilities, read_limits, read_price, read_timeouts};
use crate::config::problem::Fault;
use crate::config::section::Section;
use crate::config::settings::{Limits, ModelConfig, ProviderConfig};
use crate::config::{units, value};

use super::distribution::{self, Distribution};
use super::failures::{self, Failures};
use super::phase::{self, Phase};
use super::read::{items, seconds};

/// Phases a provider may have.
const MOST_PHASES: usize = 1_000;

/// How a simulated provider behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedProvider {
    /// From a call to its first token, in seconds.
    pub first_token: Distribution,
    /// From a call to the end of its answer, in seconds; at least as long as the first token takes.
    pub total: Distribution,
    /// From a call to the reply that says no, in seconds.
    pub refusal: Distribution,
    /// How calls usually fail.
    pub failures: Failures,
    /// What it takes on.
    pub bounds: ProviderBounds,
    /// The wait it names with a rate limit that is no bound of its own.
    pub retry_after: Option<Duration>,
    /// How good its answers are, from 0 to 1: what a mean is taken of, and nothing else.
    pub quality: f64,
    /// When it behaves otherwise.
    pub phases: Vec<Phase>,
}

/// What a provider takes on, whatever the operator knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderBounds {
    /// Requests in each minute of the clock: 429 with the rest of the minute as `Retry-After`.
    pub rpm: Option<u32>,
    /// Requests in each day of UTC: 429 with the rest of the day as `Retry-After`.
    pub rpd: Option<u32>,
    /// Calls at once: 503.
    pub concurrent: Option<u32>,
}

impl SimulatedProvider {
    /// The phase that a moment lies in, the latest one where several do.
    #[must_use]
    pub fn phase(&self, at: Duration) -> Option<&Phase> {
        self.phases.iter().rfind(|phase| phase.covers(at))
    }
}

impl Default for SimulatedProvider {
    fn default() -> Self {
        Self {
            first_token: Distribution::LogNormal { p50: 0.3, p95: 0.8 },
            total: Distribution::LogNormal { p50: 1.5, p95: 4.0 },
            refusal: Distribution::Constant(0.05),
            failures: Failures::default(),
            bounds: ProviderBounds::default(),
            retry_after: None,
            quality: 1.0,
            phases: Vec::new(),
        }
    }
}

/// Reads one provider: how it behaves, and what the operator has configured of it.
pub(super) fn read(
    mut section: Section<'_, '_>,
    name: &str,
    duration: Duration,
) -> Option<(SimulatedProvider, ProviderConfig)> {
    let mut simulated = SimulatedProvider::default();
    distribution::read(&mut section, "first_token", &mut simulated.first_token, seconds);
    distribution::read(&mut section, "total", &mut simulated.total, seconds);
    distribution::read(&mut section, "refusal", &mut simulated.refusal, seconds);
    simulated.failures = failures::read(&mut section, "failures").unwrap_or_default();
    bounds(&mut section, &mut simulated.bounds);
    section.set_some("retry_after", &mut simulated.retry_after, value::positive_length);
    section.set("quality", &mut simulated.quality, value::number(units::SHARE));
    for item in items(&mut section, "phases", MOST_PHASES) {
        simulated.phases.extend(section.open(item).map(|section| phase::read(section, duration)));
    }
    let configured = configured(&mut section, name, &simulated);
    section.finish();
    Some((simulated, configured?))
}

/// What the operator has configured: the keys are those of `[providers.NAME]` in `backstop.toml`.
fn configured(section: &mut Section<'_, '_>, name: &str, simulated: &SimulatedProvider) -> Option<ProviderConfig> {
    // No name is looked up: the simulated transport goes by the provider's.
    let address = Url::parse("http://simulated.invalid/v1").ok()?;
    let mut provider = ProviderConfig::openai_compatible(address);
    let model = section.get("model", |value| {
        let id = value::text(value)?;
        crate::config::file::check_model_id(&id).map(|()| id)
    });
    let mut model = ModelConfig::new(model.as_deref().unwrap_or(name));
    read_abilities(section, &mut model);
    provider.models.push(model);
    section.set("priority", &mut provider.priority, value::whole(units::PRIORITY));
    section.set("local", &mut provider.local, value::switch);
    read_price(section, "price", &mut provider.price);
    read_timeouts(section, &mut provider.timeouts);
    read_limits(section, &mut provider.limits);
    labels(section, &mut provider);
    let mut knows_bounds = false;
    section.set("knows_bounds", &mut knows_bounds, value::switch);
    if knows_bounds {
        let ProviderBounds { rpm, rpd, concurrent } = simulated.bounds;
        let own = provider.limits;
        provider.limits =
            Limits { rpm: own.rpm.or(rpm), rpd: own.rpd.or(rpd), concurrent: own.concurrent.or(concurrent), ..own };
    }
    Some(provider)
}

fn labels(section: &mut Section<'_, '_>, provider: &mut ProviderConfig) {
    let Some(mut section) = section.section("labels") else { return };
    for entry in section.entries() {
        if let Some(text) = section.read(entry, value::text) {
            provider.labels.insert(entry.key.to_owned(), text);
        }
    }
}

fn bounds(section: &mut Section<'_, '_>, bounds: &mut ProviderBounds) {
    let Some(entry) = section.entry("bounds") else { return };
    if !matches!(entry.value, DeValue::Table(_)) {
        section.fault(entry, Fault::example("not a table", "{ rpm = 600, rpd = 10000, concurrent = 50 }"));
        return;
    }
    let Some(mut section) = section.open(entry) else { return };
    section.set_some("rpm", &mut bounds.rpm, value::whole(units::RATE));
    section.set_some("rpd", &mut bounds.rpd, value::whole(units::RATE));
    section.set_some("concurrent", &mut bounds.concurrent, value::whole(units::RATE));
    section.finish();
}
