//! What came of an exchange: the binary's output held against the record.

use std::fmt::Debug;

use serde_json::Value;

use super::events;
use super::exchange::{Api, Exchange};
use super::expected::{self, Reply};
use crate::CliRun;

/// How far a wait may be off, in seconds.
const TOLERANCE: f64 = 1.5;

/// The names of the recordings' classes, and of Backstop's kinds.
const KINDS: [(&str, &str); 11] = [
    ("rate_limit", "rate-limited"),
    ("quota_exhausted", "quota-exhausted"),
    ("overloaded", "overloaded"),
    ("server_error", "server-error"),
    ("timeout", "timeout"),
    ("authentication", "authentication"),
    ("permission", "permission"),
    ("model_not_found", "model-not-found"),
    ("context_length", "context-length"),
    ("content_filter", "content-filtered"),
    ("invalid_request", "invalid-request"),
];

/// What came of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As recorded.
    Good,
    /// An error of this kind, which the label calls defensible but not its first choice.
    Defensible(String),
    /// It differs, in these words.
    Missed(String),
    /// Backstop does not speak this protocol.
    NotSpoken,
}

/// Whether the binary is asked to tell a failure as JSON. It asks for whole answers then, so a failure within a stream is
/// read from its words.
pub(super) fn is_told_as_json(exchange: &Exchange) -> bool {
    exchange.expect.is_some() && !(exchange.stream && exchange.is_success())
}

/// Of an exchange that ended with an answer.
pub(super) fn of_answer(exchange: &Exchange, run: &CliRun, wants_usage: bool) -> Outcome {
    let expected = expected::of_record(exchange).unwrap_or_default();
    if run.code != Some(0) {
        // An answer that was withheld before it began is a failure with a name of its own.
        let is_withheld = exchange.has_tag("content_filter") && expected.text.is_empty() && expected.calls.is_empty();
        if is_withheld && run.stderr.contains("withheld") {
            return Outcome::Good;
        }
        return Outcome::Missed(format!("exit {:?}: {}", run.code, one_line(&run.stderr)));
    }
    // Calls in their oldest form are compared as bytes only.
    let is_read = expected.is_something() || exchange.has_tag("legacy_function_call");
    if !is_read && !exchange.has_tag("content_filter") {
        return Outcome::Missed("the reading of the record says nothing".to_owned());
    }
    if exchange.api() == Api::OpenAi {
        let bytes = &exchange.response.body;
        let same = if exchange.stream { events::as_passed_on(bytes, wants_usage) } else { bytes.clone() };
        if let Some(difference) = difference_of_bytes(&same, &run.stdout) {
            return Outcome::Missed(difference);
        }
        return compare_all(&expected::of_output(&same, exchange.stream), run, exchange.stream);
    }
    compare_all(&with_ids_made(expected, run, exchange.stream), run, exchange.stream)
}

/// A call that came without an id must have been given one of its own.
fn with_ids_made(mut expected: Reply, run: &CliRun, stream: bool) -> Reply {
    let found: Vec<Option<String>> =
        expected::of_output(&run.stdout, stream).calls.into_iter().map(|call| call.id).collect();
    for (place, call) in expected.calls.iter_mut().enumerate().filter(|(_, call)| call.id.is_none()) {
        let made = found.get(place).cloned().flatten();
        let is_own = found.iter().filter(|other| **other == made).count() == 1;
        call.id = Some(made.filter(|_| is_own).unwrap_or_else(|| "an id of its own".to_owned()));
    }
    expected
}

/// Of an exchange that ended with an error.
pub(super) fn of_error(exchange: &Exchange, run: &CliRun) -> Outcome {
    let Some(expect) = &exchange.expect else { return Outcome::Missed("the record has no label".to_owned()) };
    if run.code == Some(0) {
        return Outcome::Missed("passed for an answer".to_owned());
    }
    let classes = std::iter::once(&expect.class).chain(&expect.also_ok);
    let kinds: Vec<&str> = classes.filter_map(|class| kind_of(class)).collect();
    if !is_told_as_json(exchange) {
        let told = format!("{}{}", run.stderr, run.stdout);
        let is_named = kinds.iter().any(|kind| told.contains(kind));
        return if is_named { Outcome::Good } else { Outcome::Missed(format!("not {kinds:?}: {}", one_line(&told))) };
    }
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
    let attempt = &report["error"]["attempts"][0];
    if !attempt["failure"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
        return Outcome::Missed(format!("{}, not {kinds:?}: {}", attempt["failure"], attempt["message"]));
    }
    let waits = attempt["retry_after_seconds"].as_f64();
    match expect.retry_after_s {
        Some(wanted) if waits.is_none_or(|waits| (waits - wanted).abs() > TOLERANCE) => {
            Outcome::Missed(format!("waits {waits:?} s, not {wanted} s"))
        }
        Some(_) | None if attempt["failure"].as_str() == kind_of(&expect.class) => Outcome::Good,
        Some(_) | None => Outcome::Defensible(attempt["failure"].as_str().unwrap_or_default().to_owned()),
    }
}

