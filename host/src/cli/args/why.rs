//! `backstop why`.

use clap::Args;
use url::Url;

const EXAMPLES: &str = "\
Examples:
  backstop why                               the latest request
  backstop why bs-0af…                       the one with this name: the header x-backstop-request-id has it
  backstop why --list                        the latest requests, a line each
  backstop why --failed                      the latest one that nobody answered

A gateway that knows keys is asked with the one in BACKSTOP_ADMIN_KEY.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhyArgs {
    /// Which request [default: the latest].
    #[arg(value_name = "ID", conflicts_with_all = ["list", "failed"])]
    pub(crate) id: Option<String>,

    /// The latest requests, a line each.
    #[arg(long)]
    pub(crate) list: bool,

    /// The latest request that nobody answered; with `--list`, all of them.
    #[arg(long)]
    pub(crate) failed: bool,

    /// How many `--list` shows.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) most: u32,

    /// A running gateway to ask [default: the store of this machine, else the gateway of the configuration's address].
    #[arg(long, value_name = "URL")]
    pub(crate) gateway: Option<Url>,

    /// JSON in place of a story.
    #[arg(long)]
    pub(crate) json: bool,
}
