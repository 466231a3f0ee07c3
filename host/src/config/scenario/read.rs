//! A scenario's file becomes a [`Scenario`], or the list of all that is wrong with it.

use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Map;
use toml::de::DeValue;

use crate::config::document::{Document, Unreadable};
use crate::config::file::{MOST_PROVIDERS, check_name, read_budget, read_health, read_options, read_route};
use crate::config::load::line;
use crate::config::origin::{Origin, quoted};
use crate::config::problem::{Fault, Problem, Read};
use crate::config::report::Report;
use crate::config::section::{Entry, Section};
use crate::config::settings::{Config, RouteConfig, StrategyRef};
use crate::config::{check, finish, strategy_name, value};

use super::traffic::Traffic;
use super::{Contender, Scenario, ScenarioError, provider, traffic};

/// Kinds of traffic a scenario may have.
const MOST_TRAFFIC: usize = 100;

/// Requests a scenario may bring: their times are kept in memory.
const MOST_REQUESTS: f64 = 50_000_000.0;

/// How long a scenario lasts that does not say.
const USUAL: Duration = Duration::from_secs(600);

/// The time of day it begins at then: midnight, the first of January 2026, UTC.
const MIDNIGHT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Reads a scenario's file.
///
/// # Errors
/// When it cannot be read, or something in it is wrong: everything is told at once.
pub fn read_scenario(path: &Path) -> Result<Scenario, ScenarioError> {
    let name = path.display().to_string();
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let fault = match Document::read(path, &name) {
        Ok(document) => return of_document(&document, folder),
        Err(Unreadable::Missing) => {
            Fault::words("there is no such file", "backstop simulate --list names the scenarios that are built in")
        }
        Err(Unreadable::NotAFile(fault) | Unreadable::Faulty(fault)) => fault,
    };
    let place = Origin::File { file: name.into(), line: None };
    Err(ScenarioError { problems: vec![fault.at(place, "", None)] })
}

/// Reads a scenario's text. `name` is what messages call it; relative paths begin at the working directory.
///
/// # Errors
/// When something in it is wrong: everything is told at once.
pub fn parse_scenario(name: &str, text: &str) -> Result<Scenario, ScenarioError> {
    of_document(&Document::new(name, text), Path::new(""))
}

/// Reads a strategy as a command names it: built in, or a path.
///
/// # Errors
/// When it is neither.
pub fn parse_contender(word: &str) -> Result<Contender, Box<Problem>> {
    let strategy = strategy_name::parse(word, Path::new(""))
        .map_err(|fault| Box::new(fault.at(Origin::Flag("--strategy"), "", Some(&quoted(word)))))?;
    Ok(Contender { name: strategy.name().to_string(), strategy, options: Map::new() })
}

fn of_document(document: &Document, folder: &Path) -> Result<Scenario, ScenarioError> {
    let mut report = Report::default();
    let scenario = document.parse(&mut report).map(|table| {
        let root = Section::root(&mut report, document, &table);
        read(root, folder)
    });
    match scenario {
        Some(scenario) if report.problems.is_empty() => Ok(scenario),
        _ => {
            report.problems.sort_by_key(|problem| line(&problem.place));
            Err(ScenarioError { problems: report.problems })
        }
    }
}

fn read(mut root: Section<'_, '_>, folder: &Path) -> Scenario {
    let mut scenario = Scenario {
        description: String::new(),
        duration: USUAL,
        seed: 1,
        start: MIDNIGHT,
        providers: IndexMap::new(),
        traffic: Vec::new(),
        contenders: Vec::new(),
        config: Config { log_requests: false, ..Config::new() },
    };
    root.set("description", &mut scenario.description, value::text);
    root.set("duration", &mut scenario.duration, value::positive_length);
    root.set("seed", &mut scenario.seed, value::whole(0..=i64::MAX));
    root.set("start", &mut scenario.start, moment);
    providers(&mut root, &mut scenario);
    for item in items(&mut root, "traffic", MOST_TRAFFIC) {
        scenario.traffic.extend(root.open(item).map(traffic::read));
    }
    route(&mut root, &mut scenario.config, folder);
    read_health(&mut root, &mut scenario.config);
    read_budget(&mut root, &mut scenario.config.budget);
    strategies(&mut root, &mut scenario.contenders, folder);
    look_over(&mut root, &mut scenario);
    root.finish();
    scenario
}

