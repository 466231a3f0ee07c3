//! `backstop costs`.

use clap::{Args, Subcommand};
use url::Url;

#[derive(Debug, Args)]
pub(crate) struct CostsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CostsCommand>,

    /// Days up to today, in UTC.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,

    /// A running gateway to ask [default: the store of this machine].
    #[arg(long, value_name = "URL")]
    pub(crate) gateway: Option<Url>,

    /// JSON in place of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CostsCommand {
    /// Forget what was spent, at one provider or at all of them.
    Reset {
        /// The provider [default: all].
        provider: Option<String>,
    },
}
