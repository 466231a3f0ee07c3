//! What must hold between the parts of a configuration, however it was made.

use std::collections::HashSet;
use std::time::Duration;

use super::base_url;
use super::file::{self, MOST_PROVIDERS};
use super::header;
use super::listen;
use super::origin::{join, shown_key};
use super::problem::{Fault, Problem, Read};
use super::report::Report;
use super::section::nearest_or_all;
use super::settings::{
    BreakerConfig, BudgetConfig, Config, Credentials, GenerationDefaults, Limits, ProviderConfig, RecordingConfig,
    RouteConfig, SpendLimits, StrategyRef, TargetRef, TelemetryConfig, Timeouts,
};
use super::units::{self, LONGEST};

/// Finds everything that is wrong with a configuration; nothing where it is in order.
#[must_use]
pub fn check(config: &Config) -> Vec<Problem> {
    check_beside(config, &HashSet::new())
}

/// The same beside providers that were already found to be wrong: what names one of them is not looked into.
pub(super) fn check_beside(config: &Config, unsound: &HashSet<String>) -> Vec<Problem> {
    let mut report = Report::default();
    own_values(config, &mut report);
    for (name, route) in &config.routes {
        names(&join("routes", name), route, &Names { config, unsound }, &mut report);
    }
    report.problems
}

/// What a route may name.
struct Names<'a> {
    config: &'a Config,
    unsound: &'a HashSet<String>,
}

fn own_values(config: &Config, report: &mut Report) {
    if config.providers.len() > MOST_PROVIDERS {
        let what = format!("{} providers; there may be {MOST_PROVIDERS}", config.providers.len());
        report.fault_of("providers", Fault::words(what, "remove some"));
    }
    for (name, configured) in config.providers.iter().take(MOST_PROVIDERS) {
        provider(&join("providers", name), name, configured, report);
    }
    for (name, configured) in &config.routes {
        route(&join("routes", name), name, configured, report);
    }
    generation("defaults", &config.defaults, report);
    breaker(&config.breaker, report);
    budget(&config.budget, report);
    let listen = listen::check(&config.gateway.listen);
    hold("gateway.listen", listen, report);
    telemetry(&config.telemetry, report);
    recording(&config.recording, report);
    hold("cache.ttl", positive(config.cache.ttl), report);
}

fn telemetry(telemetry: &TelemetryConfig, report: &mut Report) {
    let Some(endpoint) = &telemetry.otlp_endpoint else { return };
    hold("telemetry.otlp_endpoint", base_url::check(endpoint), report);
    if !telemetry.otlp_headers.is_empty() && !base_url::may_carry_a_key(endpoint) {
        let mend = "write https://, or take OTEL_EXPORTER_OTLP_HEADERS out";
        report.fault_of("telemetry.otlp_endpoint", Fault::words("the headers would travel unencrypted", mend));
    }
}

fn recording(recording: &RecordingConfig, report: &mut Report) {
    if recording.enabled && recording.folder.is_none() {
        report.fault_of("recording.folder", Fault::example("missing", "\"decisions\""));
    }
}

fn provider(path: &str, name: &str, provider: &ProviderConfig, report: &mut Report) {
    let setting = |key: &str| format!("{path}.{key}");
    hold(path, file::check_name(name), report);
    hold(&setting("base_url"), base_url::check(&provider.base_url), report);
    if matches!(provider.credentials, Credentials::Keys(_))
        && !provider.allow_insecure
        && !base_url::may_carry_a_key(&provider.base_url)
    {
        let mend = "write https://, or allow_insecure = true";
        let fault = Fault::words("the key would travel unencrypted", mend);
        report.fault_of(&setting("base_url"), fault);
    }
    if provider.model_ids().next().is_none() && provider.enabled {
        report.fault_of(&setting("models"), Fault::example("no model", "[\"gpt-4o\"]"));
    }
    models(path, provider, report);
    timeouts(&setting("timeouts"), &provider.timeouts, report);
    limits(&setting("limits"), &provider.limits, report);
    for (place, model) in provider.models.iter().enumerate() {
        let path = setting(&format!("models[{place}]"));
        limits(&format!("{path}.limits"), &model.limits, report);
        generation(&path, &model.defaults, report);
    }
    spend_limits(&setting("budget"), provider.budget, report);
    generation(path, &provider.defaults, report);
    for (name, value) in &provider.headers {
        hold(&join(&setting("headers"), name), header::check(name, value), report);
    }
}

