//! Texts as numbers, lengths of time, money and switches, each within its range.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::types::{NanoUsd, ParseMoneyError};

use super::problem::{Fault, Read};
use super::section::nearest;

/// The longest time anything may be set to: 30 days.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Requests or tokens a minute or a day, requests at once.
pub(super) const RATE: RangeInclusive<i64> = 1..=u32::MAX as i64;
/// Requests in line.
pub(super) const QUEUE: RangeInclusive<i64> = 1..=10_000;
/// Tokens of an answer.
pub(super) const TOKENS: RangeInclusive<i64> = 1..=100_000_000;
/// Attempts of one request.
pub(super) const ATTEMPTS: RangeInclusive<i64> = 1..=100;
/// Tokens of a stream that are held back.
pub(super) const HELD_TOKENS: RangeInclusive<i64> = 0..=10_000;
/// Rankings.
pub(super) const PRIORITY: RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;
/// Sampling temperatures.
pub(super) const TEMPERATURE: RangeInclusive<f64> = 0.0..=2.0;
/// Shares.
pub(super) const SHARE: RangeInclusive<f64> = 0.0..=1.0;

/// Reads a length of time with its unit, such as `5s`, `1m30s` or `250ms`; at most 30 days.
pub(super) fn length(text: &str) -> Read<Duration> {
    let text = text.trim();
    if text.parse::<f64>().is_ok_and(f64::is_finite) {
        let number = text.trim_start_matches(['+', '-']);
        return Err(Fault::example("a length of time needs a unit", format!("\"{number}s\"")));
    }
    let Ok(length) = text.parse::<SignedDuration>() else {
        return Err(Fault::example("not a length of time", "\"30s\""));
    };
    let Ok(length) = Duration::try_from(length) else {
        return Err(Fault::example("a length of time cannot be negative", "\"30s\""));
    };
    within_longest(length)
}

/// Reads a number of seconds, as older systems' variables have it; a length with a unit is understood too.
pub(super) fn seconds(text: &str) -> Read<Duration> {
    let Ok(seconds) = text.parse::<f64>() else { return length(text) };
    if seconds < 0.0 {
        return Err(Fault::example("a length of time cannot be negative", "30"));
    }
    let length = Duration::try_from_secs_f64(seconds);
    length.map_err(|_| Fault::example("not a number of seconds", "30")).and_then(within_longest)
}

/// A length that must be more than nothing.
pub(super) fn positive(length: Duration) -> Read<Duration> {
    if length.is_zero() { Err(Fault::example("must be more than nothing", "\"30s\"")) } else { Ok(length) }
}

/// Reads a whole number.
pub(super) fn whole<T: TryFrom<i64>>(text: &str, range: &RangeInclusive<i64>) -> Read<T> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::example("not a whole number", sample(range)));
    }
    // More digits than the type takes is out of range, not nonsense.
    ranged(text.parse().unwrap_or(i128::MAX), range)
}

/// Holds a whole number to its range.
pub(super) fn ranged<T: TryFrom<i64>>(number: i128, range: &RangeInclusive<i64>) -> Read<T> {
    let fits = i64::try_from(number).ok().filter(|number| range.contains(number));
    let what = || format!("must be from {} to {}", range.start(), range.end());
    fits.and_then(|number| T::try_from(number).ok()).ok_or_else(|| Fault::example(what(), sample(range)))
}

/// Reads a number that may have a fraction.
pub(super) fn number(text: &str, range: &RangeInclusive<f64>) -> Read<f64> {
    let Ok(number) = text.parse::<f64>() else {
        return Err(Fault::example("not a number", middle(range)));
    };
    if range.contains(&number) {
        return Ok(number);
    }
    let what = format!("must be from {} to {}", range.start(), range.end());
    let per_cent = number / 100.0;
    // Who writes 80 for a share means 80 %.
    let example = if range == &SHARE && range.contains(&per_cent) { per_cent.to_string() } else { middle(range) };
    Err(Fault::example(what, example))
}

/// Reads dollars, exactly.
pub(super) fn money(text: &str) -> Read<NanoUsd> {
    text.parse().map_err(|error| match error {
        ParseMoneyError::NotADecimal => Fault::example("not a plain decimal number of dollars", "\"2.50\""),
        ParseMoneyError::TooFine | ParseMoneyError::TooLarge => Fault::example(error.to_string(), "\"2.50\""),
    })
}

/// Reads a limit of dollars, which must be more than nothing.
pub(super) fn spending_limit(text: &str) -> Read<NanoUsd> {
    match money(text)? {
        NanoUsd::ZERO => Err(Fault::words("a limit of nothing refuses every request", "leave it out for no limit")),
        limit => Ok(limit),
    }
}

/// Reads the name of a time zone, such as `Europe/Berlin`.
pub(super) fn time_zone(name: &str) -> Read<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let mend = match nearest(name, known.iter().map(String::as_str)) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "write a name such as \"Europe/Berlin\"".to_owned(),
        };
        Fault::words("no such time zone", mend)
    })
}

/// Reads yes or no in the words the environment has for it.
pub(super) fn switch(text: &str) -> Read<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Fault::example("neither true nor false", "true")),
    }
}

