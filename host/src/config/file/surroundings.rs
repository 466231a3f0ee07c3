//! `[sandbox]`, `[cache]`, `[store]`, `[recording]`, `[gateway]` and `[telemetry]`: what is around the requests.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use crate::config::environment::Environment;
use crate::config::problem::{Fault, Read};
use crate::config::section::Section;
use crate::config::settings::{
    CacheConfig, Config, GatewayConfig, Grants, LogFormat, Power, Powers, SandboxConfig, StoreConfig,
};
use crate::config::{collector, ledger_address, listen, section, shared_address, strategy_name, value};

/// Reads the six tables. Relative paths begin at `folder`.
pub(super) fn read(root: &mut Section<'_, '_>, folder: &Path, config: &mut Config, environment: &Environment) {
    if let Some(section) = root.section("sandbox") {
        sandbox(section, folder, &mut config.sandbox);
    }
    if let Some(section) = root.section("cache") {
        cache(section, &mut config.cache);
    }
    if let Some(section) = root.section("store") {
        store(section, folder, &mut config.store, environment);
    }
    if let Some(mut section) = root.section("recording") {
        let recording = &mut config.recording;
        section.set("enabled", &mut recording.enabled, value::switch);
        section.set_some("folder", &mut recording.folder, |value| value::path(value).map(|path| folder.join(path)));
        section.set("max_mib", &mut recording.most_bytes, mebibytes(1..=1_048_576));
        section.finish();
    }
    if let Some(section) = root.section("gateway") {
        gateway(section, folder, &mut config.gateway, &mut config.log_requests);
    }
    if let Some(mut section) = root.section("telemetry") {
        let endpoint = |value: &DeValue<'_>| value::text(value).and_then(|text| collector::endpoint(&text));
        section.set_some("otlp_endpoint", &mut config.telemetry.otlp_endpoint, endpoint);
        let name = |value: &DeValue<'_>| value::text(value).and_then(|text| collector::service_name(&text));
        section.set("service_name", &mut config.telemetry.service_name, name);
        section.finish();
    }
}

fn sandbox(mut section: Section<'_, '_>, folder: &Path, sandbox: &mut SandboxConfig) {
    let mut interpreters = false;
    section.set("interpreters", &mut interpreters, value::switch);
    if interpreters {
        // Before the single bounds are read, each of which may still say otherwise.
        let SandboxConfig { compile_cache, registry, .. } = std::mem::take(sandbox);
        *sandbox = SandboxConfig { compile_cache, registry, ..SandboxConfig::for_interpreters() };
    }
    section.set("fuel", &mut sandbox.fuel, value::whole(10_000..=1_000_000_000_000));
    section.set("memory_mib", &mut sandbox.memory, mebibytes(1..=4_096));
    section.set("module_mib", &mut sandbox.module_bytes, mebibytes(1..=256));
    section.set("compile_time", &mut sandbox.compile_time, value::positive_length);
    section.set("wasi", &mut sandbox.wasi, value::switch);
    let own_or_none = |value: &DeValue<'_>| match value {
        DeValue::Boolean(false) => Ok(None),
        DeValue::Boolean(true) => Err(Fault::words("true is no folder", "leave it out for the platform's own")),
        other => value::path(other).map(|path| Some(folder.join(path))),
    };
    section.set("compile_cache", &mut sandbox.compile_cache, own_or_none);
    section.set("registry_copies", &mut sandbox.registry.copies, own_or_none);
    if let Some(granted) = section.section("grants") {
        grants(granted, folder, &mut sandbox.grants);
    }
    section.finish();
}

/// `[sandbox.grants]`: a strategy's name or path, and its powers.
fn grants(mut section: Section<'_, '_>, folder: &Path, grants: &mut Grants) {
    for entry in section.entries() {
        match strategy_name::parse(entry.key, folder) {
            Ok(strategy) => {
                if let Some(powers) = section.read(entry, powers) {
                    grants.grant(strategy, powers);
                }
            }
            Err(fault) => section.fault(entry, fault),
        }
    }
}

fn powers(value: &DeValue<'_>) -> Read<Powers> {
    let power = |name: &String| {
        let unknown = || {
            let mend = section::nearest_or_all(name, &Power::ALL.map(Power::name));
            Fault::words(format!("{name:?} is no power"), mend)
        };
        Power::parse(name).ok_or_else(unknown)
    };
    value::texts(value)?.iter().map(power).collect()
}

fn cache(mut section: Section<'_, '_>, cache: &mut CacheConfig) {
    section.set("enabled", &mut cache.enabled, value::switch);
    section.set("ttl", &mut cache.ttl, value::positive_length);
    section.set("max_mib", &mut cache.max_bytes, mebibytes(1..=65_536));
    section.set("per_key", &mut cache.per_key, value::switch);
    section.set("any_temperature", &mut cache.any_temperature, value::switch);
    section.finish();
}

fn store(mut section: Section<'_, '_>, folder: &Path, store: &mut StoreConfig, environment: &Environment) {
    section.set("path", &mut store.path, |value| match value {
        DeValue::Boolean(false) => Ok(None),
        DeValue::Boolean(true) => Err(Fault::words("true is no file", "leave it out for the platform's own")),
        other => value::path(other).map(|path: PathBuf| Some(folder.join(path))),
    });
    section.set("keep_requests", &mut store.keep_requests, value::whole(1..=1_000_000_000));
    section.set("keep", &mut store.keep, value::positive_length);
    section.set_some("ledger", &mut store.ledger, |value| {
        let address = value::text(value).map_err(Fault::secret)?;
        ledger_address::parse(&address, environment)
    });
    section.set_some("shared", &mut store.shared, |value| {
        let address = value::text(value).map_err(Fault::secret)?;
        shared_address::parse(&address, environment)
    });
    section.finish();
}

fn gateway(mut section: Section<'_, '_>, folder: &Path, gateway: &mut GatewayConfig, log_requests: &mut bool) {
    section.set("listen", &mut gateway.listen, |value| {
        let listen = value::text(value)?;
        listen::check(&listen).map(|()| listen)
    });
    section.set_some("keys", &mut gateway.keys, |value| value::path(value).map(|path| folder.join(path)));
    section.set("max_connections", &mut gateway.max_connections, value::whole(1..=1_000_000));
    section.set("max_requests", &mut gateway.max_requests, value::whole(1..=1_000_000));
    section.set("log_requests", log_requests, value::switch);
    section.set("log_format", &mut gateway.log_format, |value| value::text(value).and_then(|text| log_format(&text)));
    section.finish();
}

fn log_format(name: &str) -> Read<LogFormat> {
    let known = LogFormat::ALL.into_iter().find(|format| format.name() == name);
    known.ok_or_else(|| Fault::words("no such format", "write \"text\" or \"json\""))
}

fn mebibytes(range: std::ops::RangeInclusive<i64>) -> impl Fn(&DeValue<'_>) -> Read<usize> {
    move |value| value::whole::<usize>(range.clone())(value).map(|mebibytes| mebibytes << 20)
}
