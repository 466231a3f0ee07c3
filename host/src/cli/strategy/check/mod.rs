//! `backstop strategy check`: loads a strategy and puts it through a battery of situations.

mod battery;
mod options;
mod finding;
mod pace;
mod report;

use std::path::PathBuf;

use backstop::config::{SandboxConfig, StrategyRef};
use backstop::strategy::{LoadStrategyError, Strategy};
use serde_json::{Map, json};

use super::super::args::NamedArgs;
use super::super::exit::Exit;
use super::super::paint::{Tone, paint};
use super::super::{aside, ask, setup, table};
use battery::{SIZES, USUAL};
use pace::Pace;
pub(super) use report::Report;

/// Checks.
pub(super) fn run(args: &NamedArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let strategy = backstop::config::strategy_named(&args.strategy)?;
    conclude(&examine(&strategy, &setup::sandbox(file)), args.json)
}

/// Shows a report; a strategy that could not be loaded has failed the check.
pub(super) fn conclude(examined: &Result<Report, LoadStrategyError>, as_json: bool) -> anyhow::Result<Exit> {
    let passed = match (examined, as_json) {
        (Ok(report), true) => {
            ask::print_json(&report.to_json())?;
            report.passed()
        }
        (Ok(report), false) => {
            table::print(&report.in_words())?;
            report.passed()
        }
        (Err(error), true) => {
            ask::print_json(&json!({"passed": false, "problem": error.to_string()}))?;
            false
        }
        (Err(error), false) => {
            aside::tell(&[format!("{} it cannot be loaded: {error}", paint(Tone::Bad, "error:"))]);
            false
        }
    };
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

/// Puts a strategy through the battery.
///
/// # Errors
/// When it cannot be loaded, or answers nothing at all.
pub(super) fn examine(strategy: &StrategyRef, sandbox: &SandboxConfig) -> Result<Report, LoadStrategyError> {
    let usual = Strategy::load(strategy, &battery::roster(USUAL), &Map::new(), sandbox)?;
    let mut findings = finding::all(&usual, &battery::situations());
    let mut paces = Vec::new();
    for size in SIZES {
        let resized = usual.reconfigured(&battery::roster(size), &Map::new())?;
        let question = battery::all_ready(size);
        findings.extend(finding::all(&resized, &[battery::Situation::new(format!("{size} ready"), question.clone())]));
        let pace = Pace::of(&resized, &question);
        findings.extend(pace.as_ref().and_then(|pace| pace.leak(sandbox)));
        paces.extend(pace);
    }
    findings.extend(options::findings(&usual));
    Ok(Report {
        strategy: strategy.name().to_string(),
        inspection: usual.inspection().clone(),
        sandbox: sandbox.clone(),
        granted: sandbox.powers_of(strategy),
        findings,
        paces,
    })
}
