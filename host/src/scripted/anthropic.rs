//! An answer in Anthropic's JSON: a message, or the events of a stream.

use serde_json::{Value, json};

use super::answer::words;
use super::events::{Event, Events};
use super::object::{with_all, with_some};
use super::tool_call::ToolCall;
use super::usage::Tokens;
use super::{Answer, ReceivedCall};

/// The whole message as a body.
pub(super) fn message(answer: &Answer, call: &ReceivedCall) -> Value {
    let mut content = Vec::new();
    if thinks(answer) {
        let (thinking, signature) = (answer.thinking.as_deref(), answer.signature.as_deref());
        let (thinking, signature) = (thinking.unwrap_or_default(), signature.unwrap_or_default());
        content.push(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
    }
    if let Some(text) = answer.text.as_deref().filter(|text| !text.is_empty()) {
        content.push(json!({"type": "text", "text": text}));
    }
    content.extend(answer.tool_calls.iter().enumerate().map(|(index, tool)| tool_use(index, tool, tool.object())));
    envelope(answer, call, content, Some(stop_reason(answer)), answer.usage_for(call, usage))
}

/// The events of a stream.
pub(super) fn events(answer: &Answer, call: &ReceivedCall) -> Events {
    let begun = |tokens| usage(Tokens { output: 1, ..tokens });
    let opening = envelope(answer, call, Vec::new(), None, answer.usage_for(call, begun));
    let delta = json!({"stop_reason": stop_reason(answer), "stop_sequence": null});
    let closing = json!({"type": "message_delta", "delta": delta});
    let closing = with_some(closing, "usage", answer.usage_for(call, usage));
    Events {
        opening: vec![other("message_start", &json!({"type": "message_start", "message": opening}))],
        content: content(answer),
        closing: vec![other("message_delta", &closing)],
        end: Some(other("message_stop", &json!({"type": "message_stop"}))),
    }
}

/// The blocks of a stream, each opened, filled by a token at a time and closed; a ping comes soon after the first is open.
fn content(answer: &Answer) -> Vec<Event> {
    let mut blocks = Vec::new();
    if thinks(answer) {
        let thoughts = answer.thinking.as_deref().map(words).unwrap_or_default();
        let mut deltas: Vec<Value> =
            thoughts.iter().map(|word| json!({"type": "thinking_delta", "thinking": word})).collect();
        let signature = answer.signature.as_ref();
        deltas.extend(signature.map(|signature| json!({"type": "signature_delta", "signature": signature})));
        blocks.push((json!({"type": "thinking", "thinking": "", "signature": ""}), deltas));
    }
    if !answer.pieces.is_empty() {
        let deltas = answer.pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
        blocks.push((json!({"type": "text", "text": ""}), deltas));
    }
    for (index, tool) in answer.tool_calls.iter().enumerate() {
        let (head, tail) = tool.halves();
        let deltas = [head, tail].map(|part| json!({"type": "input_json_delta", "partial_json": part}));
        blocks.push((tool_use(index, tool, json!({})), deltas.to_vec()));
    }
    let mut events: Vec<Event> =
        blocks.into_iter().enumerate().flat_map(|(index, (opening, deltas))| block(index, &opening, &deltas)).collect();
    if !events.is_empty() {
        events.insert(1, other("ping", &json!({"type": "ping"})));
    }
    events
}

/// A block's events. A tool's opening counts as a token, for it names the tool; that of text says nothing yet.
fn block(index: usize, opening: &Value, deltas: &[Value]) -> Vec<Event> {
    let start = json!({"type": "content_block_start", "index": index, "content_block": opening});
    let is_token = opening.get("type").is_some_and(|kind| kind == "tool_use");
    let start = Event { is_token, ..other("content_block_start", &start) };
    let deltas = deltas.iter().map(|delta| {
        Event::token(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
            .named("content_block_delta")
    });
    let stop = other("content_block_stop", &json!({"type": "content_block_stop", "index": index}));
    std::iter::once(start).chain(deltas).chain([stop]).collect()
}

fn envelope(
    answer: &Answer,
    call: &ReceivedCall,
    content: Vec<Value>,
    stop_reason: Option<&str>,
    usage: Option<Value>,
) -> Value {
    let message = json!({
        "model": answer.model_for(call), "id": format!("msg_scripted_{}", call.number), "type": "message",
        "role": "assistant", "content": content, "stop_reason": stop_reason, "stop_sequence": null,
    });
    with_all(with_some(message, "usage", usage), &answer.fields)
}

fn thinks(answer: &Answer) -> bool {
    answer.thinking.is_some() || answer.signature.is_some()
}

fn tool_use(index: usize, tool: &ToolCall, input: Value) -> Value {
    json!({"type": "tool_use", "id": format!("toolu_scripted_{}", index + 1), "name": tool.name, "input": input})
}

fn stop_reason(answer: &Answer) -> &str {
    match answer.finish_reason.as_str() {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        own => own,
    }
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": tokens.output,
    })
}

fn other(name: &'static str, data: &Value) -> Event {
    Event::new(data.to_string()).named(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> ReceivedCall {
        let messages = json!([{"role": "user", "content": "Capital of France?"}]);
        ReceivedCall::to("/v1/messages", json!({"model": "claude", "messages": messages, "stream": true}))
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
    fn is_a_message_when_whole() {
        let body = message(&answer(), &call());

        insta::assert_snapshot!(body, @r#"
        {"model":"claude","id":"msg_scripted_1","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"I look","signature":"c2ln"},{"type":"text","text":"Let me"},{"type":"tool_use","id":"toolu_scripted_1","name":"weather","input":{"city":"Oslo"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":20}}
        "#);
    }

    #[test]
    fn streams_blocks_one_after_the_other() {
        let events = events(&answer(), &call());

        let Events { opening, content, closing, end } = events;
        let all = opening.into_iter().chain(content).chain(closing).chain(end);
        let lines: Vec<String> = all
            .map(|event| {
                let mark = if event.is_token { "*" } else { " " };
                format!("{mark} {} {}", event.name.unwrap(), event.data)
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
          message_start {"type":"message_start","message":{"model":"claude","id":"msg_scripted_1","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}
          content_block_start {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
          ping {"type":"ping"}
        * content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"I"}}
        * content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" look"}}
        * content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}
          content_block_stop {"type":"content_block_stop","index":0}
          content_block_start {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
        * content_block_delta {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let"}}
        * content_block_delta {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" me"}}
          content_block_stop {"type":"content_block_stop","index":1}
        * content_block_start {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_scripted_1","name":"weather","input":{}}}
        * content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\""}}
        * content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":":\"Oslo\"}"}}
          content_block_stop {"type":"content_block_stop","index":2}
          message_delta {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":20}}
          message_stop {"type":"message_stop"}
        "#);
    }

    #[test]
    fn says_why_it_ended_in_its_own_words() {
        let reasons = ["stop", "length", "tool_calls", "content_filter", "pause_turn"]
            .map(|reason| message(&Answer::new("yes").finish_reason(reason), &call())["stop_reason"].clone());

        assert_eq!(reasons, ["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn"]);
    }

    #[test]
    fn has_no_block_for_what_it_does_not_say() {
        let answer = Answer::new("").without_usage();

        let body = message(&answer, &call());

        assert_eq!((&body["content"], body.get("usage")), (&json!([]), None));
        assert!(events(&answer, &call()).content.is_empty());
    }
}
