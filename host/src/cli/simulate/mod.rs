//! `backstop simulate`: strategies side by side, on a virtual clock against providers that behave as a scenario says.

mod figures;
mod page;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use backstop::clock::{Clock, SystemClock};
use backstop::config::nearest_or_all;
use backstop::config::scenario::{Contender, Scenario, parse_contender, read_scenario};
use backstop::simulation::{LibraryScenario, Outcome, SCENARIOS, simulate};
use backstop::strategy::BUILT_IN;
use serde_json::{Value, json};

use super::args::SimulateArgs;
use super::exit::{Exit, UsageError};
use super::narrator::Length;
use super::paint::{Tone, paint};
use super::{aside, ask, setup, table};

/// What was simulated, and what came of it.
struct Simulated {
    name: String,
    scenario: Scenario,
    seed: u64,
    outcomes: Vec<Outcome>,
}

/// Simulates, or tells of what is built in.
pub(crate) async fn run(args: SimulateArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    match (&args.scenario, &args.show) {
        (Some(name), _) => {
            let name = name.clone();
            // It keeps its thread busy to the end: Ctrl-C is listened to beside it.
            tokio::task::spawn_blocking(move || compare(&name, &args, file)).await?
        }
        (None, Some(name)) => show(name),
        (None, None) => list(args.json),
    }
}

fn list(as_json: bool) -> anyhow::Result<Exit> {
    let described = SCENARIOS
        .map(|built_in| (built_in.name, built_in.read().map(|scenario| scenario.description).unwrap_or_default()));
    if as_json {
        let entry = |(name, description)| json!({"name": name, "description": description});
        ask::print_json(&described.into_iter().map(entry).collect())?;
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["scenario", "what it shows"]);
    for (name, description) in described {
        table.add_row([name, &description]);
    }
    let note = "`backstop simulate NAME` runs one, `backstop simulate --show NAME` prints it.";
    table::print(&format!("{}\n\n{}", table::headed(&table), paint(Tone::Faint, note)))?;
    Ok(Exit::Done)
}

fn show(name: &str) -> anyhow::Result<Exit> {
    let built_in = LibraryScenario::named(name).ok_or_else(|| UsageError(unknown(name)))?;
    table::print(built_in.text)?;
    Ok(Exit::Done)
}

fn unknown(name: &str) -> String {
    format!("no scenario is called {name:?}; {}", nearest_or_all(name, &SCENARIOS.map(|built_in| built_in.name)))
}

fn compare(name: &str, args: &SimulateArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let mut scenario = read(name)?;
    scenario.config.sandbox = setup::sandbox(file);
    let contenders = contenders(&scenario, &args.strategies)?;
    let seed = args.seed.unwrap_or(scenario.seed);
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let clock = SystemClock::start();
    let began = clock.now();
    let outcomes = simulate(&scenario, &contenders, seed, threads)?;
    let took = clock.now().since(began);
    let simulated = Simulated { name: name.to_owned(), scenario, seed, outcomes };
    if let Some(path) = &args.html {
        let page = page::page(&simulated.to_json());
        std::fs::write(path, page).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.json {
        ask::print_json(&simulated.to_json())?;
    } else {
        table::print(&simulated.in_words())?;
    }
    aside::tell(&[paint(Tone::Faint, simulated.pace(took))]);
    Ok(Exit::Done)
}

/// Reads the scenario a word means: a file, else one that is built in.
fn read(word: &str) -> anyhow::Result<Scenario> {
    let path = Path::new(word);
    if path.extension().is_none() && !path.exists() && path.components().count() == 1 {
        let built_in = LibraryScenario::named(word).ok_or_else(|| UsageError(unknown(word)))?;
        return Ok(built_in.read()?);
    }
    Ok(read_scenario(path)?)
}

/// The strategies to try: those named, else the scenario's own, else all that are built in.
fn contenders(scenario: &Scenario, named: &[String]) -> anyhow::Result<Vec<Contender>> {
    let own = |word: &str| scenario.contenders.iter().find(|contender| contender.name == word).cloned();
    if named.is_empty() && !scenario.contenders.is_empty() {
        return Ok(scenario.contenders.clone());
    }
    let built_in = BUILT_IN.map(str::to_owned);
    let words = if named.is_empty() { &built_in[..] } else { named };
    let mut chosen: Vec<Contender> = Vec::new();
    for word in words {
        let contender = own(word).map_or_else(|| parse_contender(word), Ok);
        let contender = contender.map_err(|problem| UsageError(problem.to_string()))?;
        if chosen.iter().any(|other| other.name == contender.name) {
            return Err(UsageError(format!("--strategy {word} is there twice; keep one of them")).into());
        }
        chosen.push(contender);
    }
    Ok(chosen)
}

impl Simulated {
    fn to_json(&self) -> Value {
        let providers = self.scenario.providers.iter();
        let phases = providers.clone().flat_map(|(name, provider)| {
            provider.phases.iter().map(move |phase| {
                let (from, to) = (phase.from.as_secs_f64(), phase.to.as_secs_f64());
                json!({"provider": name, "from": from, "to": to, "what": phase.in_words()})
            })
        });
        json!({
            "scenario": self.name,
            "description": self.scenario.description,
            "seed": self.seed,
            "start": self.scenario.start.to_string(),
            "duration_seconds": self.scenario.duration.as_secs_f64(),
            "providers": providers.map(|(name, _)| name).collect::<Vec<_>>(),
            "phases": phases.collect::<Vec<_>>(),
            "strategies": self.outcomes,
        })
    }

    fn in_words(&self) -> String {
        let head = format!("{}, seed {}", Length(self.scenario.duration), self.seed);
        let lines = [
            paint(Tone::Strong, &self.name) + " " + &paint(Tone::Faint, head),
            super::paint::harmless(&self.scenario.description),
            String::new(),
            figures::side_by_side(&self.outcomes),
        ];
        lines.join("\n")
    }

    /// How fast it went: the only thing here that differs from run to run.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "to show")]
    fn pace(&self, took: Duration) -> String {
        let requests: u64 = self.outcomes.iter().map(|outcome| outcome.requests).sum();
        let pace = (requests as f64 / took.as_secs_f64().max(1e-9)) as u64;
        format!("simulated {requests} requests in {}: {pace} a second", Length(took))
    }
}
