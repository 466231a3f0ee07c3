//! `[cooldown]`, `[breaker]` and `[retries]`: what becomes of a target that fails.

use toml::de::DeValue;

use crate::config::problem::{Fault, Read};
use crate::config::section::{Section, nearest_or_all};
use crate::config::settings::{BreakerConfig, BreakerScope, Config, CooldownConfig, RetryConfig};
use crate::config::{units, value};

/// Reads the three tables.
pub(in crate::config) fn read(root: &mut Section<'_, '_>, config: &mut Config) {
    if let Some(section) = root.section("cooldown") {
        cooldown(section, &mut config.cooldown);
    }
    if let Some(section) = root.section("breaker") {
        breaker(section, &mut config.breaker);
    }
    if let Some(section) = root.section("retries") {
        retries(section, &mut config.retries);
    }
}

fn cooldown(mut section: Section<'_, '_>, cooldown: &mut CooldownConfig) {
    section.set("rate_limited", &mut cooldown.rate_limited, value::length);
    section.set("quota_exhausted", &mut cooldown.quota_exhausted, value::length);
    section.set("longest", &mut cooldown.longest, value::positive_length);
    section.set("longest_quota", &mut cooldown.longest_quota, value::positive_length);
    section.finish();
}

fn breaker(mut section: Section<'_, '_>, breaker: &mut BreakerConfig) {
    section.set("failures", &mut breaker.failures, value::whole(0..=1_000_000));
    section.set("success_rate", &mut breaker.success_rate, value::number(units::SHARE));
    section.set("samples", &mut breaker.samples, value::whole(1..=1_000_000));
    section.set("window", &mut breaker.window, value::positive_length);
    section.set("pause", &mut breaker.pause, value::positive_length);
    section.set("longest_pause", &mut breaker.longest_pause, value::positive_length);
    section.set("scope", &mut breaker.scope, scope);
    section.finish();
}

fn retries(mut section: Section<'_, '_>, retries: &mut RetryConfig) {
    section.set("ratio", &mut retries.ratio, value::number(0.0..=100.0));
    section.set("floor", &mut retries.floor, value::whole(0..=1_000_000));
    section.set("hedges", &mut retries.hedges, value::number(0.0..=1.0));
    section.finish();
}

fn scope(value: &DeValue<'_>) -> Read<BreakerScope> {
    match value::text(value)?.as_str() {
        "model" => Ok(BreakerScope::Model),
        "provider" => Ok(BreakerScope::Provider),
        other => Err(Fault::words("no such scope", nearest_or_all(other, &["model", "provider"]))),
    }
}
