//! The variables that are about all providers: `LLM_FALLBACK_STRATEGY`, `LLM_DAILY_COST_LIMIT` and the like.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::collector;
use crate::config::draft::Draft;
use crate::config::origin::{Origin, join};
use crate::config::overrides::set_option;
use crate::config::problem::Fault;
use crate::config::report::Report;
use crate::config::section::nearest_or_all;
use crate::config::settings::{CacheConfig, Config, RouteConfig, StrategyRef, TelemetryConfig};
use crate::config::strategy_name;
use crate::config::units;

use super::Variables;

/// What the environment wants of the default route's strategy; granted once the providers are known.
#[derive(Debug, Default)]
pub(in crate::config) struct Wishes {
    /// `LLM_PROVIDER`, else `PRIMARY_LLM`: the provider to try first.
    pub(in crate::config) primary: Option<(String, Origin)>,
    /// The most of all `<P>_MAX_RETRIES`.
    pub(in crate::config) retries: Option<(u32, Origin)>,
    /// The least of all `<P>_RETRY_DELAY`.
    pub(in crate::config) base_delay: Option<(Duration, Origin)>,
}

/// Puts the variables over a configuration. A relative path of a strategy begins at `directory`.
pub(in crate::config) fn apply(config: &mut Config, directory: &Path, variables: &mut Variables<'_>) {
    strategy(config, directory, variables);
    if let Some(route) = config.routes.get_mut(Config::DEFAULT_ROUTE) {
        let attempts = |text: &str| units::whole(text, &units::ATTEMPTS);
        let setting = "routes.default.max_attempts";
        variables.set_some("LLM_MAX_FALLBACK_ATTEMPTS", setting, &mut route.max_attempts, attempts);
        emergency(route, variables);
    }
    let temperature = |text: &str| units::number(text, &units::TEMPERATURE);
    let defaults = &mut config.defaults;
    variables.set_some("LLM_DEFAULT_TEMPERATURE", "defaults.temperature", &mut defaults.temperature, temperature);
    let tokens = |text: &str| units::whole(text, &units::TOKENS);
    variables.set_some("LLM_DEFAULT_MAX_TOKENS", "defaults.max_tokens", &mut defaults.max_tokens, tokens);
    let budget = &mut config.budget;
    variables.set_some(
        "LLM_MAX_COST_PER_REQUEST",
        "budget.per_request_usd",
        &mut budget.per_request,
        units::spending_limit,
    );
    variables.set_some("LLM_DAILY_COST_LIMIT", "budget.daily_usd", &mut budget.daily, units::spending_limit);
    variables.set_some("LLM_MONTHLY_COST_LIMIT", "budget.monthly_usd", &mut budget.monthly, units::spending_limit);
    variables.set("LLM_COST_TRACKING", "budget.tracking", &mut budget.tracking, units::switch);
    let share = |text: &str| units::number(text, &units::SHARE);
    variables.set_some("LLM_BUDGET_ALERT_THRESHOLD", "budget.alert_at", &mut budget.alert_at, share);
    variables.set("LLM_LOG_REQUESTS", "gateway.log_requests", &mut config.log_requests, units::switch);
    telemetry(&mut config.telemetry, variables);
    caching(&mut config.cache, variables);
}

/// The system that has `LLM_ENABLE_CACHING` keeps replies whatever the temperature, which is 0.7 there.
fn caching(cache: &mut CacheConfig, variables: &mut Variables<'_>) {
    let (name, setting) = ("LLM_ENABLE_CACHING", "cache.any_temperature");
    variables.set(name, "cache.enabled", &mut cache.enabled, units::switch);
    if cache.enabled && variables.environment.is_set(name) && !variables.report.origins.is_set(setting) {
        cache.any_temperature = true;
        variables.report.origins.note(setting, variables.origin(name));
    }
}

impl Wishes {
    /// The provider the environment names as the one to try first.
    pub(in crate::config) fn of_environment(variables: &mut Variables<'_>) -> Self {
        let mut wishes = Self::default();
        for name in ["LLM_PROVIDER", "PRIMARY_LLM"] {
            let Some(text) = variables.get(name, "routes.default.options.primary", |text| Ok(text.to_owned())) else {
                continue;
            };
            let origin = variables.origin(name);
            match &wishes.primary {
                Some((first, _)) if !first.eq_ignore_ascii_case(&text) => {
                    variables.report.notice(origin, "LLM_PROVIDER names another provider, and counts");
                }
                Some(_) => {}
                None => wishes.primary = Some((text, origin)),
            }
        }
        variables.report.origins.forget("routes.default.options.primary");
        wishes
    }

    /// Adds what one provider's variables want.
    pub(in crate::config) fn add(&mut self, name: &str, draft: &Draft, report: &Report) {
        let origin = |key: &str| report.origins.of(&format!("{}.{key}", join("providers", name)));
        if let Some(retries) = draft.max_retries
            && self.retries.as_ref().is_none_or(|(most, _)| *most < retries)
        {
            self.retries = Some((retries, origin("max_retries")));
        }
        if let Some(delay) = draft.retry_delay
            && self.base_delay.as_ref().is_none_or(|(least, _)| *least > delay)
        {
            self.base_delay = Some((delay, origin("retry_delay")));
        }
    }

