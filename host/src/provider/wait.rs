//! Every way a reply names a wait: headers, fields, and words in a sentence.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use super::error_body::ErrorBody;
use super::quota::{counterpart, share_left};
use super::{Head, span};
use crate::types::FailureKind;

/// The words a wait stands behind.
const BEFORE_A_WAIT: [&str; 8] = [
    "try again in ",
    "retry in ",
    "retry after ",
    "try again after ",
    "available in ",
    "reset in ",
    "resets in ",
    "wait for ",
];

/// The words a moment stands behind.
const BEFORE_A_MOMENT: [&str; 6] =
    ["resets at ", "reset at ", "will reset at ", "regain access on ", "resets on ", "try again at "];

/// How far from now a bare number may lie to be taken for a moment: a year.
const NEAR_HOURS: i64 = 366 * 24;

/// The wait a failed reply asks for, counted from its arrival, at most a year. Never asked of a success: several providers
/// send these headers with every reply.
#[must_use]
pub fn wait_named(head: &Head<'_>, body: &[u8]) -> Option<Duration> {
    named(head, &ErrorBody::read(body), Resets::Believed)
}

/// The same, of a failure known by kind: to one that no waiting cures, no wait belongs.
pub(super) fn named_for(kind: FailureKind, head: &Head<'_>, error: &ErrorBody) -> Option<Duration> {
    match kind {
        FailureKind::RateLimited | FailureKind::QuotaExhausted => named(head, error, Resets::Believed),
        // A reset belongs to a limit, and no limit was the trouble.
        FailureKind::Overloaded | FailureKind::ServerError | FailureKind::Timeout => {
            named(head, error, Resets::Ignored)
        }
        FailureKind::Connection
        | FailureKind::Interrupted
        | FailureKind::MalformedReply
        | FailureKind::Authentication
        | FailureKind::Permission
        | FailureKind::ModelNotFound
        | FailureKind::ContextLength
        | FailureKind::ContentFiltered
        | FailureKind::InvalidRequest => None,
    }
}

/// Whether headers that tell when a limit is whole again say how long to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resets {
    Believed,
    Ignored,
}

fn named(head: &Head<'_>, error: &ErrorBody, resets: Resets) -> Option<Duration> {
    // What a reply says of its own clock is taken by that clock, which may go wrong as a whole.
    let now = head.headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?)).unwrap_or(head.now);
    // The headers of a success were written before anything went wrong.
    let own = Some(head.headers).filter(|_| !head.is_success());
    let header_sets = || own.into_iter().chain([&error.headers]);
    let asked = header_sets().find_map(|headers| retry_after(headers, now));
    let reset = || match resets {
        Resets::Believed => header_sets().find_map(|headers| reset(headers, now)),
        Resets::Ignored => None,
    };
    // "At once" is believed only where nothing in the reply says otherwise.
    asked
        .filter(|wait| !wait.is_zero())
        .or_else(|| in_words(&error.message, &error.words, now))
        .or(error.retry_delay)
        .or_else(reset)
        .or(asked)
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let milliseconds = texts(headers, "retry-after-ms").filter_map(|text| text.trim().parse::<f64>().ok());
    let exact = milliseconds.filter_map(|ms| span::from_seconds(ms / 1e3)).find(|wait| !wait.is_zero());
    exact.or_else(|| texts(headers, RETRY_AFTER.as_str()).filter_map(|text| one_or_several(text, now)).max())
}

fn one_or_several(text: &str, now: Timestamp) -> Option<Duration> {
    let date = || http_date(text).map(|moment| until(moment, now));
    let one = |text: &str| length_or_moment(text, now);
    one(text).or_else(date).or_else(|| text.split(',').filter_map(one).max())
}

/// When the limit that is used up is whole again; where none is at zero, the latest of all.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let resets: Vec<(bool, Duration)> = headers
        .iter()
        .filter_map(|(name, value)| {
            let remaining = counterpart(name.as_str(), "reset", "remaining")?;
            let wait = length_or_moment(value.to_str().ok()?, now)?;
            let left = headers.get(remaining).and_then(|left| left.to_str().ok()?.trim().parse::<f64>().ok());
            Some((left.is_some_and(|left| left <= 0.0), wait))
        })
        .chain(standard_reset(headers))
        .collect();
    let used_up = resets.iter().filter(|(used_up, _)| *used_up).map(|(_, wait)| *wait).max();
    used_up.or_else(|| resets.iter().map(|(_, wait)| *wait).max())
}