fn kind_of(class: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == class).map(|(_, kind)| *kind)
}

fn compare_all(expected: &Reply, run: &CliRun, stream: bool) -> Outcome {
    let found = expected::of_output(&run.stdout, stream);
    let differences = [
        difference("text", &expected.text, &found.text),
        difference("reasoning", &expected.reasoning, &found.reasoning),
        difference("calls", &expected.calls, &found.calls),
        difference("finish", &expected.finish, &found.finish),
        difference("usage", &expected.usage, &found.usage),
    ];
    let differences: Vec<String> = differences.into_iter().flatten().collect();
    if differences.is_empty() { Outcome::Good } else { Outcome::Missed(differences.join("; ")) }
}

fn difference<T: PartialEq + Debug>(name: &str, expected: &T, found: &T) -> Option<String> {
    (expected != found).then(|| format!("{name}: {}, not {}", short(found), short(expected)))
}

/// Where two texts part.
fn difference_of_bytes(expected: &str, found: &str) -> Option<String> {
    let same = expected.bytes().zip(found.bytes()).take_while(|(one, other)| one == other).count();
    let (expected, found) = (expected.as_bytes().get(same..)?, found.as_bytes().get(same..)?);
    let shown = |bytes: &[u8]| short(&String::from_utf8_lossy(bytes));
    (!expected.is_empty() || !found.is_empty())
        .then(|| format!("bytes from {same}: {}, not {}", shown(found), shown(expected)))
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn short(value: &impl Debug) -> String {
    let words = format!("{value:?}");
    if words.chars().count() <= 200 { words } else { words.chars().take(200).collect::<String>() + "…" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exchange(kind: &str, status: u16, body: &str) -> Exchange {
        let expect =
            kind.starts_with("error:").then(|| json!({"class": "rate_limit", "also_ok": [], "retry_after_s": 5.0}));
        let record = json!({
            "id": "x", "provider": "p", "api": "openai-chat", "kind": kind, "stream": false, "model": null, "tags": [],
            "request": {"body": null}, "response": {"status": status, "headers": {}, "body": body}, "expect": expect,
        });
        serde_json::from_value(record).unwrap()
    }

    fn wrote(code: i32, stdout: &str) -> CliRun {
        CliRun { code: Some(code), stdout: stdout.to_owned(), stderr: String::new(), took: std::time::Duration::ZERO }
    }

    #[test]
    fn misses_a_byte_that_differs() {
        let body = r#"{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}]}"#;
        let answer = exchange("success", 200, body);

        assert_eq!(of_answer(&answer, &wrote(0, body), false), Outcome::Good);
        let missed = of_answer(&answer, &wrote(0, &body.replace("yes", "yet")), false);
        assert_eq!(
            missed,
            Outcome::Missed(
                r#"bytes from 37: "t\"},\"finish_reason\":\"stop\"}]}", not "s\"},\"finish_reason\":\"stop\"}]}""#
                    .to_owned()
            )
        );
    }

    #[test]
    fn misses_another_kind_and_another_wait() {
        let error = exchange("error:rate_limit", 429, "{}");
        let report = |kind: &str, wait: f64| {
            let attempt = json!({"failure": kind, "message": "m", "retry_after_seconds": wait});
            wrote(3, &json!({"error": {"attempts": [attempt]}}).to_string())
        };

        assert_eq!(of_error(&error, &report("rate-limited", 5.4)), Outcome::Good);
        assert!(matches!(of_error(&error, &report("rate-limited", 7.0)), Outcome::Missed(_)));
        assert!(matches!(of_error(&error, &report("overloaded", 5.0)), Outcome::Missed(_)));
        assert!(matches!(of_error(&error, &wrote(0, "{}")), Outcome::Missed(_)));
    }
}
