//! `backstop strategy list`: the built-in strategies and those the configuration names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use backstop::config::{Config, SandboxConfig, StrategyRef};
use backstop::strategy::{BUILT_IN, inspect};
use serde_json::{Value, json};

use super::super::args::ReportArgs;
use super::super::exit::Exit;
use super::super::paint::{Tone, paint};
use super::super::{aside, ask, setup, table};

const NOTE: &str = "`backstop strategy inspect NAME` shows a strategy's options. The names smart_fallback, cost_optimized, \
                    quality_optimized, round_robin and fail_fast are understood, too.";

/// One strategy of the list.
struct Entry {
    name: String,
    version: String,
    summary: String,
    routes: Vec<String>,
    is_built_in: bool,
}

/// Lists.
pub(super) fn run(args: &ReportArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let config = configured(file);
    let entries = entries(&config);
    if args.json {
        ask::print_json(&Value::Array(entries.iter().map(Entry::to_json).collect()))?;
    } else {
        table::print(&in_words(&entries))?;
    }
    Ok(Exit::Done)
}

/// The configuration, or an empty one: a broken file is no reason not to say what is built in.
fn configured(file: Option<PathBuf>) -> Config {
    match setup::load(file) {
        Ok(loaded) => loaded.config,
        Err(error) => {
            aside::tell(&[paint(
                Tone::Warn,
                format_args!("the configuration's own strategies are not shown: {error}"),
            )]);
            Config::new()
        }
    }
}

fn entries(config: &Config) -> Vec<Entry> {
    let mut routes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut own: Vec<StrategyRef> = Vec::new();
    for (route, settings) in &config.routes {
        routes.entry(settings.strategy.name().to_string()).or_default().push(route.clone());
        let is_built_in = matches!(settings.strategy, StrategyRef::BuiltIn(_));
        if !is_built_in && !own.contains(&settings.strategy) {
            own.push(settings.strategy.clone());
        }
    }
    let built_in = BUILT_IN.iter().map(|name| StrategyRef::BuiltIn(name));
    built_in.chain(own).map(|strategy| Entry::of(&strategy, &config.sandbox, &mut routes)).collect()
}

impl Entry {
    fn of(strategy: &StrategyRef, sandbox: &SandboxConfig, routes: &mut BTreeMap<String, Vec<String>>) -> Self {
        let name = strategy.name().to_string();
        let (version, summary) = match inspect(strategy, sandbox).map(|inspection| inspection.description) {
            Ok(Some(description)) => (description.version, description.summary),
            Ok(None) => (String::new(), "says nothing of itself".to_owned()),
            Err(error) => (String::new(), format!("cannot be loaded: {error}")),
        };
        let routes = routes.remove(&name).unwrap_or_default();
        Self { name, version, summary, routes, is_built_in: matches!(strategy, StrategyRef::BuiltIn(_)) }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name, "built_in": self.is_built_in, "version": self.version, "summary": self.summary,
            "routes": self.routes,
        })
    }
}

fn in_words(entries: &[Entry]) -> String {
    let mut table = table::table(&["strategy", "version", "what it does", "routes"]);
    for entry in entries {
        table.add_row([&entry.name, &entry.version, &entry.summary, &entry.routes.join(", ")]);
    }
    format!("{}\n{}", table::headed(&table), paint(Tone::Faint, NOTE))
}
