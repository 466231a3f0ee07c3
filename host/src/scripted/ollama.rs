//! An answer in Ollama's JSON: a reply, or the lines of a stream.

use serde_json::{Value, json};

use super::answer::words;
use super::events::{Event, Events};
use super::object::{with, with_all, with_some};
use super::usage::Tokens;
use super::{Answer, ReceivedCall};

/// When every scripted reply was made.
const CREATED_AT: &str = "2025-10-09T08:53:20.123456789Z";

/// The whole reply as a body.
pub(super) fn reply(answer: &Answer, call: &ReceivedCall) -> Value {
    let message = message(answer.text.as_deref().unwrap_or_default());
    let message = with_some(message, "thinking", answer.thinking.as_deref());
    let calls: Vec<Value> = tool_calls(answer).collect();
    last(answer, call, &with_some(message, "tool_calls", Some(calls).filter(|calls| !calls.is_empty())))
}

/// The events of a stream: one for each word of thinking, each piece of text and each tool call, and a last one without content
/// that tells the reason and the tokens.
pub(super) fn events(answer: &Answer, call: &ReceivedCall) -> Events {
    let thoughts = answer.thinking.as_deref().map(words).unwrap_or_default();
    let thoughts = thoughts.into_iter().map(|word| with(message(""), "thinking", word));
    let text = answer.pieces.iter().map(|piece| message(piece));
    let tools = tool_calls(answer).map(|tool| with(message(""), "tool_calls", json!([tool])));
    let content = thoughts.chain(text).chain(tools).map(|message| {
        let line = with(line(answer, call, &message), "done", false);
        Event::token(&with_all(line, &answer.fields))
    });
    let closing = vec![Event::new(last(answer, call, &message("")).to_string())];
    Events { opening: Vec::new(), content: content.collect(), closing, end: None }
}

/// What ends an answer: the reason, and the tokens among the durations.
fn last(answer: &Answer, call: &ReceivedCall, message: &Value) -> Value {
    let last = with(with(line(answer, call, message), "done", true), "done_reason", done_reason(answer));
    let told = answer.usage_for(call, usage);
    let told = told.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    with_all(with_all(last, &told), &answer.fields)
}

fn line(answer: &Answer, call: &ReceivedCall, message: &Value) -> Value {
    json!({"model": answer.model_for(call), "created_at": CREATED_AT, "message": message})
}

fn message(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

fn tool_calls(answer: &Answer) -> impl Iterator<Item = Value> {
    answer.tool_calls.iter().enumerate().map(|(index, tool)| {
        let function = json!({"index": index, "name": tool.name, "arguments": tool.object()});
        json!({"id": format!("call_scripted_{}", index + 1), "function": function})
    })
}

/// Ollama knows no reason of its own for tool calls, nor a filter.
fn done_reason(answer: &Answer) -> &str {
    match answer.finish_reason.as_str() {
        "stop" | "tool_calls" | "content_filter" => "stop",
        own => own,
    }
}

/// Durations in nanoseconds stand around the tokens.
fn usage(tokens: Tokens) -> Value {
    json!({
        "total_duration": 9_105_542_875_u64, "load_duration": 56_311_125, "prompt_eval_count": tokens.input,
        "prompt_eval_duration": 839_662_709, "eval_count": tokens.output, "eval_duration": 7_652_570_090_u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> ReceivedCall {
        let messages = json!([{"role": "user", "content": "Capital of France?"}]);
        ReceivedCall::to("/api/chat", json!({"model": "qwen3", "messages": messages}))
    }

    fn answer() -> Answer {
        Answer::new("Let me")
            .thinking("I look")
            .signature("c2ln")
            .and_tool_call("weather", r#"{"city":"Oslo"}"#)
            .finish_reason("tool_calls")
            .usage(9, 20)
    }

    #[test]
    fn is_one_line_when_whole() {
        let body = reply(&answer(), &call());

        insta::assert_snapshot!(body, @r#"
        {"model":"qwen3","created_at":"2025-10-09T08:53:20.123456789Z","message":{"role":"assistant","content":"Let me","thinking":"I look","tool_calls":[{"id":"call_scripted_1","function":{"index":0,"name":"weather","arguments":{"city":"Oslo"}}}]},"done":true,"done_reason":"stop","total_duration":9105542875,"load_duration":56311125,"prompt_eval_count":9,"prompt_eval_duration":839662709,"eval_count":20,"eval_duration":7652570090}
        "#);
    }

    #[test]
    fn streams_lines_with_whole_tool_calls() {
        let events = events(&answer(), &call());

        let lines: Vec<String> = events.content.into_iter().chain(events.closing).map(|event| event.data).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"model":"qwen3","created_at":"2025-10-09T08:53:20.123456789Z","message":{"role":"assistant","content":"","thinking":"I"},"done":false}
        {"model":"qwen3","created_at":"2025-10-09T08:53:20.123456789Z","message":{"role":"assistant","content":"","thinking":" look"},"done":false}
        {"model":"qwen3","created_at":"2025-10-09T08:53:20.123456789Z","message":{"role":"assistant","content":"Let"},"done":false}
        {"model":"qwen3","created_at":"2025-10-09T08:53:20.123456789Z","message":{"role":"assistant","content":" me"},"done":false}
        {"model":"qwen3","created_at":"2025-10-09T08:53:20.123456789Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_scripted_1","function":{"index":0,"name":"weather","arguments":{"city":"Oslo"}}}]},"done":false}
        {"model":"qwen3","created_at":"2025-10-09T08:53:20.123456789Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9105542875,"load_duration":56311125,"prompt_eval_count":9,"prompt_eval_duration":839662709,"eval_count":20,"eval_duration":7652570090}
        "#);
    }

    #[test]
    fn says_why_it_ended_in_its_own_words() {
        let reasons = ["stop", "length", "tool_calls", "content_filter", "load"]
            .map(|reason| reply(&Answer::new("yes").finish_reason(reason), &call())["done_reason"].clone());

        assert_eq!(reasons, ["stop", "length", "stop", "stop", "load"]);
    }
}
