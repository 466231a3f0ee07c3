//! `backstop costs`: what was spent, from the ledger of this machine or from a running gateway.

mod export;
mod plot;
mod source;

use std::path::PathBuf;

use anyhow::bail;
use backstop::accounting::CostLine;
use backstop::accounting::ledger::{CostSum, CostsBy};
use backstop::config::{self, Config, Sources};
use backstop::types::NanoUsd;
use serde_json::json;

use super::args::{CostsArgs, CostsCommand};
use super::exit::Exit;
use super::paint::{Tone, paint};
use super::remote::Remote;
use super::{ask, table};
use source::Source;

/// Shows what was spent, writes it out, or has it counted anew.
///
/// # Errors
/// When neither a store nor a gateway is there to ask.
pub(crate) async fn run(args: CostsArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let sources = Sources { file, ..Sources::from_process() };
    let config = config::load(&sources)?.config;
    let source = match args.gateway {
        Some(url) => match Remote::of(Some(url), &config, &sources) {
            Some(remote) => Source::Gateway(Box::new(remote)),
            None => bail!("no gateway is named"),
        },
        None => Source::Store(&config),
    };
    match (args.command, args.by) {
        (Some(CostsCommand::Reset { provider }), _) => {
            known(provider.as_deref(), &config)?;
            source.reset(provider.as_deref()).await?;
        }
        (Some(CostsCommand::Export { format }), _) => export::write(&source, args.days, format).await?,
        (None, Some(by)) => {
            let by = CostsBy::from(by);
            let sums = source.sums(args.days, by).await?;
            if args.json {
                ask::print_json(&json!({"by": by.name(), "sums": sums}))?;
            } else {
                table::print(&sums_in_words(&sums, by))?;
            }
        }
        (None, None) => {
            let lines = source.lines(args.days).await?;
            let total = total(lines.iter().map(|line| line.cost));
            if args.json {
                ask::print_json(&json!({"total_usd": total.decimal(), "lines": lines}))?;
            } else {
                table::print(&in_words(&lines, total))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn known(provider: Option<&str>, config: &Config) -> anyhow::Result<()> {
    match provider {
        Some(name) if !config.providers.contains_key(name) => bail!("no provider is called {name:?}"),
        Some(_) | None => Ok(()),
    }
}

fn total(costs: impl Iterator<Item = NanoUsd>) -> NanoUsd {
    costs.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
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
    format!("{}\n\n{}", table::headed(&table), total_line(total))
}

fn sums_in_words(sums: &[CostSum], by: CostsBy) -> String {
    if sums.is_empty() {
        return "nothing was spent".to_owned();
    }
    let most = sums.iter().map(|sum| sum.cost).max().unwrap_or_default();
    let mut table = table::table(&[by.name(), "answers", "tokens in", "tokens out", "cost", ""]);
    for sum in sums {
        let of = if sum.of.is_empty() { "(none)" } else { &sum.of };
        table.add_row([
            of.to_owned(),
            sum.answers.to_string(),
            sum.usage.input.to_string(),
            sum.usage.output.to_string(),
            sum.cost.to_string(),
            plot::bar(sum.cost, most),
        ]);
    }
    // A request counts under each of its labels, so that their sum says nothing.
    let total = (by != CostsBy::Label).then(|| total_line(total(sums.iter().map(|sum| sum.cost))));
    [Some(table::headed(&table)), total].into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

fn total_line(total: NanoUsd) -> String {
    paint(Tone::Strong, format_args!(" total {total}"))
}
