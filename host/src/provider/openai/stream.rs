//! One event of a stream: what it adds to the answer, or how it ends it.

use serde_json::value::RawValue;

use super::message::Said;
use super::response::{ended_in_error, reason};
use super::usage;
use crate::provider::chunk::{ChunkFacts, EventFault};
use crate::provider::json::{is_something, pick_from, pick_with_list, text};
use crate::provider::{Head, classify};

/// Choices of one chunk that are looked at.
const MOST_CHOICES: usize = 128;

/// Reads one event.
pub(in crate::provider) fn decode_event(
    head: &Head<'_>,
    name: Option<&str>,
    data: &[u8],
) -> Result<ChunkFacts, EventFault> {
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        return Ok(ChunkFacts { done: true, ..ChunkFacts::default() });
    }
    let failure = || EventFault::Failure(Box::new(classify(head, &bytes::Bytes::copy_from_slice(data))));
    if name == Some("error") {
        return Err(failure());
    }
    let names = ["usage", "model", "error", "object", "type", "x_groq"];
    let fields = pick_with_list(data, names, "choices", OF_CHOICE, MOST_CHOICES);
    let ([usage, model, error, object, kind, x_groq], choices) =
        fields.map_err(|error| EventFault::Malformed(error.to_string()))?;
    let is_error = |label: Option<&RawValue>| label.is_some_and(|label| label.get() == "\"error\"");
    if error.is_some_and(is_something) || is_error(object) || is_error(kind) {
        return Err(failure());
    }
    let choices = choices.unwrap_or_default();
    let mut facts = read_choices(&choices, head)?;
    let [groq_usage] = x_groq.map_or([None], |groq| pick_from(groq, ["usage"]));
    facts.usage = usage.or(groq_usage).and_then(usage::read).or(facts.usage);
    facts.is_usage_only = choices.is_empty() && facts.usage.is_some();
    facts.model = model.and_then(text).filter(|model| !model.is_empty());
    // Perplexity ends with an object of its own in place of [DONE].
    facts.done = object.is_some_and(|object| object.get() == "\"chat.completion.done\"");
    Ok(facts)
}

/// What is read of a choice.
const OF_CHOICE: [&str; 5] = ["delta", "finish_reason", "index", "usage", "error"];

fn read_choices(choices: &[[Option<&RawValue>; OF_CHOICE.len()]], head: &Head<'_>) -> Result<ChunkFacts, EventFault> {
    let mut facts = ChunkFacts::default();
    for (place, [delta, finish_reason, index, usage, error]) in choices.iter().enumerate() {
        if let Some(error) = error.filter(|error| is_something(error)) {
            let body = format!("{{\"error\":{}}}", error.get());
            return Err(EventFault::Failure(Box::new(classify(head, &body.into()))));
        }
        let said = delta.map(Said::read).unwrap_or_default();
        facts.has_content |= said.is_something();
        // Moonshot counts within the choice.
        facts.usage = usage.and_then(usage::read).or(facts.usage);
        if index.map_or(place == 0, |index| index.get() == "0") {
            facts.text.push_str(&said.text);
            facts.calls.extend(said.calls);
            facts.finish_reason = finish_reason.and_then(reason).or(facts.finish_reason);
        }
    }
    match facts.finish_reason.as_deref() {
        Some("error") => Err(EventFault::Failure(Box::new(ended_in_error(head.status)))),
        Some(_) | None => Ok(facts),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;
    use crate::types::FailureKind;

    fn read(data: &str) -> Result<ChunkFacts, EventFault> {
        read_named(None, data)
    }

    fn read_named(name: Option<&str>, data: &str) -> Result<ChunkFacts, EventFault> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        decode_event(&head, name, data.as_bytes())
    }

    fn failure(read: Result<ChunkFacts, EventFault>) -> FailureKind {
        match read {
            Err(EventFault::Failure(failure)) => failure.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_text_model_and_the_end() {
        let token =
            read(r#"{"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#).unwrap();
        let end = read(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#).unwrap();

        assert_eq!((token.text.as_str(), token.has_content, token.model.as_deref()), ("Hi", true, Some("m")));
        assert_eq!((end.has_content, end.finish_reason.as_deref(), end.done), (false, Some("stop"), false));
        assert!(read("[DONE]").unwrap().done && read(r#"{"object":"chat.completion.done"}"#).unwrap().done);
    }

    #[test]
    fn takes_no_preamble_for_a_first_token() {
        for data in [
            r#"{"choices":[],"id":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"type":"ping"}"#,
        ] {
            assert_eq!(read(data), Ok(ChunkFacts::default()), "{data}");
        }
        assert!(read(r#"{"choices":[{"delta":{"reasoning":"We"}}]}"#).unwrap().has_content);
        assert!(read(r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#).unwrap().has_content);
    }

    #[test]
    fn finds_usage_wherever_it_stands() {
        for data in [
            r#"{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":1}}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":2,"completion_tokens":1}}]}"#,
            r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":2,"completion_tokens":1}}}"#,
        ] {
            assert_eq!(read(data).unwrap().usage.map(|usage| usage.total()), Some(3), "{data}");
        }
    }

    #[test]
    fn adds_only_the_first_choice_to_the_text() {
        let second = read(r#"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]}"#).unwrap();

        assert_eq!((second.text.as_str(), second.has_content, second.finish_reason), ("", true, None));
    }

    #[test]
    fn finds_the_error_in_a_stream() {
        let groq = r#"{"error":{"message":"Tool call validation failed","type":"invalid_request_error",
            "code":"tool_use_failed","status_code":400}}"#;
        let openrouter = r#"{"error":{"code":"server_error","message":"Provider disconnected unexpectedly"},
            "choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#;
        let limited = r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited"}"#;
        let ended = r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#;
        let inside = r#"{"choices":[{"delta":{},"error":{"code":429,"message":"slow down"}}]}"#;

        assert_eq!(failure(read_named(Some("error"), groq)), FailureKind::InvalidRequest);
        assert_eq!(failure(read(openrouter)), FailureKind::ServerError);
        assert_eq!(failure(read(limited)), FailureKind::RateLimited);
        assert_eq!(failure(read(ended)), FailureKind::ServerError);
        assert_eq!(failure(read(inside)), FailureKind::RateLimited);
        assert_eq!(failure(read_named(Some("error"), "overloaded")), FailureKind::Overloaded);
    }

    #[test]
    fn tells_a_broken_event_from_a_failed_answer() {
        for data in ["", "{", "[1]", "{\"choices\":[{\"delta\":", "hello"] {
            assert!(matches!(read(data), Err(EventFault::Malformed(_))), "{data}");
        }
    }
}
