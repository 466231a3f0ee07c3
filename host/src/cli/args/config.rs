//! `backstop config ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ReportArgs;

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a commented configuration to begin with.
    Init(InitArgs),
    /// List every problem of the configuration.
    Check(ReportArgs),
    /// Show the configuration in effect, each value with its origin, keys masked.
    Show(ReportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// System it behaves as: document-chat, pipeline, terminal, task-bot or community-bot [default: a general one].
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,

    /// Where to write it; a file that is there is left alone, and `-` is standard output.
    #[arg(long, short, value_name = "PATH", default_value = "backstop.toml")]
    pub(crate) output: PathBuf,
}
