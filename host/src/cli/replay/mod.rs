//! `backstop replay`: what another strategy would have decided, asked what was asked then.

mod past;
mod judge;
mod tally;
mod work;
mod report;

use std::path::PathBuf;

use backstop::clock::{Clock, SystemClock};

use super::args::ReplayArgs;
use super::exit::Exit;
use super::{ask, setup, table};
use judge::Judges;
use past::Past;

/// Replays a recording.
///
/// # Errors
/// When it cannot be read, or a strategy cannot be loaded.
pub(crate) async fn run(args: ReplayArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    tokio::task::spawn_blocking(move || replay(&args, file)).await?
}

fn replay(args: &ReplayArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let clock = SystemClock::start();
    let began = clock.now();
    // How requests ended tells what another choice might have come to: it is read first.
    let past = Past::read(&args.recording)?;
    let judges = Judges::new(args.strategy.as_deref(), args.options.clone(), setup::sandbox(file))?;
    let tally = work::replay(&args.recording, judges, &past, args.route.as_deref(), args.show)?;
    let took = clock.now().since(began);
    if args.json {
        ask::print_json(&report::to_json(&tally, took))?;
    } else {
        table::print(&report::in_words(&tally, took))?;
    }
    Ok(Exit::Done)
}