/// No id may be there twice, not even once for chats and once for embeddings: targets are told apart by it.
fn models(path: &str, provider: &ProviderConfig, report: &mut Report) {
    let mut seen = HashSet::new();
    for (place, id) in provider.model_ids().enumerate() {
        let key = if place < provider.models.len() { "models" } else { "embedding_models" };
        let setting = format!("{path}.{key}");
        hold(&setting, file::check_model_id(id), report);
        if !seen.insert(id) {
            let what = format!("{} is there twice", shown_key(id));
            report.fault_of(&setting, Fault::words(what, "keep one of them"));
        }
    }
    for name in provider.embedding_models.iter().filter_map(|model| model.same_as.as_ref()) {
        hold(&format!("{path}.embedding_models"), file::check_model_id(name), report);
    }
    if !provider.embedding_models.is_empty() && provider.kind.embeddings_url(&provider.base_url).is_none() {
        let what = format!("kind {} has no embeddings", shown_key(provider.kind.name()));
        let mend = "remove them, or write kind = \"openai\" and the address of an API that has";
        report.fault_of(&format!("{path}.embedding_models"), Fault::words(what, mend));
    }
}

fn timeouts(path: &str, timeouts: &Timeouts, report: &mut Report) {
    let Timeouts { connect, first_token, idle, total } = *timeouts;
    // Where nothing is said the host has its own, which is in order.
    let first_token = first_token.unwrap_or(LONGEST);
    for (key, length) in [("connect", connect), ("first_token", first_token), ("idle", idle), ("total", total)] {
        hold(&format!("{path}.{key}"), positive(length), report);
    }
}

fn limits(path: &str, limits: &Limits, report: &mut Report) {
    for (key, limit) in limits.numbers() {
        if limit == Some(0) {
            let fault = Fault::words("a limit of 0 lets nothing through", "leave it out for no limit");
            report.fault_of(&format!("{path}.{key}"), fault);
        }
    }
    if let Some(burst) = limits.burst
        && limits.rpm.is_none_or(|rpm| rpm < burst)
    {
        let fault = Fault::words("as many requests do not come in a minute", "lower it, or set rpm");
        report.fault_of(&format!("{path}.burst"), fault);
    }
    if limits.queue_size.is_some() && limits.queue.is_none() {
        let fault = Fault::words("there is no line", "set queue, such as \"2s\", or leave it out");
        report.fault_of(&format!("{path}.queue_size"), fault);
    }
}

fn generation(path: &str, defaults: &GenerationDefaults, report: &mut Report) {
    if defaults.temperature.is_some_and(|temperature| !units::TEMPERATURE.contains(&temperature)) {
        report.fault_of(&format!("{path}.temperature"), Fault::example("must be from 0 to 2", "0.7"));
    }
    if defaults.max_tokens == Some(0) {
        report.fault_of(&format!("{path}.max_tokens"), Fault::example("must be at least 1", "1000"));
    }
}

fn route(path: &str, name: &str, route: &RouteConfig, report: &mut Report) {
    hold(path, file::check_name(name), report);
    if route.max_attempts.is_some_and(|attempts| !units::ATTEMPTS.contains(&i64::from(attempts))) {
        report.fault_of(&format!("{path}.max_attempts"), Fault::example("must be from 1 to 100", "3"));
    }
    hold(&format!("{path}.deadline"), positive(route.deadline), report);
    spend_limits(&format!("{path}.budget"), route.budget, report);
    for (key, strategy) in [("strategy", Some(&route.strategy)), ("shadow", route.shadow.as_ref())] {
        if let Some(StrategyRef::File(file)) = strategy
            && !file.is_file()
        {
            let fault =
                Fault::words(format!("there is no file {}", file.display()), "name a component or a built-in strategy");
            report.fault_of(&format!("{path}.{key}"), fault);
        }
    }
    if route.shadow.is_none() && !route.shadow_options.is_empty() {
        let fault = Fault::words("there is no shadow they are for", "set shadow, or leave them out");
        report.fault_of(&format!("{path}.shadow_options"), fault);
    }
    let mut seen = HashSet::new();
    for (index, target) in route.targets.iter().enumerate() {
        if !seen.insert(target) {
            report.fault_of(&format!("{path}.targets[{index}]"), Fault::words("is there twice", "keep one of them"));
        }
    }
}