    /// Turns the wishes into options of the default route's strategy, where that is one that knows them. A strategy has one
    /// number of retries for all targets, so the most persistent provider's counts, and the shortest of the delays.
    /// `LLM_MAX_FALLBACK_ATTEMPTS` counts providers, so it is multiplied by the attempts each may have.
    pub(in crate::config) fn grant(self, config: &mut Config, unsound: &HashSet<String>, report: &mut Report) {
        let names: Vec<&String> = config.providers.keys().chain(unsound).collect();
        let primary = self.primary.and_then(|(name, origin)| {
            let found = names.iter().find(|known| known.eq_ignore_ascii_case(&name));
            if found.is_none() {
                no_such_provider(&name, &names, origin.clone(), report);
            }
            found.map(|found| (json!(found), origin))
        });
        let Some(route) = config.routes.get_mut(Config::DEFAULT_ROUTE) else { return };
        if let Some((retries, origin)) = &self.retries {
            make_room(*retries, route, origin, report);
        }
        let retries = self.retries.map(|(retries, origin)| (json!(retries), origin));
        let delay = self.base_delay.map(|(delay, origin)| (json!(units::length_text(delay)), origin));
        for (option, wanted) in [("primary", primary), ("retries", retries), ("base_delay", delay)] {
            if let Some((value, origin)) = wanted {
                wish(route, option, value, origin, report);
            }
        }
    }
}

/// Attempts at one target where nobody says anything: more retries than these leave room for need more attempts.
const USUAL_ATTEMPTS: u32 = 5;
/// Calls of one request at most, whatever the variables come to.
const MOST_ATTEMPTS: u32 = 100;

/// Where the environment counts attempts it means providers, each with its own retries; a route counts every call.
fn make_room(retries: u32, route: &mut RouteConfig, origin: &Origin, report: &mut Report) {
    let is_of_environment = |origin: &Origin| matches!(origin, Origin::Environment(_) | Origin::DotEnv(_));
    if is_of_environment(&report.origins.of("routes.default.max_attempts")) {
        let calls = |providers: u32| providers.saturating_mul(retries + 1).min(MOST_ATTEMPTS);
        route.max_attempts = route.max_attempts.map(calls);
    }
    if retries >= USUAL_ATTEMPTS && !route.options.contains_key("attempts") {
        wish(route, "attempts", json!(retries + 1), origin.clone(), report);
    }
}

fn wish(route: &mut RouteConfig, option: &str, value: Value, origin: Origin, report: &mut Report) {
    match route.strategy {
        StrategyRef::BuiltIn(_) => set_option(route, option, value, &origin, report),
        StrategyRef::File(_) | StrategyRef::Registry(_) => {
            let text = format!("has no effect: strategy {} may not know an option {option}", route.strategy.name());
            report.notice(origin, text);
        }
    }
}

fn strategy(config: &mut Config, directory: &Path, variables: &mut Variables<'_>) {
    let names = ["BACKSTOP_STRATEGY", "LLM_FALLBACK_STRATEGY"];
    let Some(name) = names.into_iter().find(|name| variables.environment.is_set(name)) else { return };
    let setting = "routes.default.strategy";
    let Some(strategy) = variables.get(name, setting, |word| strategy_name::parse(word, directory)) else { return };
    let origin = variables.origin(name);
    if let Some(route) = config.routes.get_mut(Config::DEFAULT_ROUTE) {
        strategy_name::replace(route, Config::DEFAULT_ROUTE, strategy, &origin, variables.report);
    }
}

/// The system that has `LLM_PROVIDER` tries everything again when all are cooling down.
fn emergency(route: &mut RouteConfig, variables: &mut Variables<'_>) {
    let setting = "routes.default.emergency";
    if variables.environment.is_set("LLM_PROVIDER") && !variables.report.origins.is_set(setting) {
        route.emergency = true;
        variables.report.origins.note(setting, variables.origin("LLM_PROVIDER"));
    }
}

/// The variables of OpenTelemetry's own SDKs.
fn telemetry(telemetry: &mut TelemetryConfig, variables: &mut Variables<'_>) {
    let (endpoint, setting) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint");
    variables.set_some(endpoint, setting, &mut telemetry.otlp_endpoint, collector::endpoint);
    variables.set_secret("OTEL_EXPORTER_OTLP_HEADERS", &mut telemetry.otlp_headers, collector::headers);
    let (name, setting) = ("OTEL_SERVICE_NAME", "telemetry.service_name");
    variables.set(name, setting, &mut telemetry.service_name, collector::service_name);
    let protocol = variables.get("OTEL_EXPORTER_OTLP_PROTOCOL", "telemetry.otlp_protocol", |text| Ok(text.to_owned()));
    variables.report.origins.forget("telemetry.otlp_protocol");
    if protocol.is_some_and(|protocol| protocol != "http/protobuf") && telemetry.otlp_endpoint.is_some() {
        let origin = variables.origin("OTEL_EXPORTER_OTLP_PROTOCOL");
        variables.report.notice(origin, "has no effect: http/protobuf is spoken, mostly at port 4318");
    }
}

fn no_such_provider(name: &str, names: &[&String], origin: Origin, report: &mut Report) {
    let known: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let mend =
        if known.is_empty() { "set a key, such as OPENAI_API_KEY".to_owned() } else { nearest_or_all(name, &known) };
    let fault = Fault::words("there is no such provider", mend);
    report.fault(origin, "", Some(&format!("{name:?}")), fault);
}
