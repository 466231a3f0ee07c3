//! A request's story in words.

use std::fmt::Write as _;
use std::time::Duration;

use backstop::types::{CandidateRecord, Event, Outcome, RequestRecord, RequestSummary, StateEntry, StateRead};

use crate::cli::narrator::Length;
use crate::cli::paint::{Tone, harmless, paint, paint_words};
use crate::cli::table;

/// How each outcome is coloured.
const OUTCOME_TONES: [(&str, Tone); 7] = [
    ("served", Tone::Good),
    ("cached", Tone::Good),
    ("degraded", Tone::Warn),
    ("interrupted", Tone::Bad),
    ("failed", Tone::Bad),
    ("abandoned", Tone::Faint),
    ("unknown", Tone::Warn),
];

/// The whole story: what it came to, then each step at its time.
pub(crate) fn tell(record: &RequestRecord) -> String {
    let mut story = String::new();
    let _ = writeln!(story, "{}  {}", paint(Tone::Strong, record.id), conclusion(record));
    let kind = if record.streaming { "a stream" } else { "a whole reply" };
    let labels: String =
        record.labels.iter().map(|(name, text)| format!(", {}={}", harmless(name), harmless(text))).collect();
    let began = record.started.strftime("%F %T UTC");
    let about = format!("{began}, route {}, strategy {}, {kind}{labels}", record.route, record.strategy);
    let _ = writeln!(story, "{}\n", paint(Tone::Faint, about.replace('\n', " ")));
    for (at, event) in &record.steps {
        step(&mut story, *at, event);
    }
    story
}

fn conclusion(record: &RequestRecord) -> String {
    let took = Length(record.took);
    match (record.outcome, &record.served_by) {
        (Outcome::Served, Some(target)) => {
            let tokens = record.usage.map(|usage| format!(", {} tokens", usage.total())).unwrap_or_default();
            let cost = record.cost.map(|cost| format!(", {cost}")).unwrap_or_default();
            let attempts = record.attempts.len();
            paint(Tone::Good, format_args!("answered by {target} on attempt {attempts} in {took}{tokens}{cost}"))
        }
        (Outcome::Cached, Some(target)) => {
            paint(Tone::Good, format_args!("answered from the cache in {took}, as {target} did before"))
        }
        (Outcome::Served | Outcome::Cached | Outcome::Pending, _) => {
            paint(Tone::Warn, "still under way when this was kept")
        }
        (Outcome::Degraded, _) => {
            paint(Tone::Warn, format_args!("nobody answered in {took}: the caller's own text was given"))
        }
        (Outcome::Failed, _) => paint(Tone::Bad, format_args!("nobody answered in {took}")),
        (Outcome::Interrupted, _) => {
            paint(Tone::Bad, format_args!("broke off after {took}, with part of the answer given"))
        }
        (Outcome::Abandoned, _) => paint(Tone::Faint, format_args!("given up by the caller after {took}")),
        (Outcome::Unknown, _) => {
            paint(Tone::Warn, "the process ended before the request did: what became of it is not known")
        }
    }
}

/// What a strategy read of its state, shortened: all of it is in the record.
fn in_words(read: &StateRead) -> String {
    let entry = |entry: &StateEntry| match &entry.value {
        Some(value) if value.len() > 40 => format!("{} = {}…", entry.key, value.get(..40).unwrap_or_default()),
        Some(value) => format!("{} = {value}", entry.key),
        None => format!("{} is not there", entry.key),
    };
    let entries: Vec<_> = read.entries.iter().map(entry).collect();
    let more = if read.cut { ", and more than is kept" } else { "" };
    format!("read of its state: {}{more}", entries.join(", "))
}

