//! The arguments, as they may be written.

mod value;
mod ask;
mod batch;
mod bench;
mod chat;
mod config;
mod costs;
mod keys;
mod replay;
mod report;
mod retry;
mod serve;
mod simulate;
mod strategy;
mod why;
mod wish;

use std::path::PathBuf;

use backstop::config::LogFormat;
use clap::{Parser, Subcommand};

pub(crate) use ask::AskArgs;
pub(crate) use batch::BatchArgs;
pub(crate) use bench::BenchArgs;
pub(crate) use chat::ChatArgs;
pub(crate) use config::{ConfigCommand, InitArgs};
pub(crate) use costs::{CostsArgs, CostsCommand, Format as CostsFormat};
pub(crate) use keys::{CreateKeyArgs, KeyArgs, KeysCommand};
pub(crate) use replay::ReplayArgs;
pub(crate) use report::{DemoArgs, DoctorArgs, ReportArgs};
pub(crate) use retry::RetryArgs;
pub(crate) use serve::ServeArgs;
pub(crate) use simulate::SimulateArgs;
pub(crate) use strategy::{
    BuildArgs, Language, LiveRouteArgs, NamedArgs, NewArgs, PinArgs, PromoteArgs, PullArgs, PushArgs, StrategyCommand,
};
pub(crate) use why::WhyArgs;
pub(crate) use wish::WishArgs;

const EXAMPLES: &str = "\
Examples:
  backstop demo                              three failing providers, five strategies, no key needed
  backstop config init --preset terminal     a commented backstop.toml to begin with
  backstop doctor                            which providers work, right now
  backstop serve                             an OpenAI-compatible endpoint on 127.0.0.1:7878
  backstop ask \"What is the capital of France?\"
  git diff | backstop ask \"Review this:\" -

Exit codes:
  0 answered   1 failed   2 usage or configuration   3 every provider failed   4 budget   130 Ctrl-C";

/// Answers an LLM request from whichever provider can, in the order a sandboxed WebAssembly strategy decides.
#[derive(Debug, Parser)]
#[command(
    name = "backstop",
    version,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 110,
    styles = super::paint::help_styles()
)]
pub(crate) struct Cli {
    /// Configuration file to read instead of looking for `backstop.toml`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Log filter, such as `info` or `backstop=debug`; logs go to standard error. Off where nothing is said.
    #[arg(long, global = true, value_name = "FILTER", env = "BACKSTOP_LOG", hide_env_values = true)]
    pub(crate) log: Option<String>,

    /// How lines of the log are written: `text` or `json` [default: the configuration's, else text].
    #[arg(long, global = true, value_name = "FORMAT", env = "BACKSTOP_LOG_FORMAT", hide_env_values = true,
          value_parser = value::log_format)]
    pub(crate) log_format: Option<LogFormat>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask one question.
    Ask(AskArgs),
    /// Talk: a conversation that survives failing providers.
    Chat(ChatArgs),
    /// Ask a file of questions, within a budget, and go on where an earlier run stopped.
    Batch(BatchArgs),
    /// Serve an endpoint in OpenAI's shape, for any program that speaks to one.
    Serve(ServeArgs),
    /// Show every provider's state and what is missing.
    Status(ReportArgs),
    /// Tell the whole story of a request: who might have been asked, what was decided and why, what came of it.
    Why(WhyArgs),
    /// Show what was spent, by day, provider and model.
    Costs(CostsArgs),
    /// Ask every usable target a tiny question and show that failures are noticed.
    Doctor(DoctorArgs),
    /// Watch the five strategies get around failing providers; needs no key.
    Demo(DemoArgs),
    /// Put a small load on the configuration and measure: pace, percentiles, fail-overs, cost.
    Bench(BenchArgs),
    /// Ask a strategy what it would have decided, of a recording of decisions.
    Replay(ReplayArgs),
    /// Try strategies on a virtual clock, against providers that behave as a scenario says.
    Simulate(SimulateArgs),
    /// List, inspect, check, build, promote and pin strategies.
    Strategy {
        #[command(subcommand)]
        command: StrategyCommand,
    },
    /// Make, list and revoke the gateway's own keys.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Write, check and show the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn takes_every_flag_of_the_terminal_tool() {
        let line = "backstop ask why --max-tokens 10 --provider groq --max-attempts 3 --base-delay 0.5 \
                    --max-delay 8 --disable-jitter -v --stats";

        let Command::Ask(args) = parse(line).unwrap().command else { panic!("not ask") };

        assert_eq!(args.question, ["why"]);
        assert_eq!(args.wish.max_tokens, Some(10));
        assert_eq!(args.wish.provider.as_deref(), Some("groq"));
        assert_eq!(args.retry.max_attempts, Some(3));
        assert_eq!(args.retry.base_delay, Some(std::time::Duration::from_millis(500)));
        assert_eq!(args.retry.max_delay, Some(std::time::Duration::from_secs(8)));
        assert!(args.retry.disable_jitter && args.verbose && args.stats);
    }

    #[test]
    fn takes_the_configuration_file_before_and_behind_the_command() {
        for line in ["backstop --config a.toml status", "backstop status --config a.toml"] {
            assert_eq!(parse(line).unwrap().config, Some("a.toml".into()), "{line}");
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for line in [
            "backstop",
            "backstop ask --wat x",
            "backstop ask x --base-delay -1",
            "backstop ask x --base-delay nan",
            "backstop ask x --max-attempts 0",
            "backstop ask x --max-tokens 0",
            "backstop ask x --deadline soon",
            "backstop ask x --route a --model b",
            "backstop status --config a --config b",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
