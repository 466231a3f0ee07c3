//! How often and after which waits a model is asked again.

use std::time::Duration;

use clap::Args;

use super::value;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Trying again")]
pub(crate) struct RetryArgs {
    /// Attempts for each model [default: 5, unless the configuration says otherwise].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) max_attempts: Option<u32>,

    /// Seconds before the first repetition; doubled each time [default: 2.0].
    #[arg(long, value_name = "SECONDS", value_parser = value::seconds, allow_negative_numbers = true)]
    pub(crate) base_delay: Option<Duration>,

    /// Seconds that no wait exceeds [default: 60.0].
    #[arg(long, value_name = "SECONDS", value_parser = value::seconds, allow_negative_numbers = true)]
    pub(crate) max_delay: Option<Duration>,

    /// Wait exactly as long as computed, instead of 80 to 100 % of it.
    #[arg(long)]
    pub(crate) disable_jitter: bool,
}
