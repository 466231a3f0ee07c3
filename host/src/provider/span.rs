//! Lengths of time in the spellings of providers: `7.66s`, `6m0s`, `224ms`, `9 seconds`, `48`.

use std::time::Duration;

/// No wait beyond a year is taken at its word.
const LONGEST: f64 = 366.0 * 86_400.0;

/// A number of seconds as a length, at most a year; `None` where it is negative or no number.
pub(super) fn from_seconds(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST)))
}

/// A whole text as a length; a bare number means seconds.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) => from_seconds(seconds),
        Err(_) => {
            let (length, rest) = leading(text)?;
            rest.trim().is_empty().then_some(length)
        }
    }
}

/// The length a text begins with, and what comes after it; every number needs its unit.
pub(super) fn leading(text: &str) -> Option<(Duration, &str)> {
    let mut rest = text;
    let mut seconds = 0.0;
    let mut found = false;
    while let Some((number, after_number)) = number(rest) {
        let Some((unit, after_unit)) = unit(after_number.trim_start()) else { break };
        seconds += number * unit;
        rest = after_unit;
        found = true;
    }
    found.then_some(())?;
    Some((from_seconds(seconds)?, rest))
}

fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.trim_end_matches('.').parse().ok()?, rest))
}

fn unit(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|letter: char| !letter.is_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let seconds = match word.to_lowercase().as_str() {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" | "msec" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    };
    Some((seconds, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_spellings_of_providers() {
        for (text, seconds) in [
            ("12m57.599999999s", 777.6),
            ("224.999999ms", 0.225),
            ("6m0s", 360.0),
            ("1h2m3s", 3_723.0),
            ("0s", 0.0),
            ("7.66s", 7.66),
            ("9 seconds", 9.0),
            ("5 minutes", 300.0),
            ("3560.986279964447", 3_560.986),
            (" 48 ", 48.0),
        ] {
            let read = parse(text).unwrap().as_secs_f64();
            assert!((read - seconds).abs() < 0.001, "{text}: {read}");
        }
    }

    #[test]
    fn reads_no_length_where_there_is_none() {
        for text in ["", "-1", "-5s", "soon", "NaN", "5 apples", "s", "1.2.3s", "5s later"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn believes_no_more_than_a_year() {
        for text in ["1e12", "1e300", "inf", "99999999999999999999h"] {
            assert_eq!(parse(text), Some(Duration::from_hours(366 * 24)), "{text}");
        }
    }

    #[test]
    fn stops_where_the_length_ends() {
        assert_eq!(leading("7.5s. Visit"), Some((Duration::from_millis(7_500), ". Visit")));
        assert_eq!(leading("2 3s"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-0-9.a-zµ ]{0,24}") {
            let _ = parse(&text);
        }
    }
}
