//! Logs on standard error, for those who ask for them.

use std::borrow::Cow;
use std::io::{self, BufWriter};

use backstop::config::LogFormat;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::exit::UsageError;

/// What is asked of the log on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogWish {
    /// Such as `info` or `backstop=debug`.
    pub(crate) filter: Option<String>,
    pub(crate) format: Option<LogFormat>,
}

/// How lines get to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Each at once, in order with what else is written there.
    AtOnce,
    /// Several together, by a thread of its own: a service's requests do not wait for whoever reads its log.
    Behind,
}

/// Held for its drop, which writes what is still to be written.
#[must_use]
pub(crate) struct Started {
    _behind: Option<WorkerGuard>,
}

/// Starts the log where a filter such as `info` or `backstop=debug` is given; without one there is none.
pub(crate) fn start(filter: Option<&str>, format: LogFormat, writing: Writing) -> Result<Started, UsageError> {
    match writing {
        Writing::AtOnce => start_with(filter, format, io::stderr).map(|()| Started { _behind: None }),
        Writing::Behind => {
            let (lines, guard) = tracing_appender::non_blocking(BufWriter::new(io::stderr()));
            start_with(filter, format, move || lines.clone()).map(|()| Started { _behind: Some(guard) })
        }
    }
}

fn start_with<W: io::Write + 'static>(
    filter: Option<&str>,
    format: LogFormat,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Result<(), UsageError> {
    let Some(filter) = filter.filter(|filter| !filter.trim().is_empty()) else { return Ok(()) };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| UsageError(format!("the log filter {filter:?} is not understood: {error}; try `info`")))?;
    let is_coloured = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    // A second subscriber can only be there already, and then it serves.
    let _ = match format {
        LogFormat::Text => {
            let builder = builder.with_ansi(is_coloured);
            builder.with_writer(move || Lines { inner: writer(), escaped: as_text }).finish().try_init()
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_ansi(false);
            builder.with_writer(move || Lines { inner: writer(), escaped: as_json }).finish().try_init()
        }
    };
    Ok(())
}

/// Writes each event as one line, whatever is in it: text of clients and providers must not look like lines of ours.
struct Lines<W> {
    inner: W,
    /// How a letter is written that a terminal or a reader of lines would act on.
    escaped: fn(char) -> String,
}

impl<W: io::Write> io::Write for Lines<W> {
    /// Takes a whole event, which is what a subscriber writes at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.inner.write_all(one_line(&String::from_utf8_lossy(event), self.escaped).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn one_line(event: &str, escaped: fn(char) -> String) -> Cow<'_, str> {
    let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
    if !text.contains(acts) {
        return Cow::Borrowed(event);
    }
    let mut line = String::with_capacity(event.len() + 16);
    for letter in text.chars() {
        match acts(letter) {
            true => line.push_str(&escaped(letter)),
            false => line.push(letter),
        }
    }
    line.push_str(end);
    Cow::Owned(line)
}

fn as_text(letter: char) -> String {
    letter.escape_default().to_string()
}

/// Such a letter stands within a string, where JSON has it as it is; all of them have four digits.
fn as_json(letter: char) -> String {
    format!("\\u{:04x}", u32::from(letter))
}

/// Whether a terminal or a reader of lines acts on a letter. Colours are the subscriber's own: it escapes those of others.
fn acts(letter: char) -> bool {
    match letter {
        '\u{1b}' => false,
        // Line ends of Unicode's own, and what turns the direction of a line.
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        letter => letter.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn makes_one_line_of_every_event() {
        let written = |escaped, events: &[&str]| {
            let mut lines = Lines { inner: Vec::new(), escaped };
            events.iter().for_each(|event| lines.write_all(event.as_bytes()).unwrap());
            String::from_utf8(lines.inner).unwrap()
        };

        let text = written(as_text, &["plain\n", "a\nINFO forged\r\n", "tab\tbell\u{7}\u{9b}2J\u{202e}\n"]);
        let json = written(as_json, &["{\"a\":\"b\u{85}c\u{2028}\"}\n"]);

        assert_eq!(text, "plain\na\\nINFO forged\\r\ntab\\tbell\\u{7}\\u{9b}2J\\u{202e}\n");
        assert_eq!(json, "{\"a\":\"b\\u0085c\\u2028\"}\n");
    }

    #[test]
    fn leaves_colours_and_letters_alone() {
        let event = "\u{1b}[32mINFO\u{1b}[0m später 中文\n";

        assert_eq!(one_line(event, as_text), event);
    }
}
