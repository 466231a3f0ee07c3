//! `backstop strategy ...`: list, inspect, check, new, build, promote, rollback, push, pull, pin.

mod list;
mod inspect;
mod check;
mod language;
mod template;
mod new;
mod build;
mod promote;
mod pin;
mod push;
mod pull;

use std::path::PathBuf;

use super::args::StrategyCommand;
use super::exit::Exit;

/// Runs one of the strategy commands, those that compile on a thread that may block.
pub(crate) async fn run(command: StrategyCommand, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    match command {
        StrategyCommand::List(args) => blocking(move || list::run(&args, file)).await,
        StrategyCommand::Inspect(args) => blocking(move || inspect::run(&args, file)).await,
        StrategyCommand::Check(args) => blocking(move || check::run(&args, file)).await,
        StrategyCommand::New(args) => blocking(move || new::run(&args)).await,
        StrategyCommand::Build(args) => blocking(move || build::run(&args, file)).await,
        StrategyCommand::Promote(args) => promote::promote(args, file).await,
        StrategyCommand::Rollback(args) => promote::roll_back(args, file).await,
        StrategyCommand::Push(args) => blocking(move || push::run(&args, file)).await,
        StrategyCommand::Pull(args) => blocking(move || pull::run(&args, file)).await,
        StrategyCommand::Pin(args) => blocking(move || pin::run(&args, file)).await,
    }
}

async fn blocking(work: impl FnOnce() -> anyhow::Result<Exit> + Send + 'static) -> anyhow::Result<Exit> {
    tokio::task::spawn_blocking(work).await?
}