fn step(story: &mut String, at: Duration, event: &Event) {
    let mut line = |text: String| {
        let _ = writeln!(story, "{:>9}  {text}", ms(at));
    };
    match event {
        Event::Decided { candidates, verdict, reason, state } => {
            let why = reason.as_ref().map(|reason| format!(": {}", harmless(reason))).unwrap_or_default();
            line(format!("{}{why}", paint(Tone::Strong, format_args!("decided: {verdict}"))));
            for candidate in candidates {
                let _ = writeln!(story, "{:>13}{}", "", standing(candidate));
            }
            if let Some(read) = state {
                let _ = writeln!(story, "{:>13}{}", "", paint(Tone::Faint, harmless(&in_words(read))));
            }
        }
        Event::StrategyFault { message } => {
            line(paint(Tone::Bad, format_args!("strategy fault: {}; declared order decides", harmless(message))));
        }
        Event::Waiting { target, wait, ahead: None } => {
            line(paint(Tone::Warn, format_args!("waits {} for {target}", Length(*wait))))
        }
        Event::Waiting { target, wait, ahead: Some(ahead) } => {
            let told = format_args!("in line for {target}: {ahead} before it, {} at most", Length(*wait));
            line(paint(Tone::Warn, told));
        }
        Event::Denied { target, why, .. } => line(paint(Tone::Warn, format_args!("{target} is not admitted: {why}"))),
        Event::Attempting { target, attempt, .. } => line(format!("attempt {attempt}: sent to {target}")),
        Event::Failed { target, failure, took } => {
            let failure = harmless(&failure.to_string()).replace('\n', " ");
            line(paint(Tone::Bad, format_args!("{target} failed after {}: {failure}", Length(*took))));
        }
        Event::Served { target, took } => {
            line(paint(Tone::Good, format_args!("{target} answers after {}", Length(*took))));
        }
        Event::Cancelled { target, took } => {
            line(paint(Tone::Faint, format_args!("{target} given up after {}: another was faster", Length(*took))));
        }
        Event::Adapted { target, notes } => notes.iter().for_each(|note| line(format!("for {target}: {note}"))),
        Event::Resuming { target, goes_on: true } => {
            line(format!("{target} goes on with the answer where it broke off"))
        }
        Event::Resuming { target, goes_on: false } => {
            line(format!("{target} begins the answer again; what was given is not repeated"));
        }
        Event::Joined => line("an equal request is under way: its answer is waited for".to_owned()),
        Event::FromCache { target, age } => {
            line(paint(Tone::Good, format_args!("from the cache: {target} answered so {} ago", Length(*age))));
        }
        Event::Completed { target, usage, .. } => {
            let tokens = usage.map(|usage| format!(": {} tokens in, {} out", usage.input, usage.output));
            line(paint(Tone::Good, format_args!("{target} has answered{}", tokens.unwrap_or_default())));
        }
    }
}

fn standing(candidate: &CandidateRecord) -> String {
    let CandidateRecord { target, standing, estimated_cost, why } = candidate;
    let cost = estimated_cost.map(|cost| format!(", at most {cost}")).unwrap_or_default();
    let why = why.as_ref().map(|why| format!(": {}", harmless(why))).unwrap_or_default();
    paint(Tone::Faint, format_args!("{target}  {standing}{why}{cost}"))
}

fn ms(at: Duration) -> String {
    format!("{:.1} ms", at.as_secs_f64() * 1e3)
}

/// Requests, a line each, the latest first.
pub(crate) fn list(requests: &[RequestSummary]) -> String {
    if requests.is_empty() {
        return "no request has been kept yet".to_owned();
    }
    let mut table = table::table(&["request", "began", "route", "outcome", "answered by", "attempts", "took", "cost"]);
    for request in requests {
        table.add_row([
            request.id.to_string(),
            request.started.strftime("%F %T").to_string(),
            request.route.to_string(),
            request.outcome.name().to_owned(),
            request.served_by.as_ref().map(ToString::to_string).unwrap_or_default(),
            request.attempts.to_string(),
            Length(request.took).to_string(),
            request.cost.map(|cost| cost.to_string()).unwrap_or_default(),
        ]);
    }
    paint_words(&table::headed(&table), &OUTCOME_TONES)
}
