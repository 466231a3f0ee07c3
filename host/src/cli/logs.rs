//! Logs on standard error, for those who ask for them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use backstop::config::LogFormat;
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

/// Starts the log where a filter such as `info` or `backstop=debug` is given; without one there is none.
pub(crate) fn start(filter: Option<&str>, format: LogFormat) -> Result<(), UsageError> {
    let Some(filter) = filter.filter(|filter| !filter.trim().is_empty()) else { return Ok(()) };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| UsageError(format!("the log filter {filter:?} is not understood: {error}; try `info`")))?;
    let is_coloured = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    // A second subscriber can only be there already, and then it serves.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(is_coloured).with_writer(Lines::to_stderr).finish().try_init(),
        LogFormat::Json => {
            builder.json().flatten_event(true).with_ansi(false).with_writer(io::stderr).finish().try_init()
        }
    };
    Ok(())
}

/// Writes each event as one line, whatever is in it: text of clients and providers must not look like lines of ours.
struct Lines<W>(W);

impl Lines<io::Stderr> {
    fn to_stderr() -> Self {
        Self(io::stderr())
    }
}

impl<W: io::Write> io::Write for Lines<W> {
    /// Takes a whole event, which is what a subscriber writes at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(one_line(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The event with everything in it escaped that a terminal or a reader of lines would act on. Colours are the subscriber's own:
/// it escapes those of others.
fn one_line(event: &str) -> Cow<'_, str> {
    let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
    if !text.contains(acts) {
        return Cow::Borrowed(event);
    }
    let mut line = String::with_capacity(event.len() + 16);
    for letter in text.chars() {
        // Text can always be written.
        let _ = if acts(letter) { write!(line, "{}", letter.escape_default()) } else { line.write_char(letter) };
    }
    line.push_str(end);
    Cow::Owned(line)
}

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
        let mut written = Vec::new();

        for event in ["plain\n", "a\nINFO forged\r\n", "tab\tbell\u{7}\u{9b}2J\u{202e}\n"] {
            Lines(&mut written).write_all(event.as_bytes()).unwrap();
        }

        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, "plain\na\\nINFO forged\\r\ntab\\tbell\\u{7}\\u{9b}2J\\u{202e}\n");
    }

    #[test]
    fn leaves_colours_and_letters_alone() {
        let event = "\u{1b}[32mINFO\u{1b}[0m später 中文\n";

        assert_eq!(one_line(event), event);
    }
}
