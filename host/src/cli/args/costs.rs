//! `backstop costs`.

use backstop::accounting::ledger::CostsBy;
use clap::{Args, Subcommand, ValueEnum};
use url::Url;

const EXAMPLES: &str = "\
Examples:
  backstop costs                                  by day, provider and model
  backstop costs --by key --days 7                who spent what this week
  backstop costs export --format jsonl > costs    every entry of the ledger
  backstop costs reset openai                     counts openai's costs anew from now on; entries and budgets stay";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CostsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CostsCommand>,

    /// What to add up by, in place of day, provider and model.
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<By>,

    /// Days up to today, in the budgets' time zone.
    #[arg(long, value_name = "N", default_value_t = 30, global = true, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,

    /// A running gateway to ask [default: the store of this machine].
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) gateway: Option<Url>,

    /// JSON in place of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CostsCommand {
    /// Count costs anew from now on, at one provider or at all of them. What was entered stays, and budgets go on counting.
    Reset {
        /// The provider [default: all].
        provider: Option<String>,
    },
    /// Write every entry of the ledger to standard output.
    Export {
        /// How.
        #[arg(long, value_name = "FORMAT", default_value = "csv")]
        format: Format,
    },
}

/// What costs are added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Provider,
    Model,
    Key,
    Route,
    Label,
    Day,
}

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line of headings, and a line for each.
    Csv,
    /// A JSON object in a line for each.
    Jsonl,
}

impl From<By> for CostsBy {
    fn from(by: By) -> Self {
        match by {
            By::Provider => Self::Provider,
            By::Model => Self::Model,
            By::Key => Self::Key,
            By::Route => Self::Route,
            By::Label => Self::Label,
            By::Day => Self::Day,
        }
    }
}