fn names(path: &str, route: &RouteConfig, known: &Names<'_>, report: &mut Report) {
    for (index, target) in route.targets.iter().enumerate() {
        hold(&format!("{path}.targets[{index}]"), known.check(target), report);
    }
    let Some(primary) = route.options.get("primary").and_then(serde_json::Value::as_str) else { return };
    if let StrategyRef::BuiltIn(_) = route.strategy {
        let target = file::parse_target(primary).and_then(|target| known.check(&target).map(|()| target));
        let target = target.and_then(|target| known.check_in_route(&target, route));
        hold(&format!("{path}.options.primary"), target, report);
    }
}

impl Names<'_> {
    fn check(&self, target: &TargetRef) -> Read<()> {
        if self.unsound.contains(&target.provider) {
            return Ok(());
        }
        let Some(provider) = self.config.providers.get(&target.provider) else {
            let names: Vec<&str> = self.config.providers.keys().map(String::as_str).collect();
            let what = format!("there is no provider {}", shown_key(&target.provider));
            return Err(Fault::words(what, nearest_or_all(&target.provider, &names)));
        };
        let Some(model) = &target.model else { return self.check_chats(&target.provider, provider) };
        if provider.models.iter().any(|known| known.id == *model) {
            return Ok(());
        }
        let ids: Vec<&str> = provider.models.iter().map(|known| known.id.as_str()).collect();
        let what = format!("{} has no model {}", target.provider, shown_key(model));
        Err(Fault::words(what, nearest_or_all(model, &ids)))
    }

    fn check_chats(&self, name: &str, provider: &ProviderConfig) -> Read<()> {
        if provider.models.is_empty() && !provider.embedding_models.is_empty() {
            let what = format!("{name} only makes embeddings");
            return Err(Fault::words(what, "remove it here: embeddings have routes of their own"));
        }
        Ok(())
    }

    fn check_in_route(&self, primary: &TargetRef, route: &RouteConfig) -> Read<()> {
        let covers = |target: &TargetRef| {
            target.provider == primary.provider
                && (target.model.is_none() || primary.model.is_none() || target.model == primary.model)
        };
        if self.unsound.contains(&primary.provider) || route.targets.iter().any(covers) {
            return Ok(());
        }
        Err(Fault::words(format!("{} is no target of the route", primary.provider), "add it to the route's targets"))
    }
}

fn breaker(breaker: &BreakerConfig, report: &mut Report) {
    if !units::SHARE.contains(&breaker.success_rate) {
        report.fault_of("breaker.success_rate", Fault::example("must be from 0 to 1", "0.5"));
    }
    hold("breaker.window", positive(breaker.window), report);
    hold("breaker.pause", positive(breaker.pause), report);
    if breaker.longest_pause < breaker.pause {
        let (longest, first) = (units::length_text(breaker.longest_pause), units::length_text(breaker.pause));
        let what = format!("the longest pause ({longest}) is shorter than the first ({first})");
        report.fault_of("breaker.longest_pause", Fault::example(what, format!("\"{first}\"")));
    }
}

fn budget(budget: &BudgetConfig, report: &mut Report) {
    if budget.alert_at.is_some_and(|share| !units::SHARE.contains(&share)) {
        report.fault_of("budget.alert_at", Fault::example("must be from 0 to 1", "0.8"));
    }
    spend_limits("budget", budget.limits(), report);
    for (label, limits) in &budget.labels {
        spend_limits(&join("budget.labels", label), *limits, report);
    }
}

/// What a longer window allows must not be less than what a shorter one does.
fn spend_limits(path: &str, limits: SpendLimits, report: &mut Report) {
    let windows =
        [("per_request_usd", limits.per_request), ("daily_usd", limits.daily), ("monthly_usd", limits.monthly)];
    for (index, (key, limit)) in windows.iter().enumerate() {
        let Some(limit) = limit else { continue };
        let longer = windows.iter().skip(index + 1);
        let mut longer = longer.filter_map(|(key, limit)| Some((key, (*limit)?)));
        if let Some((other, smaller)) = longer.find(|(_, other)| other < limit) {
            let what = format!("{limit} is more than {other} allows ({smaller})");
            report.fault_of(&format!("{path}.{key}"), Fault::words(what, format!("lower it, or raise {other}")));
        }
    }
}

fn positive(length: Duration) -> Read<()> {
    if length.is_zero() || length > LONGEST {
        return Err(Fault::example("must be more than nothing and at most 30 days", "\"30s\""));
    }
    Ok(())
}

fn hold(setting: &str, read: Read<()>, report: &mut Report) {
    if let Err(fault) = read {
        report.fault_of(setting, fault);
    }
}
