//! `backstop chat`.

use clap::Args;

use super::{RetryArgs, WishArgs};

const NOTES: &str = "\
In the conversation:
  stats               the counts so far
  quit, exit, bye     leave (Ctrl-C and Ctrl-D do, too)

Lines may also come on standard input: printf 'Hello\\nquit\\n' | backstop chat";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct ChatArgs {
    /// Tell each attempt as it happens, on standard error.
    #[arg(long, short)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) wish: WishArgs,

    #[command(flatten)]
    pub(crate) retry: RetryArgs,
}
