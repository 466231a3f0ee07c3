//! `backstop simulate`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  backstop simulate --list                                   the scenarios that are built in
  backstop simulate primary-outage                           the strategies it names, side by side
  backstop simulate brown-out --strategy smart --strategy ./mine.wasm --html report.html
  backstop simulate --show primary-outage > scenario.toml    one to start from, every key explained
  backstop simulate scenario.toml --seed 7 --json

Nothing is asked and nothing is paid: time is virtual, and so are the providers. The same seed gives the same result.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SimulateArgs {
    /// A scenario's file, or the name of one that is built in.
    #[arg(value_name = "SCENARIO", required_unless_present_any = ["list", "show"])]
    pub(crate) scenario: Option<String>,

    /// A strategy to try, again for each: built in, a path to a .wasm, an oci:// reference, or a name from the scenario's [strategies]
    /// [default: those, else all that are built in].
    #[arg(long = "strategy", value_name = "STRATEGY")]
    pub(crate) strategies: Vec<String>,

    /// Where all randomness comes from [default: the scenario's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=9_223_372_036_854_775_807))]
    pub(crate) seed: Option<u64>,

    /// Strategies simulated at once; the results are the same [default: one for each processor].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// One JSON object in place of the table, with everything over time.
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page with charts over the scenario's time as well: one file, which needs no network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// List the scenarios that are built in.
    #[arg(long, conflicts_with_all = ["scenario", "show", "html", "strategies", "seed"])]
    pub(crate) list: bool,

    /// Print one that is built in, to begin with.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scenario", "html", "strategies", "seed", "json"])]
    pub(crate) show: Option<String>,
}
