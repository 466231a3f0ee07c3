//! `backstop chat`: a conversation that survives failing providers, and a failing turn.

use std::io::Write;
use std::path::PathBuf;

use backstop::client::Backstop;
use backstop::types::ChatRequest;

use super::args::ChatArgs;
use super::exit::{Exit, is_closed_pipe};
use super::lines::{Line, Lines};
use super::paint::{Tone, paint};
use super::retries::Unsaid;
use super::{aside, ask, failure, interrupt, request, setup};

const GREETING: &str = "Backstop chat. `stats` shows the counts; `quit`, `exit`, `bye`, Ctrl-C or Ctrl-D leave.";
const GOODBYE: &str = "Goodbye!";

/// What a line of the user means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Input {
    Nothing,
    Stats,
    Leave,
    Say(String),
}

/// One conversation.
struct Conversation {
    backstop: Backstop,
    /// The flags applied, the system message, and every turn that was answered.
    history: ChatRequest,
    verbose: bool,
}

/// Talks until the user leaves.
pub(crate) async fn run(args: ChatArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let ready = setup::ready(file, &args.wish, &args.retry, Unsaid::Configured, setup::Reader::Person).await?;
    aside::tell(&ready.notes);
    let history = request::request(&args.wish);
    let mut talk = Conversation { backstop: ready.backstop, history, verbose: args.verbose };
    say(&paint(Tone::Faint, GREETING))?;
    let lines = Lines::open()?;
    tokio::select! {
        ended = talk.go_on(lines) => ended?,
        () = interrupt::pressed() => say("")?,
    }
    say(GOODBYE)?;
    Ok(Exit::Done)
}

impl Conversation {
    async fn go_on(&mut self, mut lines: Lines) -> anyhow::Result<()> {
        loop {
            let (returned, line) = lines.next().await?;
            lines = returned;
            let Line::Said(line) = line else { return Ok(()) };
            match Input::read(&line) {
                Input::Nothing => {}
                Input::Leave => return Ok(()),
                Input::Stats => {
                    let stats = serde_json::to_value(self.backstop.stats())?;
                    say(&ask::stats_lines(&stats).join("\n"))?;
                }
                Input::Say(text) => self.turn(&text).await?,
            }
        }
    }

    /// One question and its answer. A turn that fails is told and forgotten: the next one does not carry it along.
    async fn turn(&mut self, text: &str) -> anyhow::Result<()> {
        let asked = self.history.clone().with_message("user", text);
        match ask::stream_to_stdout(&self.backstop, asked.clone(), aside::observer(self.verbose)).await {
            Ok(shown) => {
                aside::conclude(self.verbose, &shown.summary);
                if shown.summary.target.is_some() {
                    self.history = asked.with_message("assistant", &shown.text);
                }
                Ok(())
            }
            Err(error) if is_closed_pipe(&error) => Err(error),
            Err(error) => {
                failure::tell(&error, Exit::of_error(&error));
                Ok(())
            }
        }
    }
}

impl Input {
    fn read(line: &str) -> Self {
        let line = line.trim();
        match line.to_lowercase().as_str() {
            "" => Self::Nothing,
            "stats" => Self::Stats,
            "quit" | "exit" | "bye" => Self::Leave,
            _ => Self::Say(line.to_owned()),
        }
    }
}

fn say(text: &str) -> std::io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_its_few_words_in_any_case() {
        for word in ["quit", "exit", "bye", " BYE "] {
            assert_eq!(Input::read(word), Input::Leave, "{word}");
        }
        assert_eq!(Input::read("Stats\n"), Input::Stats);
        assert_eq!(Input::read("  \n"), Input::Nothing);
    }

    #[test]
    fn passes_everything_else_on() {
        assert_eq!(Input::read(" quit smoking? \n"), Input::Say("quit smoking?".to_owned()));
    }
}
