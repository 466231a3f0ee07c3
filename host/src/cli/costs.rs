//! `backstop costs`: what was spent, from the store of this machine or from a running gateway.

use std::path::PathBuf;

use anyhow::bail;
use backstop::accounting::CostLine;
use backstop::accounting::store::{Reader, StoreError};
use backstop::clock::{Clock, SystemClock};
use backstop::config::{self, Config, Sources};
use backstop::types::NanoUsd;
use jiff::Span;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::{CostsArgs, CostsCommand};
use super::exit::Exit;
use super::paint::{Tone, paint};
use super::remote::Remote;
use super::{ask, table};

/// Costs as the gateway gives them.
#[derive(Deserialize)]
struct Told {
    lines: Vec<CostLine>,
}

/// Shows what was spent, or forgets it.
///
/// # Errors
/// When neither a store nor a gateway is there to ask.
pub(crate) async fn run(args: CostsArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let sources = Sources { file, ..Sources::from_process() };
    let config = config::load(&sources)?.config;
    if let Some(CostsCommand::Reset { provider }) = args.command {
        return reset(provider, args.gateway.and_then(|url| Remote::of(Some(url), &config, &sources)), &config).await;
    }
    let lines = match args.gateway {
        Some(url) => match Remote::of(Some(url), &config, &sources) {
            Some(remote) => remote.get::<Told>(&format!("/api/costs?days={}", args.days)).await?.lines,
            None => bail!("no gateway is named"),
        },
        None => stored(&config, args.days)?,
    };
    let total = lines.iter().fold(NanoUsd::ZERO, |sum, line| sum.saturating_add(line.cost));
    if args.json {
        ask::print_json(&json!({"total_usd": total.decimal(), "lines": lines}))?;
    } else {
        table::print(&in_words(&lines, total))?;
    }
    Ok(Exit::Done)
}

fn stored(config: &Config, days: u32) -> Result<Vec<CostLine>, StoreError> {
    let Some(path) = &config.store.path else { return Ok(Vec::new()) };
    let today = SystemClock::start().wall().to_zoned(TimeZone::UTC).date();
    match Reader::open(path) {
        Ok(reader) => reader.costs(today.saturating_sub(Span::new().days(i64::from(days) - 1))),
        // Nothing was spent yet.
        Err(StoreError::Absent { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn reset(provider: Option<String>, remote: Option<Remote>, config: &Config) -> anyhow::Result<Exit> {
    if let Some(name) = &provider
        && !config.providers.contains_key(name)
    {
        bail!("no provider is called {name:?}");
    }
    match (remote, &config.store.path) {
        (Some(remote), _) => {
            let _: Value = remote.post("/api/costs/reset", &json!({"provider": provider})).await?;
        }
        (None, Some(path)) => match Reader::open(path) {
            Ok(reader) => reader.reset_costs(provider.as_deref(), SystemClock::start().wall())?,
            Err(StoreError::Absent { .. }) => {}
            Err(error) => return Err(error.into()),
        },
        (None, None) => bail!("there is no store: `path` in [store] is false"),
    }
    Ok(Exit::Done)
}

fn in_words(lines: &[CostLine], total: NanoUsd) -> String {
    if lines.is_empty() {
        return "nothing was spent".to_owned();
    }
    let mut table = table::table(&["day", "provider", "model", "answers", "tokens in", "tokens out", "cost"]);
    for line in lines {
        table.add_row([
            line.day.to_string(),
            line.provider.to_string(),
            line.model.to_string(),
            line.answers.to_string(),
            line.usage.input.to_string(),
            line.usage.output.to_string(),
            line.cost.to_string(),
        ]);
    }
    format!("{}\n\n{}", table::headed(&table), paint(Tone::Strong, format_args!(" total {total}")))
}
