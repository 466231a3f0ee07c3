//! `backstop ask`.

use clap::Args;

use super::{RetryArgs, WishArgs};

const EXAMPLES: &str = "\
Examples:
  backstop ask \"What is the capital of France?\"
  backstop ask -v --stats --max-attempts 2 \"Explain neural networks\"
  backstop ask --provider groq --model llama-3.1-8b-instant \"Write a haiku\"
  echo \"What is Rust?\" | backstop ask
  git diff | backstop ask \"Review this change:\" -
  backstop ask --purpose moderation --json \"Is this spam?\"
  backstop ask --strategy ./mine.wasm \"Who decides?\"";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AskArgs {
    /// The question; words are joined. `-` stands for standard input, which is also read where there is no word.
    #[arg(value_name = "QUESTION")]
    pub(crate) question: Vec<String>,

    /// Tell each attempt as it happens, on standard error.
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Show the counts afterwards, on standard error.
    #[arg(long)]
    pub(crate) stats: bool,

    /// One JSON object in place of the text: OpenAI's shape with `provider`, `usage` and `cost`; errors too.
    #[arg(long)]
    pub(crate) json: bool,

    /// Wait for the whole answer instead of showing it as it comes.
    #[arg(long)]
    pub(crate) no_stream: bool,

    #[command(flatten)]
    pub(crate) wish: WishArgs,

    #[command(flatten)]
    pub(crate) retry: RetryArgs,
}
