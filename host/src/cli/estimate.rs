//! What a question would come to, before anything is sent: `ask --estimate`.

use backstop::accounting::CostLine;
use backstop::accounting::store::Reader;
use backstop::client::Backstop;
use backstop::clock::{Clock, SystemClock};
use backstop::router::{Counted, Estimate};
use backstop::types::{ChatRequest, NanoUsd};
use jiff::Span;
use jiff::tz::TimeZone;
use serde_json::json;

use super::ask::print_json;
use super::exit::Exit;
use super::paint::{Tone, paint};
use super::table;

/// The days of earlier answers that an expectation goes by.
const DAYS: i64 = 30;

/// Shows what a request would come to at each of its targets.
///
/// # Errors
/// When the request names a model, a provider or a purpose that is not there.
pub(crate) fn show(backstop: &Backstop, request: &ChatRequest, as_json: bool) -> anyhow::Result<Exit> {
    let history = history(backstop);
    let estimates = backstop.estimate(request)?.into_iter().map(|estimate| estimate.going_by(&history));
    let estimates: Vec<Estimate> = estimates.collect();
    if as_json {
        let first = estimates.iter().find(|estimate| estimate.is_first).map(|estimate| estimate.target.to_string());
        print_json(&json!({"first": first, "targets": estimates}))?;
    } else {
        table::print(&in_words(&estimates))?;
    }
    Ok(Exit::Done)
}

/// What was answered on this machine of late. Without a store, or without an answer yet, there is nothing to go by.
fn history(backstop: &Backstop) -> Vec<CostLine> {
    let config = backstop.config();
    let today = SystemClock::start().wall().to_zoned(TimeZone::UTC).date();
    let reader = config.store.path.as_ref().and_then(|path| Reader::open(path).ok());
    reader.and_then(|reader| reader.costs(today.saturating_sub(Span::new().days(DAYS))).ok()).unwrap_or_default()
}

fn in_words(estimates: &[Estimate]) -> String {
    let mut table = table::table(&["target", "tokens in", "at most", "out at most", "cost at most", "expected", ""]);
    for estimate in estimates {
        let tokens = match estimate.counted {
            Counted::Tokenizer => estimate.input_tokens.to_string(),
            Counted::RuleOfThumb => format!("~{}", estimate.input_tokens),
        };
        let expected = match estimate.expected {
            Some(expected) => format!("{} for {} out", cost(expected.cost), expected.output_tokens),
            None => "-".to_owned(),
        };
        let remark =
            if estimate.is_first { "asked first".to_owned() } else { estimate.why.clone().unwrap_or_default() };
        table.add_row([
            estimate.target.to_string(),
            tokens,
            estimate.input_bound.to_string(),
            estimate.max_output_tokens.to_string(),
            cost(estimate.cost),
            expected,
            remark,
        ]);
    }
    let mut text = table::headed(&table);
    if !estimates.iter().any(|estimate| estimate.is_first) {
        text.push_str(&format!("\n\n{}", paint(Tone::Warn, "nobody would be asked now")));
    }
    text
}

fn cost(cost: Option<NanoUsd>) -> String {
    cost.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string())
}
