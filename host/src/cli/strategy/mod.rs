//! `backstop strategy ...`: list, inspect, check, build.

mod list;
mod inspect;
mod battery;
mod check;
mod toolchain;
mod build;

use std::path::PathBuf;

use super::args::StrategyCommand;
use super::exit::Exit;

/// Runs one of the strategy commands on a thread that may block: compiling does.
pub(crate) async fn run(command: StrategyCommand, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let work = move || match command {
        StrategyCommand::List(args) => list::run(&args, file),
        StrategyCommand::Inspect(args) => inspect::run(&args, file),
        StrategyCommand::Check(args) => check::run(&args, file),
        StrategyCommand::Build(args) => build::run(&args),
    };
    tokio::task::spawn_blocking(work).await?
}