/// The IETF's own header: `ratelimit: "api";r=0;t=295`.
fn standard_reset(headers: &HeaderMap) -> Option<(bool, Duration)> {
    let text = headers.get("ratelimit")?.to_str().ok()?;
    let part = |name: &str| text.split(';').find_map(|part| part.trim().strip_prefix(name)?.parse::<f64>().ok());
    Some((share_left(part("r=")?, f64::MAX) <= 0.0, span::from_seconds(part("t=")?)?))
}

/// A length, or a moment as seconds or milliseconds since 1970 or as RFC 3339.
fn length_or_moment(text: &str, now: Timestamp) -> Option<Duration> {
    match moment(text.trim(), now) {
        Some(moment) => Some(until(moment, now)),
        None => span::parse(text),
    }
}

/// A number is a moment only where that moment is near; else it is a number of seconds, however absurd.
#[expect(clippy::cast_possible_truncation, reason = "a whole number of the size just checked")]
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let moment = match text.parse::<f64>() {
        Ok(number) if (1e9..1e11).contains(&number) => Timestamp::from_second(number as i64).ok(),
        Ok(number) if (1e11..1e14).contains(&number) => Timestamp::from_millisecond(number as i64).ok(),
        Ok(_) => None,
        Err(_) => return text.parse().ok(),
    };
    moment.filter(|moment| moment.duration_since(now).abs() <= SignedDuration::from_hours(NEAR_HOURS))
}

fn http_date(text: &str) -> Option<Timestamp> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    PARSER.parse_timestamp(text.trim()).ok()
}

fn until(moment: Timestamp, now: Timestamp) -> Duration {
    let wait = moment.duration_since(now);
    span::from_seconds(wait.as_secs_f64().max(0.0)).unwrap_or_default()
}

/// `Please try again in 7.66s`, `resets at 2026-05-15T15:00:00Z`.
fn in_words(message: &str, words: &str, now: Timestamp) -> Option<Duration> {
    let behind = |beginning: &&str| words.find(*beginning).and_then(|at| words.get(at + beginning.len()..));
    let wait = BEFORE_A_WAIT.iter().filter_map(behind).find_map(|rest| Some(span::leading(rest)?.0));
    wait.or_else(|| {
        // Dates are read from the message as it came: lower case would not do.
        let behind = |beginning: &&str| {
            let rest = words.find(*beginning).and_then(|at| words.get(at + beginning.len()..))?;
            message.get(message.len().checked_sub(rest.len())?..)
        };
        BEFORE_A_MOMENT.iter().filter_map(behind).find_map(|rest| Some(until(leading_moment(rest)?, now)))
    })
}

/// `2026-05-15T15:00:00Z`, `2026-01-01 at 00:00 UTC`, `2026-05-15 15:00:00`; without a zone, UTC.
fn leading_moment(text: &str) -> Option<Timestamp> {
    let end = text.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-:.+ ".contains(letter)));
    let text = text.get(..end.unwrap_or(text.len()))?.trim().trim_end_matches('.');
    let first = text.split(' ').next().unwrap_or_default();
    if let Ok(moment) = first.parse() {
        return Some(moment);
    }
    let mut parts = text.split(' ').filter(|part| *part != "at");
    let (date, time) = (parts.next()?, parts.next().unwrap_or("00:00"));
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    format!("{date}T{time}{seconds}Z").parse().ok()
}

