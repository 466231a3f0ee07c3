//! A configuration laid out as the settings it consists of, in the file's own words.

use serde_json::{Map, Value, json};
use url::Url;

use crate::types::{NanoUsd, Price, Rates};

use super::origin::join;
use super::settings::{
    BreakerScope, Config, Credentials, EmbeddingModel, GenerationDefaults, HoldBack, ModelConfig, OnInterrupt, Power,
    ProviderConfig, RouteConfig, SpendLimits, TargetRef, UnknownPrice,
};
use super::units::length_text;

/// One setting in effect.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    /// The table it stands in, such as `providers.openai`.
    pub(super) table: String,
    /// Its key there, such as `timeouts.total`.
    pub(super) key: String,
    /// Its value; `None` where it is not set.
    pub(super) value: Option<Value>,
    /// What the value does not say, such as whether a variable is set.
    pub(super) remark: Option<String>,
}

impl Setting {
    /// Its dotted path.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.table, self.key)
    }
}

/// All settings in effect. No key of a provider is among them, only the names of their variables.
pub(super) fn settings(config: &Config) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (name, provider) in &config.providers {
        of_provider(&mut Table::new(&mut settings, join("providers", name)), provider);
    }
    for (name, route) in &config.routes {
        of_route(&mut Table::new(&mut settings, join("routes", name)), route);
    }
    of_health(&mut settings, config);
    of_budget(&mut Table::new(&mut settings, "budget".to_owned()), config);
    of_generation(&mut Table::new(&mut settings, "defaults".to_owned()), &config.defaults);
    for (name, purpose) in &config.purposes {
        let mut table = Table::new(&mut settings, join("purposes", name));
        for (field, value) in &purpose.fields {
            table.add(&join("", field), value.clone());
        }
    }
    of_surroundings(&mut settings, config);
    settings
}

/// Settings of one table being added.
struct Table<'a> {
    settings: &'a mut Vec<Setting>,
    name: String,
}

impl<'a> Table<'a> {
    fn new(settings: &'a mut Vec<Setting>, name: String) -> Self {
        Self { settings, name }
    }

    fn add(&mut self, key: &str, value: impl Into<Value>) {
        self.add_some(key, Some(value));
    }

    fn add_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        let (table, key) = (self.name.clone(), key.to_owned());
        self.settings.push(Setting { table, key, value: value.map(Into::into), remark: None });
    }

    fn remark(&mut self, remark: impl Into<String>) {
        if let Some(last) = self.settings.last_mut() {
            last.remark = Some(remark.into());
        }
    }
}

fn of_provider(table: &mut Table<'_>, provider: &ProviderConfig) {
    table.add("kind", provider.kind.name());
    table.add("base_url", provider.base_url.as_str());
    of_credentials(table, &provider.credentials);
    if provider.allow_insecure {
        table.add("allow_insecure", true);
    }
    table.add("models", provider.models.iter().map(model).collect::<Vec<_>>());
    of_catalogue(table, provider);
    let embedding_models: Vec<_> = provider.embedding_models.iter().map(embedding_model).collect();
    if !embedding_models.is_empty() {
        table.add("embedding_models", embedding_models);
        of_embedding_catalogue(table, provider);
    }
    table.add("enabled", provider.enabled);
    table.add("priority", provider.priority);
    table.add("local", provider.local);
    table.add_some("price", provider.price.map(price));
    table.add("timeouts.connect", length_text(provider.timeouts.connect));
    table.add_some("timeouts.first_token", provider.timeouts.first_token.map(length_text));
    table.add("timeouts.idle", length_text(provider.timeouts.idle));
    table.add("timeouts.total", length_text(provider.timeouts.total));
    for (name, limit) in provider.limits.numbers() {
        table.add_some(&join("limits", name), limit);
    }
    table.add_some("limits.queue", provider.limits.queue.map(length_text));
    of_limits(table, "budget", provider.budget);
    of_generation(table, &provider.defaults);
    for (what, words) in [("headers", &provider.headers), ("labels", &provider.labels)] {
        for (name, value) in words {
            table.add(&join(what, name), value.as_str());
        }
    }
}

