//! Logs on standard error, for those who ask for them.

use std::borrow::Cow;
use std::fmt;
use std::io;

use backstop::config::LogFormat;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::util::SubscriberInitExt;

use super::exit::UsageError;
use super::log_lines::LogLines;

/// What is told to those who asked for no log: that a strategy is not the one its registry has now.
pub(crate) const UNASKED: &str = "backstop::strategy::registry=warn";

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
    _behind: Option<LogLines>,
}

/// Starts the log where a filter such as `info` or `backstop=debug` is given; without one there is none.
pub(crate) fn start(filter: Option<&str>, format: LogFormat, writing: Writing) -> Result<Started, UsageError> {
    match writing {
        Writing::AtOnce => start_with(filter, format, io::stderr).map(|()| Started { _behind: None }),
        Writing::Behind => {
            let log = LogLines::start(io::stderr())
                .map_err(|error| UsageError(format!("the log cannot be written: {error}")))?;
            let writer = log.writer();
            start_with(filter, format, move || writer.clone()).map(|()| Started { _behind: Some(log) })
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
    let form = match format {
        LogFormat::Text if is_coloured => Form::Coloured,
        LogFormat::Text => Form::Plain,
        LogFormat::Json => Form::Json,
    };
    let lines = move || Lines { inner: writer(), form };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_coloured).with_writer(lines);
    // A second subscriber can only be there already, and then it serves.
    let _ = match form {
        Form::Coloured => builder.finish().try_init(),
        // The same line without the work of colouring nothing.
        Form::Plain => builder.fmt_fields(debug_fn(plain).delimited(" ")).finish().try_init(),
        Form::Json => builder.json().flatten_event(true).with_ansi(false).finish().try_init(),
    };
    Ok(())
}

fn plain(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(writer, "{value:?}"),
        name => write!(writer, "{name}={value:?}"),
    }
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text in colours. They are the subscriber's own: it escapes those of others.
    Coloured,
    Plain,
    Json,
}

impl Form {
    /// Whether a terminal or a reader of lines acts on a letter.
    fn acts(self, letter: char) -> bool {
        match letter {
            '\u{1b}' => self != Self::Coloured,
            // Line ends of Unicode's own, and what turns the direction of a line.
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
            letter => letter.is_control(),
        }
    }

    /// Such a letter as it is written.
    fn escaped(self, letter: char) -> String {
        match self {
            Self::Coloured | Self::Plain => letter.escape_default().to_string(),
            // It stands within a string, where JSON has it as it is; all of them have four digits.
            Self::Json => format!("\\u{:04x}", u32::from(letter)),
        }
    }

    fn one_line(self, event: &str) -> Cow<'_, str> {
        let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
        if !text.contains(|letter| self.acts(letter)) {
            return Cow::Borrowed(event);
        }
        let mut line = String::with_capacity(event.len() + 16);
        for letter in text.chars() {
            match self.acts(letter) {
                true => line.push_str(&self.escaped(letter)),
                false => line.push(letter),
            }
        }
        line.push_str(end);
        Cow::Owned(line)
    }
}

/// Writes each event as one line, whatever is in it: text of clients and providers must not look like lines of ours.
struct Lines<W> {
    inner: W,
    form: Form,
}

impl<W: io::Write> io::Write for Lines<W> {
    /// Takes a whole event, which is what a subscriber writes at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
        match event.strip_suffix(b"\n").unwrap_or(event).iter().all(is_plain) {
            true => self.inner.write_all(event)?,
            false => self.inner.write_all(self.form.one_line(&String::from_utf8_lossy(event)).as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn makes_one_line_of_every_event() {
        let written = |form, events: &[&str]| {
            let mut lines = Lines { inner: Vec::new(), form };
            events.iter().for_each(|event| lines.write_all(event.as_bytes()).unwrap());
            String::from_utf8(lines.inner).unwrap()
        };

        let text =
            written(Form::Plain, &["plain\n", "a\nINFO forged\r\n", "tab\tbell\u{7}\u{9b}2J\u{202e}\u{1b}[2J\n"]);
        let json = written(Form::Json, &["{\"a\":\"b\u{85}c\u{2028}\"}\n"]);

        assert_eq!(text, "plain\na\\nINFO forged\\r\ntab\\tbell\\u{7}\\u{9b}2J\\u{202e}\\u{1b}[2J\n");
        assert_eq!(json, "{\"a\":\"b\\u0085c\\u2028\"}\n");
    }

    #[test]
    fn leaves_colours_and_letters_alone() {
        let event = "\u{1b}[32mINFO\u{1b}[0m später 中文\n";

        assert_eq!(Form::Coloured.one_line(event), event);
    }
}
