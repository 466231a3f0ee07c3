//! Replays recorded exchanges through a socket and the real binary, and prints what came of them.

use std::path::PathBuf;
use std::process::ExitCode;

use backstop_tests::replay::{self, Choice, Exchange};

const USAGE: &str = "usage: replay FOLDER [--provider NAME] [--id ID] [--verbose]";

#[tokio::main]
async fn main() -> ExitCode {
    let (folder, choice, verbose) = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprintln!("{fault}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let exchanges = match Exchange::read_folder(&folder) {
        Ok(exchanges) => exchanges.into_iter().filter(|exchange| choice.includes(exchange)).collect(),
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(2);
        }
    };
    let table = replay::run(exchanges).await;
    println!("{table}");
    if verbose {
        println!("{}", table.every_exchange());
    }
    if table.unexplained().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<(PathBuf, Choice, bool), String> {
    let (mut folder, mut choice, mut verbose) = (None, Choice::default(), false);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(format!("{argument} lacks its value"));
        match argument.as_str() {
            "--provider" => choice.provider = Some(value()?),
            "--id" => choice.id = Some(value()?),
            "--verbose" => verbose = true,
            _ if argument.starts_with('-') => return Err(format!("no such flag: {argument}")),
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    Ok((folder.ok_or("no folder is named")?, choice, verbose))
}