/// Says behind the models what the catalogue of prices told of them, where it counts.
fn of_catalogue(table: &mut Table<'_>, provider: &ProviderConfig) {
    let told: Vec<String> = provider.models.iter().filter_map(|model| listed(model, provider)).collect();
    if !told.is_empty() {
        table.remark(format!("by the catalogue: {}", told.join(", ")));
    }
}

fn of_embedding_catalogue(table: &mut Table<'_>, provider: &ProviderConfig) {
    let counts = |model: &&EmbeddingModel| model.price.is_none() && !provider.local;
    let told = provider.embedding_models.iter().filter(counts).filter_map(|model| {
        let input = model.listed?.rates.input_per_mtok;
        Some(format!("{} ({input} for 1M tokens)", model.id))
    });
    let told: Vec<String> = told.collect();
    if !told.is_empty() {
        table.remark(format!("by the catalogue: {}", told.join(", ")));
    }
}

/// What counts of the catalogue's words on a model.
fn listed(model: &ModelConfig, provider: &ProviderConfig) -> Option<String> {
    let listed = model.listed?;
    let price = listed.price.filter(|_| model.price.or(provider.price).is_none() && !provider.local);
    let window = listed.context_window.filter(|_| model.context_window.is_none());
    let price = price.map(|price| price.to_string());
    let window = window.map(|tokens| format!("takes {tokens} tokens"));
    let told: Vec<String> = price.into_iter().chain(window).collect();
    (!told.is_empty()).then(|| format!("{} ({})", model.id, told.join("; ")))
}

fn of_credentials(table: &mut Table<'_>, credentials: &Credentials) {
    match credentials {
        Credentials::NotNeeded => table.add("auth", "none"),
        Credentials::Keys(keys) => {
            let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
            of_variables(table, &names);
            table.remark("set");
        }
        Credentials::Missing { variables, placeholder } => {
            let names: Vec<_> = variables.iter().map(String::as_str).collect();
            of_variables(table, &names);
            table.remark(match placeholder {
                Some(variable) => format!("not initialised: {variable} holds a placeholder"),
                None => "not initialised: not set".to_owned(),
            });
        }
    }
}

fn of_variables(table: &mut Table<'_>, names: &[&str]) {
    match names {
        [only] => table.add("api_key_env", *only),
        several => table.add("api_keys_env", several),
    }
}

fn of_route(table: &mut Table<'_>, route: &RouteConfig) {
    table
        .add_some("targets", (!route.targets.is_empty()).then(|| route.targets.iter().map(target).collect::<Vec<_>>()));
    table.add("strategy", route.strategy.name().to_string());
    for (name, value) in &route.options {
        table.add(&join("options", name), value.clone());
    }
    if let Some(digest) = &route.digest {
        table.add("digest", format!("sha256:{digest}"));
    }
    if let Some(shadow) = &route.shadow {
        table.add("shadow", shadow.name().to_string());
    }
    for (name, value) in &route.shadow_options {
        table.add(&join("shadow_options", name), value.clone());
    }
    table.add_some("max_attempts", route.max_attempts);
    table.add("deadline", length_text(route.deadline));
    table.add("on_interrupt", on_interrupt(route.on_interrupt));
    table.add_some("hold_back", hold_back(route.hold_back));
    table.add("emergency", route.emergency);
    table.add("prefer_for", length_text(route.prefer_for));
    table.add("content_filter", if route.content_filter_falls_back { "fall-back" } else { "stop" });
    table.add_some("fallback_text", route.fallback_text.as_deref());
    of_limits(table, "budget", route.budget);
}

fn of_health(settings: &mut Vec<Setting>, config: &Config) {
    let mut table = Table::new(settings, "cooldown".to_owned());
    table.add("rate_limited", length_text(config.cooldown.rate_limited));
    table.add("quota_exhausted", length_text(config.cooldown.quota_exhausted));
    table.add("longest", length_text(config.cooldown.longest));
    table.add("longest_quota", length_text(config.cooldown.longest_quota));

    let mut table = Table::new(settings, "breaker".to_owned());
    table.add("failures", config.breaker.failures);
    table.add("success_rate", config.breaker.success_rate);
    table.add("samples", config.breaker.samples);
    table.add("window", length_text(config.breaker.window));
    table.add("pause", length_text(config.breaker.pause));
    table.add("longest_pause", length_text(config.breaker.longest_pause));
    table.add("scope", scope(config.breaker.scope));

    let mut table = Table::new(settings, "retries".to_owned());
    table.add("ratio", config.retries.ratio);
    table.add("floor", config.retries.floor);
    table.add("hedges", config.retries.hedges);
}

