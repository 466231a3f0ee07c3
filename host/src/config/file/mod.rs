//! The file's tables, each read into its part of the configuration.

mod provider;
mod model;
mod limits;
mod embedding_model;
mod route;
mod health;
mod budget;
mod purpose;
mod surroundings;

use std::path::Path;

use indexmap::IndexMap;
use toml::de::DeValue;

use super::document::Document;
use super::draft::Draft;
use super::environment::Environment;
use super::problem::{Fault, Read};
use super::report::Report;
use super::section::Section;
use super::settings::{Config, RouteConfig};
use super::{units, value};

pub(super) use model::check_id as check_model_id;
pub(super) use route::target as parse_target;
// What a scenario's file has in common with this one.
#[cfg(feature = "simulation")]
pub(super) use {
    budget::read as read_budget,
    health::read as read_health,
    limits::read as read_limits,
    model::{read_abilities, read_price},
    provider::timeouts as read_timeouts,
    route::{options as read_options, read as read_route},
};

/// Providers a configuration may have.
pub(super) const MOST_PROVIDERS: usize = 1_000;

/// Reads the file into a configuration and returns the providers in the making; `None` where it is no TOML. Relative paths
/// begin at `folder`, the one the file is in.
pub(super) fn read(
    document: &Document,
    folder: &Path,
    config: &mut Config,
    environment: &Environment,
    report: &mut Report,
) -> Option<IndexMap<String, Draft>> {
    let table = document.parse(report)?;
    let mut root = Section::root(report, document, &table);
    let drafts = providers(&mut root, environment);
    routes(&mut root, folder, config);
    health::read(&mut root, config);
    budget::read(&mut root, &mut config.budget);
    if let Some(mut section) = root.section("defaults") {
        section.set_some("temperature", &mut config.defaults.temperature, value::number(units::TEMPERATURE));
        section.set_some("max_tokens", &mut config.defaults.max_tokens, value::whole(units::TOKENS));
        section.finish();
    }
    purpose::read(&mut root, &mut config.purposes);
    surroundings::read(&mut root, folder, config, environment);
    root.finish();
    Some(drafts)
}

fn providers(root: &mut Section<'_, '_>, environment: &Environment) -> IndexMap<String, Draft> {
    let Some(mut section) = root.section("providers") else { return IndexMap::new() };
    let entries = section.entries();
    if entries.len() > MOST_PROVIDERS {
        let what = format!("{} providers; there may be {MOST_PROVIDERS}", entries.len());
        section.report().fault_of("providers", Fault::words(what, "remove some"));
    }
    let mut drafts = IndexMap::new();
    for entry in entries.into_iter().take(MOST_PROVIDERS) {
        let mut draft = Draft::new(entry.key);
        if let Err(fault) = check_name(entry.key) {
            let path = section.path_of(entry.key);
            let place = section.place(entry);
            section.report().fault(place, &path, None, fault);
        }
        if let Some(section) = section.open(entry) {
            provider::read(section, &mut draft, environment);
        }
        drafts.insert(entry.key.to_owned(), draft);
    }
    drafts
}

fn routes(root: &mut Section<'_, '_>, folder: &Path, config: &mut Config) {
    let Some(mut section) = root.section("routes") else { return };
    for entry in section.entries() {
        if let Err(fault) = check_name(entry.key) {
            let path = section.path_of(entry.key);
            let place = section.place(entry);
            section.report().fault(place, &path, None, fault);
        }
        let mut route = RouteConfig::default();
        if let Some(section) = section.open(entry) {
            route::read(section, &mut route, folder);
        }
        config.routes.insert(entry.key.to_owned(), route);
    }
}

/// Holds a provider's or route's name to what fits into logs, variables and `provider/model`.
pub(super) fn check_name(name: &str) -> Read<()> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(is_fit) {
        return Ok(());
    }
    Err(Fault::words("not a fit name", "use 1 to 64 letters, digits, -, _ and ."))
}

/// Reads a table of texts, such as labels.
fn words(
    section: &mut Section<'_, '_>,
    key: &'static str,
    words: &mut IndexMap<String, String>,
    check: impl Fn(&str, &str) -> Read<()>,
) {
    let Some(mut section) = section.section(key) else { return };
    for entry in section.entries() {
        let read = |value: &DeValue<'_>| value::text(value).and_then(|text| check(entry.key, &text).map(|()| text));
        if let Some(text) = section.read(entry, read) {
            words.insert(entry.key.to_owned(), text);
        }
    }
}
