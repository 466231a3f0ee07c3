//! Values of flags that need more than the parser's own types.

use std::time::Duration;

use backstop::config::LogFormat;
use backstop::types::NanoUsd;
use jiff::SignedDuration;
use serde_json::{Map, Value};

/// The longest wait that can be asked for: an hour.
const LONGEST_DELAY: f64 = 3_600.0;

/// Reads seconds, such as `2.0`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds, such as 2.0".to_owned())?;
    if !(0.0..=LONGEST_DELAY).contains(&seconds) {
        return Err("must be from 0 to 3600 seconds".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Reads how many requests may be under way at once.
pub(super) fn at_once(text: &str) -> Result<u32, String> {
    let number: Option<u32> = text.parse().ok();
    number
        .filter(|number| (1..=1_000).contains(number))
        .ok_or_else(|| "must be a whole number from 1 to 1000".to_owned())
}

/// Reads a length with its unit, such as `30s` or `2m`.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let length: SignedDuration = text.parse().map_err(|_| "not a length of time, such as 30s or 2m".to_owned())?;
    match Duration::try_from(length) {
        Ok(length) if !length.is_zero() => Ok(length),
        Ok(_) | Err(_) => Err("must be longer than nothing".to_owned()),
    }
}

/// Reads a length that may be given in days, such as `30d`.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()).filter(|days| *days > 0);
    match days {
        Some(days) => Ok(Duration::from_secs(u64::from(days) * 24 * 3_600)),
        None => length(text).map_err(|_| "not a length of time, such as 30d or 12h".to_owned()),
    }
}

/// Reads dollars that may be spent, such as `5` or `0.50`.
pub(super) fn dollars(text: &str) -> Result<NanoUsd, String> {
    match text.strip_prefix('$').unwrap_or(text).parse::<NanoUsd>() {
        Ok(NanoUsd::ZERO) => Err("must be more than nothing".to_owned()),
        Ok(dollars) => Ok(dollars),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a label, such as `team=search`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, text)) if !name.is_empty() => Ok((name.to_owned(), text.to_owned())),
        _ => Err("a label is a name and a text, such as team=search".to_owned()),
    }
}

/// Reads the options of a strategy.
pub(super) fn options(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON object, such as {{\"patience\": \"2s\"}}: {error}"))
}

/// Reads how a log's lines are to be written.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    let known = LogFormat::ALL.into_iter().find(|format| format.name() == text);
    known.ok_or_else(|| "must be text or json".to_owned())
}

/// Reads a temperature.
pub(super) fn temperature(text: &str) -> Result<f64, String> {
    let temperature: f64 = text.parse().map_err(|_| "not a number, such as 0.7".to_owned())?;
    if (0.0..=2.0).contains(&temperature) { Ok(temperature) } else { Err("must be from 0 to 2".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds() {
        assert_eq!(seconds("2.0"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds("0.01"), Ok(Duration::from_millis(10)));
        for text in ["-1", "NaN", "inf", "1e9", "2s", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_lengths() {
        assert_eq!(length("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(length("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(length("250ms"), Ok(Duration::from_millis(250)));
        for text in ["0s", "-5s", "5", "soon", ""] {
            assert!(length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_lifetimes() {
        assert_eq!(lifetime("30d"), Ok(Duration::from_secs(30 * 24 * 3_600)));
        assert_eq!(lifetime("12h"), Ok(Duration::from_secs(12 * 3_600)));
        for text in ["0d", "d", "-1d", "1.5d", "soon", "4294967296d"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_labels() {
        assert_eq!(label("team=a=b"), Ok(("team".to_owned(), "a=b".to_owned())));
        for text in ["team", "=a", ""] {
            assert!(label(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_dollars() {
        assert_eq!(dollars("5.00"), Ok(NanoUsd::from_nanos(5_000_000_000)));
        assert_eq!(dollars("$0.01"), Ok(NanoUsd::from_nanos(10_000_000)));
        for text in ["", "-1", "5,00", "five", "1e3"] {
            assert!(dollars(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_temperatures() {
        assert_eq!(temperature("0.7"), Ok(0.7));
        for text in ["-0.1", "2.1", "NaN", "warm"] {
            assert!(temperature(text).is_err(), "{text}");
        }
    }
}