fn of_budget(table: &mut Table<'_>, config: &Config) {
    let budget = &config.budget;
    table.add_some("per_request_usd", budget.per_request.map(dollars));
    table.add_some("daily_usd", budget.daily.map(dollars));
    table.add_some("monthly_usd", budget.monthly.map(dollars));
    table.add_some("time_zone", budget.time_zone.iana_name());
    for (label, limits) in &budget.labels {
        of_limits(table, &join("labels", label), *limits);
    }
    table.add_some("alert_at", budget.alert_at);
    table.add("tracking", budget.tracking);
    table.add(
        "unknown_price",
        match budget.unknown_price {
            UnknownPrice::Refuse => Value::from("refuse"),
            UnknownPrice::Assume(assumed) => price(assumed),
        },
    );
}

fn of_limits(table: &mut Table<'_>, path: &str, limits: SpendLimits) {
    let SpendLimits { per_request, daily, monthly } = limits;
    let limits = [("per_request_usd", per_request), ("daily_usd", daily), ("monthly_usd", monthly)];
    // Most have none, and say nothing of it.
    for (key, limit) in limits.into_iter().filter_map(|(key, limit)| Some((key, limit?))) {
        table.add(&format!("{path}.{key}"), dollars(limit));
    }
}

fn of_generation(table: &mut Table<'_>, defaults: &GenerationDefaults) {
    table.add_some("temperature", defaults.temperature);
    table.add_some("max_tokens", defaults.max_tokens);
}

fn of_surroundings(settings: &mut Vec<Setting>, config: &Config) {
    let sandbox = &config.sandbox;
    let mut table = Table::new(settings, "sandbox".to_owned());
    table.add("fuel", sandbox.fuel);
    table.add("memory_mib", sandbox.memory >> 20);
    table.add("module_mib", sandbox.module_bytes >> 20);
    table.add("compile_time", length_text(sandbox.compile_time));
    table.add("wasi", sandbox.wasi);
    for (strategy, powers) in sandbox.grants.iter() {
        let powers: Vec<_> = powers.iter().map(Power::name).collect();
        table.add(&join("grants", &strategy.name()), powers);
    }
    match &sandbox.compile_cache {
        Some(folder) => table.add("compile_cache", folder.display().to_string()),
        None => table.add("compile_cache", false),
    }
    match &sandbox.registry.copies {
        Some(folder) => table.add("registry_copies", folder.display().to_string()),
        None => table.add("registry_copies", false),
    }
    let cache = &config.cache;
    let mut table = Table::new(settings, "cache".to_owned());
    table.add("enabled", cache.enabled);
    table.add("ttl", length_text(cache.ttl));
    table.add("max_mib", cache.max_bytes >> 20);
    table.add("per_key", cache.per_key);
    table.add("any_temperature", cache.any_temperature);
    let mut table = Table::new(settings, "store".to_owned());
    match &config.store.path {
        Some(file) => table.add("path", file.display().to_string()),
        None => table.add("path", false),
    }
    table.add("keep_requests", config.store.keep_requests);
    table.add("keep", length_text(config.store.keep));
    let (ledger, shared) = (&config.store.ledger, &config.store.shared);
    table.add_some("ledger", ledger.as_ref().map(ToString::to_string));
    if ledger.as_ref().is_some_and(|ledger| ledger.password.is_some()) {
        table.remark("with a password".to_owned());
    }
    table.add_some("shared", shared.as_ref().map(ToString::to_string));
    if shared.as_ref().is_some_and(|shared| shared.password.is_some()) {
        table.remark("with a password".to_owned());
    }
    let mut table = Table::new(settings, "recording".to_owned());
    table.add("enabled", config.recording.enabled);
    table.add_some("folder", config.recording.folder.as_ref().map(|folder| folder.display().to_string()));
    table.add("max_mib", config.recording.most_bytes >> 20);
    let mut table = Table::new(settings, "gateway".to_owned());
    table.add("listen", config.gateway.listen.as_str());
    table.add_some("keys", config.gateway.keys.as_ref().map(|path| path.display().to_string()));
    table.add("max_connections", config.gateway.max_connections);
    table.add("max_requests", config.gateway.max_requests);
    table.add("log_requests", config.log_requests);
    table.add("log_format", config.gateway.log_format.name());
    let telemetry = &config.telemetry;
    let mut table = Table::new(settings, "telemetry".to_owned());
    table.add_some("otlp_endpoint", telemetry.otlp_endpoint.as_ref().map(Url::as_str));
    let headers: Vec<&str> = telemetry.otlp_headers.iter().map(|(name, _)| name.as_str()).collect();
    if !headers.is_empty() {
        table.remark(format!("with the headers {}", headers.join(", ")));
    }
    table.add("service_name", telemetry.service_name.as_str());
}

