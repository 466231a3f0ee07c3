//! The user's lines: edited at a terminal, or simply read where there is none.

use std::io::{self, BufRead, IsTerminal, Read};

use anyhow::bail;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

/// The longest line that is read, in bytes.
const LONGEST: u64 = 10 * 1_000 * 1_000;

const PROMPT: &str = "\nYou: ";

/// Where lines come from.
pub(crate) enum Lines {
    /// A terminal, with history and editing.
    Edited(Box<DefaultEditor>),
    /// A file or a pipe.
    Plain,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its end.
    Said(String),
    /// The end: of the input, or by Ctrl-C or Ctrl-D.
    End,
}

impl Lines {
    /// Looks at standard input.
    pub(crate) fn open() -> anyhow::Result<Self> {
        if io::stdin().is_terminal() { Ok(Self::Edited(Box::new(DefaultEditor::new()?))) } else { Ok(Self::Plain) }
    }

    /// Waits for the next line on a thread of its own and comes back with it.
    pub(crate) async fn next(self) -> anyhow::Result<(Self, Line)> {
        tokio::task::spawn_blocking(move || self.read()).await?
    }

    fn read(mut self) -> anyhow::Result<(Self, Line)> {
        let line = match &mut self {
            Self::Plain => read_plain(&mut io::stdin().lock())?,
            Self::Edited(editor) => match editor.readline(PROMPT) {
                Ok(line) => {
                    // A history that cannot be kept is no reason not to answer.
                    let _ = editor.add_history_entry(&line);
                    Line::Said(line)
                }
                Err(ReadlineError::Interrupted | ReadlineError::Eof) => Line::End,
                Err(error) => bail!("the terminal cannot be read: {error}"),
            },
        };
        Ok((self, line))
    }
}

fn read_plain(input: &mut impl BufRead) -> anyhow::Result<Line> {
    let mut bytes = Vec::new();
    let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read == LONGEST) {
        bail!("a line on standard input is longer than 10 MB");
    }
    if bytes.is_empty() { Ok(Line::End) } else { Ok(Line::Said(String::from_utf8_lossy(&bytes).trim_end().to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_line_by_line_to_the_end() {
        let mut input: &[u8] = b"Hello\r\n\nbye";

        let lines: Vec<Line> = (0..4).map(|_| read_plain(&mut input).unwrap()).collect();

        let said = |line: &str| Line::Said(line.to_owned());
        assert_eq!(lines, [said("Hello"), said(""), said("bye"), Line::End]);
    }

    #[test]
    fn refuses_a_line_without_end() {
        let mut input = io::BufReader::new(io::repeat(b'a'));

        assert!(read_plain(&mut input).is_err());
    }
}