/// What can only be seen of the whole.
fn look_over(root: &mut Section<'_, '_>, scenario: &mut Scenario) {
    if scenario.providers.is_empty() && !root.has("providers") {
        root.report().fault_of("providers", Fault::words("no provider", "add [providers.NAME]"));
    }
    if scenario.traffic.is_empty() && !root.has("traffic") {
        root.report().fault_of("traffic", Fault::words("nobody asks", "add [[traffic]] with rate = 10"));
    }
    let requests: f64 =
        scenario.traffic.iter().map(|traffic: &Traffic| traffic.requests_within(scenario.duration)).sum();
    if requests > MOST_REQUESTS {
        let what = format!("brings {requests:.0} requests; there may be {MOST_REQUESTS:.0}");
        root.report().fault_of("traffic", Fault::words(what, "shorten the duration, or lower the rates"));
    }
    if !root.report().problems.is_empty() {
        return;
    }
    finish(&mut scenario.config);
    for problem in check(&scenario.config) {
        let setting = problem.setting.replacen("routes.default", "route", 1);
        let place = root.report().origins.nearest(&setting);
        root.report().problems.push(Problem { place, setting, ..problem });
    }
}

fn providers(root: &mut Section<'_, '_>, scenario: &mut Scenario) {
    let Some(mut section) = root.section("providers") else { return };
    let entries = section.entries();
    if entries.len() > MOST_PROVIDERS {
        let what = format!("{} providers; there may be {MOST_PROVIDERS}", entries.len());
        section.report().fault_of("providers", Fault::words(what, "remove some"));
    }
    for entry in entries.into_iter().take(MOST_PROVIDERS) {
        name_is_fit(&mut section, entry);
        let read = section.open(entry).and_then(|section| provider::read(section, entry.key, scenario.duration));
        if let Some((simulated, configured)) = read {
            scenario.providers.insert(entry.key.to_owned(), simulated);
            scenario.config.providers.insert(entry.key.to_owned(), configured);
        }
    }
}

/// Reads `[route]`, which has the keys of `[routes.NAME]` but for who decides.
fn route(root: &mut Section<'_, '_>, config: &mut Config, folder: &Path) {
    let Some(mut section) = root.section("route") else { return };
    for key in ["strategy", "options"] {
        if let Some(entry) = section.entry(key) {
            let mend = "name strategies with --strategy, or in [strategies.NAME] with their options";
            section.fault(entry, Fault::words("who decides is no part of the route here", mend));
            return;
        }
    }
    let mut route = RouteConfig::default();
    read_route(section, &mut route, folder);
    config.routes.insert(Config::DEFAULT_ROUTE.to_owned(), route);
}

/// Reads `[strategies.NAME]`: `strategy`, by default what the name says, and its `options`.
fn strategies(root: &mut Section<'_, '_>, contenders: &mut Vec<Contender>, folder: &Path) {
    let Some(mut section) = root.section("strategies") else { return };
    for entry in section.entries() {
        name_is_fit(&mut section, entry);
        let setting = section.path_of(entry.key);
        let Some(mut table) = section.open(entry) else { continue };
        let mut options = Map::new();
        let named =
            table.get("strategy", |value| value::text(value).and_then(|word| strategy_name::parse(&word, folder)));
        let by_name = || strategy_name::parse(entry.key, folder);
        let strategy: Option<StrategyRef> = match (named, table.has("strategy")) {
            (Some(strategy), _) => Some(strategy),
            (None, true) => None,
            (None, false) => by_name().map_err(|fault| table.report().fault_of(&setting, fault)).ok(),
        };
        read_options(&mut table, "options", &mut options);
        table.finish();
        contenders.extend(strategy.map(|strategy| Contender { name: entry.key.to_owned(), strategy, options }));
    }
}

fn name_is_fit(section: &mut Section<'_, '_>, entry: Entry<'_>) {
    if let Err(fault) = check_name(entry.key) {
        let path = section.path_of(entry.key);
        let place = section.place(entry);
        section.report().fault(place, &path, None, fault);
    }
}

/// The tables of a list, `[[KEY]]`; nothing where it is not there.
pub(super) fn items<'d>(section: &mut Section<'_, 'd>, key: &'static str, most: usize) -> Vec<Entry<'d>> {
    let Some(list) = section.entry(key) else { return Vec::new() };
    let Some(items) = section.items(list) else {
        section.fault(list, value::wrong_type(list.value, "a list of tables", "[{ ... }]"));
        return Vec::new();
    };
    if items.is_empty() || items.len() > most {
        section.fault(
            list,
            Fault::words(format!("from 1 to {most} entries"), "leave it out where there is nothing to say"),
        );
        return Vec::new();
    }
    items
}

/// Reads a length of time as seconds.
pub(super) fn seconds(value: &DeValue<'_>) -> Read<f64> {
    value::length(value).map(|length| length.as_secs_f64())
}

/// Reads a moment of UTC.
fn moment(value: &DeValue<'_>) -> Read<Timestamp> {
    let text = match value {
        DeValue::Datetime(moment) => moment.to_string(),
        other => value::text(other)?,
    };
    text.parse().map_err(|_| Fault::example("not a moment of UTC", "\"2026-01-05T08:00:00Z\""))
}
