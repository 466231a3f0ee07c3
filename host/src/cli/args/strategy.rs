//! `backstop strategy ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ReportArgs;

/// What to do with strategies.
#[derive(Debug, Subcommand)]
pub(crate) enum StrategyCommand {
    /// List the built-in strategies and those the configuration names.
    List(ReportArgs),
    /// Show what a strategy says of itself, its options, and what is inside.
    Inspect(NamedArgs),
    /// Load a strategy and put it through a battery of situations.
    Check(NamedArgs),
    /// Build a Rust guest crate into a component, and check it.
    Build(BuildArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// A built-in name (`smart`, `cost`, `quality`, `round-robin`, `fail-fast`) or the path of a `.wasm`.
    #[arg(value_name = "NAME|PATH")]
    pub(crate) strategy: String,

    /// JSON in place of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Folder of the crate.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Where the component goes [default: NAME.wasm beside the crate's Cargo.toml].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
