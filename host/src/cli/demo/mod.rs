//! `backstop demo`: three providers on loopback that fail in different ways, asked the same questions under each of the five
//! strategies. Needs no key, no configuration and no network.

mod stage;
mod row;

use anyhow::Context;
use backstop::types::ChatRequest;
use serde_json::Value;

use super::args::DemoArgs;
use super::exit::Exit;
use super::paint::{Tone, paint, paint_words};
use super::{ask, table};
use row::Row;
use stage::Stage;

const QUESTIONS: [&str; 3] = ["Capital of France?", "What is Rust?", "Why is the sky blue?"];

const BEFORE: &str = "\
Three providers answer on this machine's loopback, each in its own way:

  alpha   the best (priority 3) and the dearest; answers 429, \"retry after 30 s\"
  beta    free and local (priority 1); resets its connections
  gamma   in between (priority 2, cheap); answers

Each strategy gets the same three questions, with fresh memory.";

const AFTER: &str = "\
Every failure cost one attempt at most: what a provider said of itself is remembered, so the next question goes round it.
A strategy is a small WebAssembly component: `backstop strategy list` shows these, and
`backstop ask --strategy ./mine.wasm` runs your own.";

/// The strategies that play: an order each. The others have to be told something, or to learn it first.
const SHOWN: [&str; 5] = ["smart", "cost", "quality", "round-robin", "fail-fast"];

/// Plays.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    if !args.json {
        table::print(&format!("{BEFORE}\n"))?;
    }
    let mut rows = Vec::new();
    for strategy in SHOWN {
        rows.extend(play(strategy).await?);
    }
    if args.json {
        ask::print_json(&Value::Array(rows.iter().map(Row::to_json).collect()))?;
    } else {
        table::print(&in_words(&rows))?;
    }
    Ok(Exit::Done)
}

/// Asks every question under one strategy.
async fn play(strategy: &'static str) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::set().await?;
    let backstop = stage.backstop(strategy).await?;
    let mut rows = Vec::new();
    for question in QUESTIONS {
        let id = match backstop.chat(ChatRequest::ask(question)).await {
            Ok(answer) => answer.id,
            Err(error) => error.id().ok_or(error)?,
        };
        let record = backstop.explain(id).context("the request left no record")?;
        rows.push(Row::of(strategy, question, &record));
    }
    Ok(rows)
}

fn in_words(rows: &[Row]) -> String {
    let mut table = table::table(&["strategy", "question", "who was tried", "why", "time", "cost"]);
    let mut before = None;
    for row in rows {
        let is_new = before.replace(row.strategy) != Some(row.strategy);
        if is_new && table.row_count() > 0 {
            table.add_row([""; 6]);
        }
        for (place, step) in row.steps.iter().enumerate() {
            let is_first = place == 0;
            let is_last = place + 1 == row.steps.len();
            let only = |shown: bool, text: String| if shown { text } else { String::new() };
            table.add_row([
                only(is_new && is_first, row.strategy.to_owned()),
                only(is_first, row.question.to_owned()),
                step.in_words(),
                step.reason.clone(),
                only(is_last, row.time()),
                only(is_last, row.cost()),
            ]);
        }
    }
    let words = [(" answered", Tone::Good), ("nobody", Tone::Bad)];
    format!("{}\n\n{}", paint_words(&table::headed(&table), &words), paint(Tone::Faint, AFTER))
}
