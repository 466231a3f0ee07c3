//! What a replay has found, in words and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::narrator::Length;
use super::super::paint::{Tone, paint};
use super::super::table;
use super::tally::{Sum, Tally};

/// Kinds of difference that are listed.
const LISTED: usize = 12;

/// For people.
pub(super) fn in_words(tally: &Tally, took: Duration) -> String {
    let mut text = String::new();
    let _ = sum_up(&mut text, tally, took);
    text
}

fn sum_up(text: &mut String, tally: &Tally, took: Duration) -> std::fmt::Result {
    let decisions = tally.decisions();
    writeln!(text, "{decisions} decisions replayed in {}", Length(took))?;
    for (then, now) in &tally.strategies {
        match then == now {
            true => writeln!(text, "asked again: {}", paint(Tone::Strong, now))?,
            false => writeln!(text, "asked: {} in place of {then}", paint(Tone::Strong, now))?,
        }
    }
    if tally.has_changed {
        writeln!(text, "{}", paint(Tone::Warn, "the component is another one than the one that decided then"))?;
    }
    if tally.learns {
        let words = "it learns from outcomes, which no replay tells it: it was asked as if it had learnt nothing";
        writeln!(text, "{}", paint(Tone::Warn, words))?;
    }
    if decisions == 0 {
        return Ok(());
    }
    writeln!(
        text,
        "\n{} the same, {} otherwise, {} failed",
        share(tally.same, decisions),
        tally.differed(),
        tally.faults
    )?;
    if tally.faults_then > 0 {
        writeln!(text, "{} were made by declared order then, since the strategy failed", tally.faults_then)?;
    }
    if !tally.moves.is_empty() {
        let mut moves: Vec<_> = tally.moves.iter().collect();
        moves.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let mut listed = table::table(&["decided then", "decided now", "decisions"]);
        for ((then, now), count) in moves.iter().take(LISTED) {
            listed.add_row([then, now, &count.to_string()]);
        }
        writeln!(text, "\n{}", table::headed(&listed))?;
        if let Some(more) = moves.len().checked_sub(LISTED).filter(|more| *more > 0) {
            writeln!(text, "and {more} other kinds of difference")?;
        }
    }
    let first = &tally.first;
    if first.compared > 0 {
        let figures = |sum: &Sum| {
            [
                sum.share_served(first.compared)
                    .map_or("unknown".to_owned(), |share| format!("{:.2} %", share * 100.0)),
                sum.mean_cost().map_or("unknown".to_owned(), |dollars| format!("${dollars:.6}")),
                sum.mean_took().map_or("unknown".to_owned(), |took| Length(took).to_string()),
            ]
        };
        let ([then, now], names) = ([figures(&first.then), figures(&first.now)], ["served", "cost", "time to answer"]);
        let mut compared = table::table(&["first choices", "then", "now"]);
        for ((name, then), now) in names.iter().zip(then).zip(now) {
            compared.add_row([(*name).to_owned(), then, now]);
        }
        writeln!(text, "\n{}", table::headed(&compared))?;
        let words =
            "estimated by how each target did within the minute; of so many first choices both were tried by somebody";
        writeln!(text, "{}", paint(Tone::Faint, format!("{words}: {} of {}", first.compared, first.all)))?;
    }
    if !tally.examples.is_empty() {
        let mut examples = table::table(&["request", "decided then", "decided now", "because"]);
        for example in &tally.examples {
            let reason = example.reason.clone().unwrap_or_default();
            examples.add_row([example.request.to_string(), example.then.clone(), example.now.clone(), reason]);
        }
        writeln!(text, "\n{}", table::headed(&examples))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn share(part: u64, whole: u64) -> String {
    format!("{:.2} %", part as f64 * 100.0 / whole as f64)
}

/// For programs.
pub(super) fn to_json(tally: &Tally, took: Duration) -> Value {
    let first = &tally.first;
    let figures = |sum: &Sum| {
        json!({
            "served": sum.share_served(first.compared),
            "cost_usd": sum.mean_cost(),
            "took_ms": sum.mean_took().map(|took| took.as_secs_f64() * 1e3),
        })
    };
    let moves = tally.moves.iter().map(|((then, now), count)| json!({"then": then, "now": now, "decisions": count}));
    let examples = tally.examples.iter().map(|example| {
        json!({"request": example.request, "then": example.then, "now": example.now, "reason": example.reason})
    });
    json!({
        "decisions": tally.decisions(),
        "took_ms": took.as_secs_f64() * 1e3,
        "strategies": tally.strategies.iter().map(|(then, now)| json!({"then": then, "now": now})).collect::<Vec<_>>(),
        "component_has_changed": tally.has_changed,
        "learns": tally.learns,
        "same": tally.same,
        "differed": tally.differed(),
        "faults": tally.faults,
        "faults_then": tally.faults_then,
        "differences": moves.collect::<Vec<_>>(),
        "first_choices": {"all": first.all, "compared": first.compared, "then": figures(&first.then), "now": figures(&first.now)},
        "examples": examples.collect::<Vec<_>>(),
    })
}
