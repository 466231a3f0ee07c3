//! `backstop bench`: a small load on one's own configuration, or on providers of its own, and what came of it.

mod load;
mod report;
mod stage;

use std::path::PathBuf;

use backstop::types::CacheWish;

use super::args::BenchArgs;
use super::aside::tell;
use super::ask::print_json;
use super::exit::Exit;
use super::paint::{Tone, paint};
use super::retries::Unsaid;
use super::setup::Reader;
use super::{request, setup, table};

use load::Load;
use report::Report;
use stage::Stage;

/// Loads and reports.
///
/// # Errors
/// When the configuration is at fault, or a flag names what is not there.
pub(crate) async fn run(args: BenchArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    // It is the providers that are measured, who are asked the same each time.
    let asked = request::request(&args.wish).with_message("user", &args.question).with_cache(CacheWish::Bypass);
    let load = Load { requests: args.requests, concurrency: args.concurrency, streaming: args.stream };
    let (samples, took) = if args.scripted {
        let stage = Stage::set().await?;
        load.put_on(&stage.backstop(&args.wish).await?, &asked).await?
    } else {
        let ready = setup::ready(file, &args.wish, &args.retry, Unsaid::Configured, Reader::Person).await?;
        tell(&ready.notes);
        let dearest = ready.backstop.worst_cases(&asked)?.into_iter().filter_map(|case| case.cost).max();
        if let Some(most) = dearest.filter(|cost| cost.nanos() > 0) {
            let words = format!("asks {} times; an attempt may cost up to {most}", args.requests);
            tell(&[paint(Tone::Faint, words)]);
        }
        load.put_on(&ready.backstop, &asked).await?
    };
    let report = Report::of(&samples, took);
    if args.json {
        print_json(&report.to_json())?;
    } else {
        table::print(&report.in_words())?;
    }
    Ok(report.exit())
}
