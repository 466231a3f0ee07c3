//! `backstop bench`.

use clap::Args;

use super::{RetryArgs, WishArgs, value};

const EXAMPLES: &str = "\
Examples:
  backstop bench --scripted                          two providers of its own on loopback, one of which fails now and then
  backstop bench --requests 20 --stream --provider groq
  backstop bench --requests 1000 --concurrency 50 --route fast --json

Without --scripted it asks the configured providers, which costs what it costs.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// What every request asks.
    #[arg(value_name = "QUESTION", default_value = "Say hello.")]
    pub(crate) question: String,

    /// Requests in all.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) requests: u32,

    /// Requests under way at once.
    #[arg(long, value_name = "C", default_value_t = 10, value_parser = value::at_once)]
    pub(crate) concurrency: u32,

    /// Have answers come as streams, and measure the time to their first token.
    #[arg(long)]
    pub(crate) stream: bool,

    /// Ask providers of its own on loopback in place of the configured ones: what Backstop itself takes.
    #[arg(long)]
    pub(crate) scripted: bool,

    /// One JSON object in place of the text.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) wish: WishArgs,

    #[command(flatten)]
    pub(crate) retry: RetryArgs,
}