fn texts<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2025-10-07T13:56:58Z";

    fn wait(headers: &[(&'static str, &str)], body: &str) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        wait_named(&Head { status: 429, headers: &map, now: NOW.parse().unwrap(), key: None }, body.as_bytes())
    }

    fn seconds(wait: Option<Duration>) -> Option<f64> {
        wait.map(|wait| (wait.as_secs_f64() * 1e3).round() / 1e3)
    }

    #[test]
    fn reads_retry_after_in_every_form() {
        for (value, expected) in [
            ("2", Some(2.0)),
            ("0.5", Some(0.5)),
            ("0", Some(0.0)),
            ("6m0s", Some(360.0)),
            ("Tue, 07 Oct 2025 13:57:28 GMT", Some(30.0)),
            ("Tue, 07 Oct 2025 13:00:00 GMT", Some(0.0)),
            ("1759845420", Some(2.0)),
            ("1000000000000", Some(366.0 * 86_400.0)),
            ("2, 5", Some(5.0)),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("1e300", Some(366.0 * 86_400.0)),
        ] {
            assert_eq!(seconds(wait(&[("retry-after", value)], "")), expected, "{value}");
        }
    }

    #[test]
    fn prefers_milliseconds_unless_they_say_nothing() {
        assert_eq!(seconds(wait(&[("retry-after", "8"), ("retry-after-ms", "7660")], "")), Some(7.66));
        assert_eq!(seconds(wait(&[("retry-after", "1"), ("retry-after-ms", "0")], "")), Some(1.0));
        assert_eq!(seconds(wait(&[("retry-after", "1"), ("retry-after", "9")], "")), Some(9.0));
    }

    #[test]
    fn takes_the_reset_of_the_limit_that_is_used_up() {
        let requests = [("x-ratelimit-remaining-requests", "986"), ("x-ratelimit-reset-requests", "20m9.6s")];
        let tokens = |left| [("x-ratelimit-remaining-tokens", left), ("x-ratelimit-reset-tokens", "5.42s")];

        assert_eq!(seconds(wait(&[requests, tokens("0")].concat(), "")), Some(5.42));
        assert_eq!(seconds(wait(&[requests, tokens("7")].concat(), "")), Some(1_209.6));
    }

    #[test]
    fn reads_resets_in_every_form() {
        for (name, value, expected) in [
            ("x-ratelimit-reset", "3", 3.0),
            ("x-ratelimit-reset", "1759845420000", 2.0),
            ("x-ratelimit-reset", "1759845420", 2.0),
            ("x-ratelimit-reset-tokens", "224.999999ms", 0.225),
            ("x-ratelimit-reset-requests-day", "3560.986279964447", 3_560.986),
            ("anthropic-ratelimit-tokens-reset", "2025-10-07T13:57:58Z", 60.0),
            ("ratelimitbysize-reset", "38", 38.0),
            ("ratelimit", "\"api\";r=0;t=295", 295.0),
        ] {
            assert_eq!(seconds(wait(&[(name, value)], "")), Some(expected), "{name}: {value}");
        }
    }

    #[test]
    fn reads_a_wait_in_the_body() {
        for (body, expected) in [
            (r#"{"error":{"message":"Limit 6000. Please try again in 1m7.5s. Visit"}}"#, 67.5),
            (r#"{"error":{"message":"Please retry after 86400 seconds. Please go"}}"#, 86_400.0),
            (r#"{"error":{"message":"x\nPlease retry in 48.939935699s."}}"#, 48.94),
            (r#"{"error":{"details":[{"retryDelay":"34.4s"}],"message":"x"}}"#, 34.4),
            (r#"{"error":"Model is currently loading","message":"x","estimated_time":20.0}"#, 20.0),
            (r#"{"error":{"message":"reached, resets at 2025-10-07T14:56:58Z (2056)"}}"#, 3_600.0),
            (r#"{"error":{"message":"You will regain access on 2025-10-08 at 00:00 UTC."}}"#, 36_182.0),
            (
                r#"{"error":{"message":"x","metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1759845420000"}}}}"#,
                2.0,
            ),
        ] {
            assert_eq!(seconds(wait(&[], body)), Some(expected), "{body}");
        }
        assert_eq!(wait(&[], r#"{"error":{"message":"Please try again later."}}"#), None);
    }

    #[test]
    fn goes_by_the_clock_of_the_reply() {
        let skewed = [("date", "Tue, 07 Oct 2025 15:00:00 GMT"), ("retry-after", "Tue, 07 Oct 2025 15:00:05 GMT")];

        assert_eq!(seconds(wait(&skewed, "")), Some(5.0));
    }

    #[test]
    fn believes_no_header_of_a_success() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "2".parse().unwrap())]);
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };

        assert_eq!(wait_named(&head, br#"{"error":{"message":"overloaded"}}"#), None);
    }

    #[test]
    fn no_wait_belongs_to_what_waiting_does_not_cure() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "2".parse().unwrap())]);
        let head = Head { status: 400, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };

        assert_eq!(named_for(FailureKind::InvalidRequest, &head, &ErrorBody::default()), None);
        assert_eq!(named_for(FailureKind::Overloaded, &head, &ErrorBody::default()), Some(Duration::from_secs(2)));
    }

    proptest! {
        #[test]
        fn never_panics(value in "\\PC{0,40}", body in "(try again in |resets at )?\\PC{0,40}") {
            let Ok(value) = http::HeaderValue::from_str(&value) else { return Ok(()) };
            let headers = HeaderMap::from_iter([
                (RETRY_AFTER, value.clone()),
                (http::HeaderName::from_static("x-ratelimit-reset"), value),
            ]);
            let head = Head { status: 429, headers: &headers, now: NOW.parse().unwrap(), key: None };
            let wait = wait_named(&head, body.as_bytes());
            prop_assert!(wait.is_none_or(|wait| wait <= Duration::from_secs(366 * 86_400)));
        }
    }
}
