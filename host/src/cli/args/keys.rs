//! `backstop keys ...`.

use std::time::Duration;

use backstop::types::NanoUsd;
use clap::{Args, Subcommand};

use super::ReportArgs;
use super::value::{dollars, label, lifetime};

const EXAMPLES: &str = "\
Examples:
  backstop keys create ci --route default --rpm 60       a key for one program, with a limit
  backstop keys create ops --admin --expires 30d         one that may see and change how the gateway does, for a month
  BACKSTOP_KEY=$(backstop keys create app)               the key alone is on standard output";

/// What to do with the gateway's keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and show it, this once.
    Create(CreateKeyArgs),
    /// List all keys and what they may do.
    List(ReportArgs),
    /// Revoke a key: within a second no gateway takes it any more.
    Revoke(KeyArgs),
    /// Revoke a key and make one that may do the same.
    Rotate(KeyArgs),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CreateKeyArgs {
    /// Whose it is, as logs and records are to call it.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// It may see and change how the gateway does (`/api`, `/metrics`), besides asking models.
    #[arg(long)]
    pub(crate) admin: bool,

    /// A route it may use; may be given several times [default: every route].
    #[arg(long = "route", value_name = "ROUTE")]
    pub(crate) routes: Vec<String>,

    /// Requests a minute, at each gateway.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rpm: Option<u32>,

    /// Tokens a minute, input and output together.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tpm: Option<u32>,

    /// Requests a day.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rpd: Option<u32>,

    /// Tokens a day, input and output together.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tpd: Option<u32>,

    /// How many of a minute's requests may come together, of `--rpm`; the others are spaced evenly [default: all].
    #[arg(long, value_name = "N", requires = "rpm", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) burst: Option<u32>,

    /// Requests at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrent: Option<u32>,

    /// Dollars that may be spent with it in one day, such as `5` or `0.50`.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub(crate) daily_usd: Option<NanoUsd>,

    /// Dollars that may be spent with it in one month.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub(crate) monthly_usd: Option<NanoUsd>,

    /// A label of each of its requests, such as `team=search`; may be given several times.
    #[arg(long = "label", value_name = "NAME=TEXT", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,

    /// How long it is good for, such as `30d` or `12h` [default: until it is revoked].
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<Duration>,

    /// JSON in place of the bare key.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The key's id or name, as `backstop keys list` shows it.
    #[arg(value_name = "ID|NAME")]
    pub(crate) which: String,

    /// JSON in place of text.
    #[arg(long)]
    pub(crate) json: bool,
}
