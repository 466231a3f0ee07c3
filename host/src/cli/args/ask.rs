//! `backstop ask`.

use std::path::PathBuf;

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
  backstop ask --strategy ./mine.wasm \"Who decides?\"
  backstop ask --estimate \"How much is this?\"    (tokens and costs at each target; sends nothing)
  backstop ask --request body.json            (tools, images, streams: any chat-completions body)";

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

    /// Tell what it would come to at each target, and who would be asked first; nothing is sent.
    #[arg(long, conflicts_with_all = ["stats", "verbose", "no_stream"])]
    pub(crate) estimate: bool,

    /// Wait for the whole answer instead of showing it as it comes.
    #[arg(long)]
    pub(crate) no_stream: bool,

    /// Send this file (`-`: standard input) as it is: the body of an OpenAI chat-completions request. The reply comes as the
    /// gateway would give it: JSON, or an event stream where the body says `"stream": true`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["question", "system", "no_stream"])]
    pub(crate) request: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) wish: WishArgs,

    #[command(flatten)]
    pub(crate) retry: RetryArgs,
}
