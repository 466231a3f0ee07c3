//! An answer in Gemini's JSON: a reply, or the same in pieces.

use serde_json::{Value, json};

use super::answer::words;
use super::events::{Event, Events};
use super::object::{with, with_all, with_some};
use super::usage::Tokens;
use super::{Answer, ReceivedCall};

/// The whole reply as a body.
pub(super) fn reply(answer: &Answer, call: &ReceivedCall) -> Value {
    let mut parts = Vec::new();
    parts.extend(answer.thinking.as_ref().map(|thinking| json!({"text": thinking, "thought": true})));
    let text = answer.text.as_deref().filter(|text| !text.is_empty());
    parts.extend(text.map(|text| json!({"text": text})));
    parts.extend(function_calls(answer));
    sign(&mut parts, answer);
    chunk(answer, call, &parts, Some(finish_reason(answer)), usage)
}

/// The events of a stream: one for each word of thinking, each piece of text and each function call, and a last one without
/// content that tells the reason.
pub(super) fn events(answer: &Answer, call: &ReceivedCall) -> Events {
    let thoughts = answer.thinking.as_deref().map(words).unwrap_or_default();
    let mut parts: Vec<Value> = thoughts.iter().map(|word| json!({"text": word, "thought": true})).collect();
    parts.extend(answer.pieces.iter().map(|piece| json!({"text": piece})));
    parts.extend(function_calls(answer));
    sign(&mut parts, answer);
    let content =
        parts.iter().map(|part| Event::token(&chunk(answer, call, std::slice::from_ref(part), None, usage_so_far)));
    let last = chunk(answer, call, &[json!({"text": ""})], Some(finish_reason(answer)), usage);
    Events { opening: Vec::new(), content: content.collect(), closing: vec![Event::new(last.to_string())], end: None }
}

fn function_calls(answer: &Answer) -> impl Iterator<Item = Value> {
    answer.tool_calls.iter().map(|tool| json!({"functionCall": {"name": tool.name, "args": tool.object()}}))
}

/// Signs the first function call, else the first text that is no thought.
fn sign(parts: &mut [Value], answer: &Answer) {
    let Some(signature) = &answer.signature else { return };
    let place = parts.iter().position(|part| part.get("functionCall").is_some());
    let place = place.or_else(|| parts.iter().position(|part| part.get("thought").is_none()));
    if let Some(part) = place.and_then(|place| parts.get_mut(place)) {
        *part = with(part.take(), "thoughtSignature", signature.as_str());
    }
}

fn chunk(
    answer: &Answer,
    call: &ReceivedCall,
    parts: &[Value],
    finish_reason: Option<&str>,
    usage: impl FnOnce(Tokens) -> Value,
) -> Value {
    let calls = finish_reason.is_some() && !answer.tool_calls.is_empty();
    let candidate = json!({"content": {"parts": parts, "role": "model"}});
    let candidate = with(with_some(candidate, "finishReason", finish_reason), "index", 0);
    let candidate = with_some(candidate, "finishMessage", calls.then_some("Model generated function call(s)."));
    let chunk = with_some(json!({"candidates": [candidate]}), "usageMetadata", answer.usage_for(call, usage));
    let chunk = with(chunk, "modelVersion", answer.model_for(call));
    let chunk = with(chunk, "responseId", format!("scripted-{}", call.number));
    with_all(chunk, &answer.fields)
}

/// A function call ends with `STOP` too.
fn finish_reason(answer: &Answer) -> &str {
    match answer.finish_reason.as_str() {
        "stop" | "tool_calls" => "STOP",
        "length" => "MAX_TOKENS",
        "content_filter" => "SAFETY",
        own => own,
    }
}

/// Thoughts are counted apart from the candidates' tokens, and on top of them.
fn usage(tokens: Tokens) -> Value {
    let candidates = tokens.output.saturating_sub(tokens.reasoning);
    let usage = json!({
        "promptTokenCount": tokens.input, "candidatesTokenCount": candidates, "totalTokenCount": tokens.total(),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
    });
    with_some(usage, "thoughtsTokenCount", Some(tokens.reasoning).filter(|thoughts| *thoughts > 0))
}

fn usage_so_far(tokens: Tokens) -> Value {
    json!({
        "promptTokenCount": tokens.input, "totalTokenCount": tokens.input,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> ReceivedCall {
        let contents = json!([{"role": "user", "parts": [{"text": "Capital of France?"}]}]);
        ReceivedCall::to("/v1beta/models/gemini:streamGenerateContent?alt=sse", json!({"contents": contents}))
    }

    fn answer() -> Answer {
        Answer::new("Let me")
            .thinking("I look")
            .signature("c2ln")
            .and_tool_call("weather", r#"{"city":"Oslo"}"#)
            .and_tool_call("weather", r#"{"city":"Rome"}"#)
            .finish_reason("tool_calls")
            .usage(9, 20)
    }

    #[test]
    fn is_one_candidate_when_whole() {
        let body = reply(&answer(), &call());

        insta::assert_snapshot!(body, @r#"
        {"candidates":[{"content":{"parts":[{"text":"I look","thought":true},{"text":"Let me"},{"functionCall":{"name":"weather","args":{"city":"Oslo"}},"thoughtSignature":"c2ln"},{"functionCall":{"name":"weather","args":{"city":"Rome"}}}],"role":"model"},"finishReason":"STOP","index":0,"finishMessage":"Model generated function call(s)."}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":18,"totalTokenCount":29,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}],"thoughtsTokenCount":2},"modelVersion":"gemini","responseId":"scripted-1"}
        "#);
    }

    #[test]
    fn streams_whole_parts() {
        let events = events(&answer(), &call());

        let lines: Vec<String> = events.content.into_iter().chain(events.closing).map(|event| event.data).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"candidates":[{"content":{"parts":[{"text":"I","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini","responseId":"scripted-1"}
        {"candidates":[{"content":{"parts":[{"text":" look","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini","responseId":"scripted-1"}
        {"candidates":[{"content":{"parts":[{"text":"Let"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini","responseId":"scripted-1"}
        {"candidates":[{"content":{"parts":[{"text":" me"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini","responseId":"scripted-1"}
        {"candidates":[{"content":{"parts":[{"functionCall":{"name":"weather","args":{"city":"Oslo"}},"thoughtSignature":"c2ln"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini","responseId":"scripted-1"}
        {"candidates":[{"content":{"parts":[{"functionCall":{"name":"weather","args":{"city":"Rome"}}}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini","responseId":"scripted-1"}
        {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0,"finishMessage":"Model generated function call(s)."}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":18,"totalTokenCount":29,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}],"thoughtsTokenCount":2},"modelVersion":"gemini","responseId":"scripted-1"}
        "#);
    }

    #[test]
    fn signs_its_text_where_it_calls_no_function() {
        let body = reply(&Answer::new("yes").thinking("hm").signature("c2ln"), &call());

        let parts = &body["candidates"][0]["content"]["parts"];
        assert_eq!(parts[1], json!({"text": "yes", "thoughtSignature": "c2ln"}));
    }

    #[test]
    fn says_why_it_ended_in_its_own_words() {
        let reasons = ["stop", "length", "tool_calls", "content_filter", "RECITATION"].map(|reason| {
            reply(&Answer::new("yes").finish_reason(reason), &call())["candidates"][0]["finishReason"].clone()
        });

        assert_eq!(reasons, ["STOP", "MAX_TOKENS", "STOP", "SAFETY", "RECITATION"]);
    }
}
