//! The terminal's door: arguments become one command, the command becomes an exit code.

mod args;
mod exit;
mod files;
mod paint;
mod table;
mod logs;
mod setup;
mod interrupt;
mod question;
mod verbatim;
mod aside;
mod log_lines;
mod retries;
mod request;
mod narrator;
mod failure;
mod lines;
mod ask;
mod estimate;
mod chat;
mod batch;
mod serve;
mod service;
mod remote;
mod running;
mod status;
mod why;
mod costs;
mod doctor;
mod demo;
mod bench;
mod replay;
mod simulate;
mod strategy;
mod keys;
mod config;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;
use logs::LogWish;

/// Parses, runs, and says how it went. Nothing heavier than the parser runs before the arguments are understood.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to fail: whoever asked for help has seen what they wanted to see.
            let _ = error.print();
            return Exit::of_parsing(&error).into();
        }
    };
    let exit = match start(cli) {
        Ok(exit) => exit,
        Err(error) => {
            let exit = Exit::of_error(&error);
            failure::tell(&error, exit);
            exit
        }
    };
    exit.into()
}

fn start(cli: Cli) -> anyhow::Result<Exit> {
    let is_service = matches!(cli.command, Command::Serve(_));
    let _log = match is_service {
        // It starts its own when its configuration is known.
        true => None,
        false => {
            let filter = cli.log.as_deref().unwrap_or(logs::UNASKED);
            Some(logs::start(Some(filter), cli.log_format.unwrap_or_default(), logs::Writing::AtOnce)?)
        }
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if !is_service {
        runtime.worker_threads(2);
    }
    let runtime = runtime.enable_all().build()?;
    let result = runtime.block_on(run(cli));
    // A thread may still sit in a read of standard input; it is not waited for.
    runtime.shutdown_background();
    result
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let file = cli.config;
    let log = LogWish { filter: cli.log, format: cli.log_format };
    match cli.command {
        Command::Ask(args) => interrupt::or(ask::run(args, file)).await,
        Command::Chat(args) => chat::run(args, file).await,
        // It ends what is under way by itself.
        Command::Batch(args) => batch::run(args, file).await,
        Command::Serve(args) => serve::run(args, file, log).await,
        Command::Status(args) => interrupt::or(status::run(args, file)).await,
        Command::Why(args) => interrupt::or(why::run(args, file)).await,
        Command::Costs(args) => interrupt::or(costs::run(args, file)).await,
        Command::Doctor(args) => interrupt::or(doctor::run(args, file)).await,
        Command::Demo(args) => interrupt::or(demo::run(args)).await,
        Command::Bench(args) => interrupt::or(bench::run(args, file)).await,
        Command::Replay(args) => interrupt::or(replay::run(args, file)).await,
        Command::Simulate(args) => interrupt::or(simulate::run(args, file)).await,
        Command::Strategy { command } => interrupt::or(strategy::run(command, file)).await,
        Command::Keys { command } => interrupt::or(keys::run(command, file)).await,
        Command::Config { command } => interrupt::or(config::run(command, file)).await,
    }
}
