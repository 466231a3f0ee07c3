//! The outcomes of a simulation as a table: a column for each strategy.

use std::collections::BTreeSet;
use std::time::Duration;

use backstop::simulation::{Outcome, Spread};
use backstop::types::NanoUsd;

use super::super::narrator::Length;
use super::super::paint::{Tone, paint, paint_words};
use super::super::table;

/// What the best of a row is marked with.
const BEST: char = '•';

/// Whether more is better.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    More,
    Less,
    /// Neither: it is only told.
    Told,
}

/// One row: what it is called, what is shown for each strategy, and what is compared.
struct Row {
    name: String,
    better: Better,
    cells: Vec<(String, Option<f64>)>,
}

/// All outcomes, one beside the other.
pub(super) fn side_by_side(outcomes: &[Outcome]) -> String {
    let mut headings = vec![""];
    headings.extend(outcomes.iter().map(|outcome| outcome.strategy.as_str()));
    let mut table = table::table(&headings);
    for row in rows(outcomes) {
        let best = row.best();
        let cells = row.cells.iter().map(|(shown, compared)| {
            let is_best = compared.is_some() && *compared == best;
            format!("{shown}{}", if is_best { format!(" {BEST}") } else { String::new() })
        });
        table.add_row(std::iter::once(row.name.clone()).chain(cells));
    }
    let laid_out = paint_words(&table::headed(&table), &[(&BEST.to_string(), Tone::Good)]);
    format!("{laid_out}\n\n{}", paint(Tone::Faint, LEGEND))
}

const LEGEND: &str = "\
• the best of its row. `recovers`: from the end of an outage or brown-out to its provider's next answer, the longest.";

fn rows(outcomes: &[Outcome]) -> Vec<Row> {
    let row = |name: &str, better, of: &dyn Fn(&Outcome) -> (String, Option<f64>)| Row {
        name: name.to_owned(),
        better,
        cells: outcomes.iter().map(of).collect(),
    };
    let mut rows = vec![
        row("requests", Better::Told, &|outcome| (outcome.requests.to_string(), None)),
        row("answered", Better::More, &|outcome| (percent(outcome.success, 3), Some(outcome.success))),
        row("callers answered", Better::More, &|outcome| {
            let answered = share(outcome.callers_answered, outcome.callers);
            (percent(answered, 3), Some(answered))
        }),
    ];
    for (name, of) in PERCENTILES {
        rows.push(row(&format!("first token {name}"), Better::Less, &|outcome| ms(outcome.first_token_ms.map(of))));
    }
    for (name, of) in PERCENTILES {
        rows.push(row(&format!("answer {name}"), Better::Less, &|outcome| ms(outcome.answer_ms.map(of))));
    }
    rows.extend([
        row("cost", Better::Less, &|outcome| (cents(outcome.cost_usd), Some(outcome.cost_usd.as_dollars()))),
        row("attempts a request", Better::Less, &|outcome| {
            (format!("{:.3}", outcome.attempts_per_request()), Some(outcome.attempts_per_request()))
        }),
        row("failed over", Better::Told, &|outcome| (percent(outcome.fail_over_rate, 2), None)),
        row("recovers", Better::Less, &|outcome| recovery(outcome)),
        row("quality", Better::More, &|outcome| match outcome.quality {
            Some(quality) => (format!("{quality:.4}"), Some(quality)),
            None => ("–".to_owned(), None),
        }),
    ]);
    let providers: Vec<&String> = outcomes.first().into_iter().flat_map(|outcome| outcome.answers.keys()).collect();
    for provider in providers {
        rows.push(row(&format!("by {provider}"), Better::Told, &|outcome| {
            let answers = outcome.answers.get(provider).copied().unwrap_or_default();
            (percent(share(answers, outcome.answered), 1), None)
        }));
    }
    let reasons: BTreeSet<&String> = outcomes.iter().flat_map(|outcome| outcome.failures.keys()).collect();
    for reason in reasons {
        rows.push(row(reason, Better::Told, &|outcome| {
            (outcome.failures.get(reason).copied().unwrap_or_default().to_string(), None)
        }));
    }
    rows.retain(|row| row.cells.iter().any(|(shown, _)| shown != "–"));
    rows
}

/// A percentile: its name, and where it is found.
type Percentile = (&'static str, fn(Spread) -> f64);

const PERCENTILES: [Percentile; 3] =
    [("p50", |spread| spread.p50), ("p95", |spread| spread.p95), ("p99", |spread| spread.p99)];

impl Row {
    /// The best value, where there is one to tell it from.
    fn best(&self) -> Option<f64> {
        let compared: Vec<f64> = self.cells.iter().filter_map(|(_, compared)| *compared).collect();
        let differ = compared.iter().any(|value| Some(value) != compared.first());
        let best = match self.better {
            Better::More => compared.iter().copied().reduce(f64::max),
            Better::Less => compared.iter().copied().reduce(f64::min),
            Better::Told => None,
        };
        // All alike: nobody is the best. NaN equals nothing, so that nothing is marked.
        if differ { best } else { Some(f64::NAN) }
    }
}

fn ms(ms: Option<f64>) -> (String, Option<f64>) {
    match ms {
        Some(ms) => (Length(Duration::from_secs_f64(ms / 1e3)).to_string(), Some(ms)),
        None => ("–".to_owned(), None),
    }
}

fn recovery(outcome: &Outcome) -> (String, Option<f64>) {
    match (outcome.recoveries.is_empty(), outcome.time_to_recover()) {
        (true, _) => ("–".to_owned(), None),
        (false, Some(seconds)) => (Length(Duration::from_secs_f64(seconds)).to_string(), Some(seconds)),
        (false, None) => ("never".to_owned(), None),
    }
}

fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", share * 100.0)
}

fn cents(cost: NanoUsd) -> String {
    format!("${:.4}", cost.as_dollars())
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