fn model(model: &ModelConfig) -> Value {
    let plain = ModelConfig::new(&model.id);
    let mut told = Map::from_iter([("id".to_owned(), json!(model.id))]);
    told.extend(model.price.map(|own| ("price".to_owned(), price(own))));
    told.extend(model.context_window.map(|tokens| ("context_window".to_owned(), json!(tokens))));
    let can =
        [("tools", model.tools, plain.tools), ("json", model.json, plain.json), ("vision", model.vision, plain.vision)];
    for (what, can, usual) in can {
        told.extend((can != usual).then(|| (what.to_owned(), json!(can))));
    }
    told.extend(model.media_tokens.map(|tokens| ("media_tokens".to_owned(), json!(tokens))));
    let GenerationDefaults { temperature, max_tokens } = model.defaults;
    told.extend(temperature.map(|temperature| ("temperature".to_owned(), json!(temperature))));
    told.extend(max_tokens.map(|tokens| ("max_tokens".to_owned(), json!(tokens))));
    told.extend(model.prefill.map(|can| ("prefill".to_owned(), json!(can))));
    let limits = model.limits.numbers().into_iter().filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?))));
    let limits: Map<String, Value> = limits.collect();
    told.extend((!limits.is_empty()).then(|| ("limits".to_owned(), Value::Object(limits))));
    if told.len() == 1 { json!(model.id) } else { Value::Object(told) }
}

fn embedding_model(model: &EmbeddingModel) -> Value {
    let mut told = Map::from_iter([("id".to_owned(), json!(model.id))]);
    told.extend(model.same_as.as_ref().map(|name| ("same_as".to_owned(), json!(name))));
    let price = model.price.map(|price| json!({"input_per_mtok": dollars(price.rates.input_per_mtok)}));
    told.extend(price.map(|price| ("price".to_owned(), price)));
    if told.len() == 1 { json!(model.id) } else { Value::Object(told) }
}

fn price(price: Price) -> Value {
    let Rates { input_per_mtok, output_per_mtok, cache_read_per_mtok, cache_write_per_mtok } = price.rates;
    let mut told = Map::new();
    let cached = [("cache_read_per_mtok", cache_read_per_mtok), ("cache_write_per_mtok", cache_write_per_mtok)];
    let both = [("input_per_mtok", Some(input_per_mtok)), ("output_per_mtok", Some(output_per_mtok))];
    for (kind, rate) in both.into_iter().chain(cached) {
        told.extend(rate.map(|rate| (kind.to_owned(), json!(dollars(rate)))));
    }
    Value::Object(told)
}

fn dollars(amount: NanoUsd) -> String {
    amount.to_string().trim_start_matches('$').to_owned()
}

fn target(target: &TargetRef) -> String {
    target.model.as_ref().map_or_else(|| target.provider.clone(), |model| format!("{}/{model}", target.provider))
}

fn on_interrupt(way: OnInterrupt) -> &'static str {
    match way {
        OnInterrupt::Continue => "continue",
        OnInterrupt::Restart => "restart",
        OnInterrupt::Fail => "fail",
    }
}

fn hold_back(hold_back: HoldBack) -> Option<Value> {
    let time = hold_back.time.map(|time| json!({"tokens": hold_back.tokens, "time": length_text(time)}));
    (hold_back.tokens > 0).then(|| time.unwrap_or_else(|| json!({"tokens": hold_back.tokens})))
}

fn scope(scope: BreakerScope) -> &'static str {
    match scope {
        BreakerScope::Model => "model",
        BreakerScope::Provider => "provider",
    }
}