/// A length as [`length`] reads it, such as `1m30s`.
pub(super) fn length_text(length: Duration) -> String {
    if !length.subsec_nanos().is_multiple_of(1_000_000) {
        let fraction = format!("{:09}", length.subsec_nanos());
        return format!("{}.{}s", length.as_secs(), fraction.trim_end_matches('0'));
    }
    let (hours, minutes, seconds) = (length.as_secs() / 3_600, length.as_secs() / 60 % 60, length.as_secs() % 60);
    let parts = [(hours, "h"), (minutes, "m"), (seconds, "s"), (length.subsec_millis().into(), "ms")];
    let shown: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

fn within_longest(length: Duration) -> Read<Duration> {
    if length > LONGEST { Err(Fault::example("longer than 30 days", "\"30s\"")) } else { Ok(length) }
}

fn sample(range: &RangeInclusive<i64>) -> String {
    let usual = [2, 60, *range.start()].into_iter().find(|number| range.contains(number));
    usual.unwrap_or_default().to_string()
}

fn middle(range: &RangeInclusive<f64>) -> String {
    let middle = f64::midpoint(*range.start(), *range.end());
    format!("{middle:?}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn what<T: std::fmt::Debug>(read: Read<T>) -> String {
        read.unwrap_err().what
    }

    #[test]
    fn reads_lengths_with_their_units() {
        for (text, ms) in
            [("5s", 5_000), ("1m30s", 90_000), ("250ms", 250), ("0s", 0), ("1h", 3_600_000), ("1.5s", 1_500)]
        {
            assert_eq!(length(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    // C19
    #[test]
    fn refuses_lengths_without_a_unit_or_sense() {
        for (text, says) in [
            ("5", "a length of time needs a unit"),
            ("-5", "a length of time needs a unit"),
            ("-5s", "a length of time cannot be negative"),
            ("5s ago", "a length of time cannot be negative"),
            ("1e9h", "not a length of time"),
            ("", "not a length of time"),
            ("soon", "not a length of time"),
            ("99999999999999999999h", "not a length of time"),
            ("721h", "longer than 30 days"),
        ] {
            assert_eq!(what(length(text)), says, "{text}");
        }
        assert_eq!(what(positive(Duration::ZERO)), "must be more than nothing");
    }

    #[test]
    fn reads_plain_seconds_of_older_systems() {
        assert_eq!(seconds("30"), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("2s"), Ok(Duration::from_secs(2)));
        for (text, says) in [
            ("-1", "a length of time cannot be negative"),
            ("NaN", "not a number of seconds"),
            ("1e30", "not a number of seconds"),
            ("1e8", "longer than 30 days"),
        ] {
            assert_eq!(what(seconds(text)), says, "{text}");
        }
    }

    // C18
    #[test]
    fn holds_whole_numbers_to_their_range() {
        assert_eq!(whole::<u32>("60", &RATE), Ok(60));
        assert_eq!(whole::<i32>("-3", &PRIORITY), Ok(-3));
        for text in ["0", "-1", "18446744073709551616", &"9".repeat(100)] {
            assert_eq!(what(whole::<u32>(text, &RATE)), "must be from 1 to 4294967295", "{text}");
        }
        for text in ["", "high", "1.5", "1e3", " 1", "-"] {
            assert_eq!(what(whole::<u32>(text, &RATE)), "not a whole number", "{text}");
        }
    }

    #[test]
    fn holds_numbers_to_their_range() {
        assert_eq!(number("0.7", &TEMPERATURE), Ok(0.7));
        for text in ["-0.1", "2.1", "inf", "NaN"] {
            assert_eq!(what(number(text, &TEMPERATURE)), "must be from 0 to 2", "{text}");
        }
        assert_eq!(number("80", &SHARE), Err(Fault::example("must be from 0 to 1", "0.8")));
    }

    // C16
    #[test]
    fn refuses_amounts_that_are_no_limit() {
        for text in ["-1", "NaN", "1e300", "$10", "10,00", "0.0000000001", "", "99999999999999999999"] {
            assert!(spending_limit(text).is_err(), "{text}");
        }
        assert_eq!(what(spending_limit("0")), "a limit of nothing refuses every request");
        assert_eq!(money("0"), Ok(NanoUsd::ZERO));
    }

    #[test]
    fn knows_the_words_for_yes_and_no() {
        for text in ["true", "1", "YES", "on"] {
            assert_eq!(switch(text), Ok(true), "{text}");
        }
        for text in ["False", "0", "no", "off"] {
            assert_eq!(switch(text), Ok(false), "{text}");
        }
        assert_eq!(what(switch("maybe")), "neither true nor false");
    }

    proptest! {
        #[test]
        fn reads_the_lengths_it_writes(nanos in 0..30 * 24 * 3_600 * 1_000_000_000_u64) {
            let written = Duration::from_nanos(nanos);
            prop_assert_eq!(length(&length_text(written)), Ok(written));
        }

        #[test]
        fn reads_whole_milliseconds_it_writes(ms in 0..30 * 24 * 3_600 * 1_000_u64) {
            let written = Duration::from_millis(ms);
            prop_assert_eq!(length(&length_text(written)), Ok(written));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = (length(&text), seconds(&text), money(&text), switch(&text));
            let _ = (whole::<u32>(&text, &RATE), number(&text, &SHARE));
        }
    }
}
