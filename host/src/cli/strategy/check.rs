//! `backstop strategy check`: loads a strategy and puts it through a battery of situations.

use std::path::PathBuf;
use std::time::Duration;

use backstop::clock::{Clock, Moment, SystemClock};
use backstop::config::{SandboxConfig, StrategyRef};
use backstop::strategy::{LoadStrategyError, Strategy};
use backstop::types::Ask;
use serde_json::{Map, Value, json};

use super::super::args::NamedArgs;
use super::super::exit::Exit;
use super::super::paint::{Tone, paint, paint_words};
use super::super::{aside, ask, setup, table};
use super::battery::{self, SIZES, USUAL};

/// Calls that a decision's time is averaged over.
const CALLS: u32 = 200;

/// What came of one situation.
struct Finding {
    situation: String,
    answer: String,
    reason: String,
    fault: Option<String>,
}

/// What came of the whole battery.
pub(super) struct Report {
    strategy: String,
    findings: Vec<Finding>,
    /// Candidates, and the time of one decision among them.
    times: Vec<(usize, Duration)>,
}

/// Checks.
pub(super) fn run(args: &NamedArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let strategy = backstop::client::strategy_named(&args.strategy)?;
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
/// When it cannot be loaded.
pub(super) fn examine(strategy: &StrategyRef, sandbox: &SandboxConfig) -> Result<Report, LoadStrategyError> {
    let load = |size| Strategy::load(strategy, &battery::roster(size), &Map::new(), sandbox);
    let usual = load(USUAL)?;
    let mut findings: Vec<Finding> = battery::situations()
        .into_iter()
        .map(|situation| Finding::of(&usual, situation.name.to_owned(), &situation.ask))
        .collect();
    let mut times = Vec::new();
    for size in SIZES {
        let loaded = load(size)?;
        let question = battery::all_ready(size);
        findings.push(Finding::of(&loaded, format!("{size} ready"), &question));
        times.push((size, time_of(&loaded, &question)));
    }
    Ok(Report { strategy: strategy.name().to_string(), findings, times })
}

/// The time of one decision, instance warm.
fn time_of(strategy: &Strategy, question: &Ask) -> Duration {
    let clock = SystemClock::start();
    for _ in 0..CALLS {
        // What is wrong with the answer has been found before; here only its time counts.
        let _ = strategy.decide(question);
    }
    clock.now().since(Moment::START) / CALLS
}

impl Finding {
    fn of(strategy: &Strategy, situation: String, question: &Ask) -> Self {
        let first = strategy.decide(question);
        let second = strategy.decide(question);
        match (first, second) {
            (Ok(first), Ok(second)) => {
                let fault = battery::fault_of(question, &first);
                let wavers = (first != second).then(|| {
                    format!(
                        "gave two answers to the same question: {}, then {}",
                        battery::in_words(&first),
                        battery::in_words(&second)
                    )
                });
                let answer = battery::in_words(&first);
                Self { situation, answer, reason: first.reason.unwrap_or_default(), fault: fault.or(wavers) }
            }
            (Err(fault), _) | (_, Err(fault)) => {
                Self { situation, answer: String::new(), reason: String::new(), fault: Some(fault.to_string()) }
            }
        }
    }
}

impl Report {
    /// The same findings under another name.
    pub(super) fn named(self, strategy: String) -> Self {
        Self { strategy, ..self }
    }

    fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.fault.is_none())
    }

    fn to_json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            json!({
                "situation": finding.situation, "answer": finding.answer, "reason": finding.reason, "problem": finding.fault,
            })
        });
        let times = self
            .times
            .iter()
            .map(|(size, time)| json!({"candidates": size, "microseconds": (time.as_secs_f64() * 1e7).round() / 10.0}));
        json!({
            "strategy": self.strategy, "passed": self.passed(), "situations": findings.collect::<Vec<_>>(),
            "decision_times": times.collect::<Vec<_>>(),
        })
    }

    fn in_words(&self) -> String {
        let mut table = table::table(&["situation", "answer", "reason", ""]);
        for finding in &self.findings {
            let mark = finding.fault.as_ref().map_or_else(|| "ok".to_owned(), |fault| format!("problem: {fault}"));
            table.add_row([&finding.situation, &finding.answer, &finding.reason, &mark]);
        }
        let times: Vec<String> =
            self.times.iter().map(|(size, time)| format!("{:.1} µs among {size}", time.as_secs_f64() * 1e6)).collect();
        let problems = self.findings.iter().filter(|finding| finding.fault.is_some()).count();
        let verdict = match problems {
            0 => paint(Tone::Good, format_args!("{}: no problem found", self.strategy)),
            1 => paint(Tone::Bad, format_args!("{}: 1 problem found", self.strategy)),
            more => paint(Tone::Bad, format_args!("{}: {more} problems found", self.strategy)),
        };
        let rows = paint_words(&table::headed(&table), &[("problem:", Tone::Bad)]);
        format!("{rows}\none decision: {}\n{verdict}", times.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fault: Option<&str>) -> Report {
        let finding = Finding {
            situation: "all ready".into(),
            answer: "target 0".into(),
            reason: "first".into(),
            fault: fault.map(str::to_owned),
        };
        Report { strategy: "mine.wasm".into(), findings: vec![finding], times: vec![(8, Duration::from_nanos(1_800))] }
    }

    #[test]
    fn passes_what_has_no_problem() {
        let report = report(None);

        let text = anstream::adapter::strip_str(&report.in_words()).to_string();

        assert!(report.passed());
        assert!(text.ends_with("one decision: 1.8 µs among 8\nmine.wasm: no problem found"), "{text}");
        assert_eq!(report.to_json()["decision_times"][0], json!({"candidates": 8, "microseconds": 1.8}));
    }

    #[test]
    fn fails_what_has_one() {
        let report = report(Some("holds while nothing is in flight"));

        let text = anstream::adapter::strip_str(&report.in_words()).to_string();

        assert!(!report.passed());
        assert!(text.ends_with("mine.wasm: 1 problem found"), "{text}");
        assert_eq!(report.to_json()["situations"][0]["problem"], "holds while nothing is in flight");
    }
}
