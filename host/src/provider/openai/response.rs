//! A whole reply: a completion, or the reason why it is none.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::message::Said;
use super::usage;
use crate::provider::completion::Completion;
use crate::provider::json::{is_something, pick_with_list, text};
use crate::provider::{Head, classify};
use crate::types::{Failure, FailureKind};

/// Choices of one reply that are looked at: as many as `n` may ask for.
const MOST_CHOICES: usize = 128;

/// Reads a whole reply.
pub(in crate::provider) fn decode(head: &Head<'_>, body: &Bytes) -> Result<Completion, Failure> {
    let read = || pick_with_list(body, ["usage", "model", "error"], "choices", OF_CHOICE, MOST_CHOICES).ok();
    let fields = if head.is_success() { read() } else { None };
    let Some(([usage, model, error], Some(choices))) = fields else { return Err(classify(head, body)) };
    let Some([_, message, finish_reason, choice_error]) = first_choice(&choices) else {
        return Err(classify(head, body));
    };
    if [error, choice_error].into_iter().flatten().any(is_something) {
        return Err(classify(head, body));
    }
    let finish_reason = finish_reason.and_then(reason);
    let said = message.map(Said::read).unwrap_or_default();
    check(&said, finish_reason.as_deref(), head.status)?;
    let usage = usage.and_then(usage::read).filter(|usage| usage.output > 0 || said.text.is_empty());
    Ok(Completion {
        body: body.clone(),
        model: model.and_then(text),
        usage,
        finish_reason,
        has_tool_calls: said.tool_calls,
        text: said.text,
    })
}

/// Whether a finish reason means that the provider withheld the answer for its content.
#[must_use]
pub fn is_filtered(finish_reason: &str) -> bool {
    let reason = finish_reason.to_ascii_lowercase();
    matches!(reason.as_str(), "content_filter" | "safety" | "prohibited_content" | "blocklist" | "sensitive")
}

/// The failure of an answer that was withheld before it began.
#[must_use]
pub fn content_filtered(finish_reason: &str, status: u16) -> Failure {
    let mut failure =
        Failure::new(FailureKind::ContentFiltered, format!("the provider withheld the answer ({finish_reason})"));
    failure.code = Some(finish_reason.to_owned());
    failure.with_status(status)
}

/// The failure of an answer that the provider itself ended as broken.
pub(super) fn ended_in_error(status: u16) -> Failure {
    Failure::new(FailureKind::ServerError, "the provider broke the answer off (finish_reason error)")
        .with_status(status)
}

/// A finish reason is a string; Gemini has been seen to send its number.
pub(super) fn reason(part: &RawValue) -> Option<String> {
    text(part).or_else(|| Some(part.get().chars().take(40).collect())).filter(|reason| !reason.is_empty())
}

type Choice<'a> = [Option<&'a RawValue>; OF_CHOICE.len()];

/// What is read of a choice.
const OF_CHOICE: [&str; 4] = ["index", "message", "finish_reason", "error"];

fn first_choice<'a>(choices: &[Choice<'a>]) -> Option<Choice<'a>> {
    let is_numbered_zero = |[index, ..]: &Choice<'_>| index.is_none_or(|index| index.get() == "0");
    choices.iter().copied().find(is_numbered_zero).or(choices.first().copied())
}

fn check(said: &Said, finish_reason: Option<&str>, status: u16) -> Result<(), Failure> {
    match finish_reason {
        Some("error") => Err(ended_in_error(status)),
        _ if said.is_something() => Ok(()),
        Some(reason) if is_filtered(reason) => Err(content_filtered(reason, status)),
        // A reasoning model may think until its tokens are used up.
        Some("length") => Ok(()),
        Some(_) | None => {
            let words = "an empty answer: no text, no tool call, no refusal";
            Err(Failure::new(FailureKind::MalformedReply, words).with_status(status))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;

    fn read(body: &str) -> Result<Completion, Failure> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        decode(&head, &Bytes::from(body.to_owned()))
    }

    fn kind(body: &str) -> FailureKind {
        read(body).unwrap_err().kind
    }

    #[test]
    fn reads_a_completion_and_keeps_its_bytes() {
        let body = r#"{"id":"x","model":"gpt-4o-2024","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},
            "finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;

        let completion = read(body).unwrap();

        assert_eq!(completion.body, body);
        assert_eq!((completion.text.as_str(), completion.has_tool_calls), ("Hi", false));
        assert_eq!(completion.model.as_deref(), Some("gpt-4o-2024"));
        assert_eq!(completion.finish_reason.as_deref(), Some("stop"));
        assert_eq!(completion.usage.map(|usage| usage.total()), Some(4));
    }

    #[test]
    fn takes_tool_calls_refusals_and_spent_reasoning_for_answers() {
        let calls = r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1"}]},"finish_reason":"stop"}]}"#;
        let refusal =
            r#"{"choices":[{"message":{"content":null,"refusal":"Sorry."},"finish_reason":"content_filter"}]}"#;
        let spent = r#"{"choices":[{"message":{"content":""},"finish_reason":"length"}]}"#;

        assert!(read(calls).unwrap().has_tool_calls);
        assert!(read(refusal).is_ok() && read(spent).is_ok());
    }

    #[test]
    fn finds_the_choice_numbered_zero() {
        let swapped = r#"{"choices":[{"index":1,"message":{"content":"b"}},{"index":0,"message":{"content":"a"}}]}"#;
        let odd = r#"{"choices":[{"index":5,"message":{"content":"five"}}]}"#;

        assert_eq!(read(swapped).unwrap().text, "a");
        assert_eq!(read(odd).unwrap().text, "five");
    }

    #[test]
    fn refuses_a_success_that_is_no_completion() {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            "<html><title>Sign in</title></html>",
            r#"{"choices":[]}"#,
            r#"{"choices":null}"#,
            r#"{"choices":"x"}"#,
            r#"{"choices":[7]}"#,
            r#"{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#,
        ] {
            assert_eq!(kind(body), FailureKind::MalformedReply, "{body}");
        }
    }

    #[test]
    fn finds_the_error_within_a_success() {
        let top = r#"{"error":{"code":502,"message":"Upstream broke"},"user_id":"u"}"#;
        let beside = r#"{"error":{"code":429,"message":"slow down"},"choices":[{"message":{"content":"x"}}]}"#;
        let inside = r#"{"choices":[{"error":{"code":503,"message":"No capacity"},"message":{"content":""}}]}"#;
        let ended = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}"#;

        assert_eq!(kind(top), FailureKind::ServerError);
        assert_eq!(kind(beside), FailureKind::RateLimited);
        assert_eq!(kind(inside), FailureKind::Overloaded);
        assert_eq!(kind(ended), FailureKind::ServerError);
    }

    #[test]
    fn tells_a_withheld_answer_from_an_empty_one() {
        let azure = r#"{"choices":[{"finish_reason":"content_filter","index":0,"logprobs":null}]}"#;

        let failure = read(azure).unwrap_err();

        assert_eq!(failure.kind, FailureKind::ContentFiltered);
        assert_eq!(failure.code.as_deref(), Some("content_filter"));
    }

    #[test]
    fn does_not_believe_that_a_long_answer_took_no_tokens() {
        let body = r#"{"choices":[{"message":{"content":"a long answer"}}],
            "usage":{"prompt_tokens":9,"completion_tokens":0}}"#;

        assert_eq!(read(body).unwrap().usage, None);
    }
}
