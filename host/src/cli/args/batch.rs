//! `backstop batch`.

use std::path::PathBuf;
use std::time::Duration;

use backstop::types::NanoUsd;
use clap::Args;

use super::{RetryArgs, WishArgs, value};

const EXAMPLES: &str = "\
Examples:
  backstop batch questions.jsonl -o answers.jsonl
  backstop batch questions.txt --max-cost 5.00 --concurrency 16
  backstop batch openai-batch.jsonl -o out.jsonl --ordered --json
  cat questions.txt | backstop batch - --provider groq

A line is a JSON string, an object with \"prompt\", the body of a chat-completions request, or a line of OpenAI's batch input; a file without
any JSON has one question a line. Beside the answers a journal is kept (answers.jsonl.journal), so that the same command goes on after a
Ctrl-C, a crash or a budget's end: what was answered is never asked again, what failed is, and what was under way when the process died,
and may have been paid for, only with --retry-uncertain.

Exit codes:
  0 all answered   1 some failed   2 usage, a bad line or a changed file   3 every provider failed   4 budget   130 Ctrl-C";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BatchArgs {
    /// The questions, one in a line. `-` stands for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) questions: PathBuf,

    /// Where the answers go, one line for each as it is here; `-` is standard output, which nothing can be resumed from
    /// [default: FILE.answers.jsonl; for standard input, standard output].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Questions under way at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value::at_once)]
    pub(crate) concurrency: u32,

    /// Stop before the whole batch could cost more than so many US dollars, earlier runs of it included.
    #[arg(long, value_name = "USD", value_parser = value::dollars)]
    pub(crate) max_cost: Option<NanoUsd>,

    /// How long nobody may answer before the batch stops: until then it waits for providers that are all down or at rest.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = value::length)]
    pub(crate) patience: Duration,

    /// Every line is a question as it stands, whatever it looks like.
    #[arg(long)]
    pub(crate) text: bool,

    /// Put the answers into the order of the questions at the end.
    #[arg(long)]
    pub(crate) ordered: bool,

    /// Leave out the lines that cannot be asked, instead of asking nothing.
    #[arg(long)]
    pub(crate) skip_bad: bool,

    /// Leave what failed in an earlier run as it is, instead of asking again.
    #[arg(long)]
    pub(crate) keep_failed: bool,

    /// Ask again what was under way when an earlier run died, though it may have been paid for.
    #[arg(long)]
    pub(crate) retry_uncertain: bool,

    /// The summary as one JSON object; errors too.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) wish: WishArgs,

    #[command(flatten)]
    pub(crate) retry: RetryArgs,
}
