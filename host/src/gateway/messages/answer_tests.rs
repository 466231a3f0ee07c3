//! Answers back: what a provider says, as a caller of Anthropic's protocol hears it, and what of it comes home.

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::manner::{Manner, Thoughts};
use super::request_tests::{CLAUDE, asked, encoded, sent};
use super::response::message;
use super::stream::Writer;
use crate::config::Protocol;
use crate::provider::{Decoder, Head, Reading, decode};
use crate::types::RequestId;

fn reading() -> Reading {
    Reading { origin: "claude".to_owned(), model: CLAUDE.to_owned(), ..Reading::default() }
}

pub(super) fn manner(thoughts: Thoughts) -> Manner {
    Manner { thoughts, stops: vec!["END".to_owned()] }
}

/// A whole reply of Anthropic's, as the caller hears it.
pub(super) fn heard(reply: &Value, thoughts: Thoughts) -> Result<Value, String> {
    let headers = HeaderMap::new();
    let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
    let completion = decode(Protocol::Anthropic, &head, &Bytes::from(reply.to_string()), &reading());
    let completion = completion.map_err(|failure| failure.to_string())?;
    let message = message(&completion.body, completion.usage, RequestId(7), &manner(thoughts));
    Ok(serde_json::from_slice(&message).unwrap())
}

/// A stream of Anthropic's, as the caller hears it: its events' data.
pub(super) fn heard_stream(events: &[Value], thoughts: Thoughts) -> Vec<Value> {
    let headers = HeaderMap::new();
    let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
    let mut decoder = Decoder::new(Protocol::Anthropic, reading());
    let mut writer = Writer::new(RequestId(7), manner(thoughts));
    let (mut written, mut reason, mut usage) = (String::new(), None, None);
    for event in events {
        let facts = decoder.decode(&head, None, event.to_string().as_bytes()).unwrap();
        let raw = facts.event.unwrap();
        if !raw.is_empty() {
            written.push_str(std::str::from_utf8(&writer.write(&raw)).unwrap());
        }
        (reason, usage) = (facts.finish_reason.or(reason), facts.usage.or(usage));
        if facts.done {
            break;
        }
    }
    written.push_str(std::str::from_utf8(&writer.end(reason, usage)).unwrap());
    data(&written)
}

/// The data of events, each of which is named by its type.
fn data(events: &str) -> Vec<Value> {
    let event = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    };
    events.split_terminator("\n\n").map(event).collect()
}

/// A reply with thoughts, text and calls.
fn reply() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE,
        "content": [
            {"type": "thinking", "thinking": "Hm. ", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1.50}},
            {"type": "tool_use", "id": "toolu_2", "name": "wait", "input": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3_000,
            "output_tokens": 40, "output_tokens_details": {"thinking_tokens": 15}},
    })
}

/// The same as a stream.
fn reply_events() -> Vec<Value> {
    let start =
        |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    let mut begun = reply();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    vec![
        json!({"type": "message_start", "message": begun}),
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "Hm"})),
        delta(0, json!({"type": "thinking_delta", "thinking": ". "})),
        delta(0, json!({"type": "signature_delta", "signature": "sig"})),
        stop(0),
        start(1, json!({"type": "redacted_thinking", "data": "xyz"})),
        stop(1),
        start(2, json!({"type": "text", "text": ""})),
        delta(2, json!({"type": "text_delta", "text": "I "})),
        delta(2, json!({"type": "text_delta", "text": "look."})),
        stop(2),
        start(3, json!({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "{\"at\":"})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "1.50}"})),
        stop(3),
        start(4, json!({"type": "tool_use", "id": "toolu_2", "name": "wait", "input": {}})),
        stop(4),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": reply()["usage"]}),
        json!({"type": "message_stop"}),
    ]
}

/// What a client makes of a stream's events, as Anthropic's own libraries do.
pub(super) fn put_together(events: &[Value]) -> Value {
    let mut message = events[0]["message"].clone();
    let mut json: Vec<String> = Vec::new();
    for event in &events[1..] {
        let index = event["index"].as_u64().map_or(0, |index| usize::try_from(index).unwrap());
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), index);
                content.push(event["content_block"].clone());
                json.push(String::new());
            }
            "content_block_delta" => {
                json[index].push_str(event["delta"]["partial_json"].as_str().unwrap_or_default());
                for field in ["text", "thinking", "signature"] {
                    let Some(more) = event["delta"][field].as_str() else { continue };
                    let known = &mut message["content"][index][field];
                    *known = json!(format!("{}{more}", known.as_str().unwrap()));
                }
            }
            "content_block_stop" if !json[index].is_empty() => {
                message["content"][index]["input"] = serde_json::from_str(&json[index]).unwrap_or(json!(json[index]));
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                message["usage"] = event["usage"].clone();
            }
            "content_block_stop" | "message_stop" | "ping" => {}
            other => panic!("{other}"),
        }
    }
    message
}

#[test]
fn hears_what_anthropic_said_with_thoughts_signed_anew() {
    let whole = heard(&reply(), Thoughts::Shown).unwrap();
    let stream = heard_stream(&reply_events(), Thoughts::Shown);

    let mut plain = whole.clone();
    plain["content"][0]["signature"] = json!("sig");
    plain["content"][1]["data"] = json!("xyz");
    assert_eq!(plain, reply());
    assert!(whole["content"][0]["signature"].as_str().unwrap().contains("\"origin\":\"claude\""));
    let mut joined = put_together(&stream);
    // Where a thought stands in its answer is the same, but a stream tells whose it is before the rest.
    let mut next = json!({"max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 2_048}});
    next["messages"] = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": joined["content"]}]);
    let home = sent(Protocol::Anthropic, CLAUDE, &next);
    assert_eq!(home["messages"][1]["content"], reply()["content"]);
    joined["content"][0]["signature"] = json!("sig");
    joined["content"][1]["data"] = json!("xyz");
    assert_eq!(joined, reply());
}

#[test]
fn shows_no_thoughts_to_those_who_did_not_ask() {
    let whole = heard(&reply(), Thoughts::Hidden).unwrap();
    let stream = put_together(&heard_stream(&reply_events(), Thoughts::Hidden));

    assert_eq!(whole["content"].as_array().unwrap(), &reply()["content"].as_array().unwrap()[2..]);
    assert_eq!(stream, whole);
}

#[test]
fn brings_thoughts_home_and_to_nobody_else() {
    let content = heard(&reply(), Thoughts::Shown).unwrap()["content"].clone();
    let body = json!({
        "max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 2_048},
        "tools": [{"name": "look", "input_schema": {"type": "object"}}, {"name": "wait", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": content},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen"},
                {"type": "tool_result", "tool_use_id": "toolu_2"},
            ]},
        ],
    });

    let home = sent(Protocol::Anthropic, CLAUDE, &body);
    let another = encoded(Protocol::Anthropic, "another", CLAUDE, &body);
    let openai = encoded(Protocol::OpenAi, "other", "llama", &body);

    assert_eq!(home["messages"][1]["content"], reply()["content"]);
    assert_eq!(home["thinking"], body["thinking"]);
    for encoded in [&another, &openai] {
        let text = String::from_utf8(encoded.body.to_vec()).unwrap();
        assert!(!text.contains("sig") && !text.contains("xyz") && !text.contains("Hm. "), "{text}");
        assert!(!encoded.notes.is_empty());
    }
}

#[test]
fn hears_an_openai_shaped_stream_as_one_of_anthropics() {
    let chunks = [
        r#"{"id":"c-1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"Hm."}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Let me"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    ];
    let mut writer = Writer::new(RequestId(7), manner(Thoughts::Shown));

    let mut written = String::new();
    for chunk in chunks {
        written.push_str(std::str::from_utf8(&writer.write(format!(": hi\n\ndata: {chunk}\n\n").as_bytes())).unwrap());
    }
    written.push_str(std::str::from_utf8(&writer.end(Some("tool_calls".to_owned()), None)).unwrap());

    insta::assert_snapshot!(written, @r#"
    event: message_start
    data: {"type":"message_start","message":{"id":"msg_00000000000000000000000000000007","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: content_block_start
    data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":1}

    event: content_block_start
    data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_1","name":"f","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":2}

    event: content_block_start
    data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"call_2","name":"g","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":3}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
}

#[test]
fn hears_thoughts_that_come_in_pieces_and_twice() {
    let piece = |delta: Value| format!("data: {}\n\n", json!({"choices": [{"delta": delta}]}));
    let text = |text: &str| json!([{"type": "reasoning.text", "text": text, "format": "f", "index": 0}]);
    let signed = json!([{"type": "reasoning.text", "signature": "s", "format": "f", "index": 0}]);
    let mut writer = Writer::new(RequestId(7), manner(Thoughts::Shown));

    let mut written = String::new();
    for delta in [
        json!({"reasoning": "H", "reasoning_details": text("H")}),
        json!({"reasoning": "m", "reasoning_details": text("m")}),
        json!({"reasoning_details": signed}),
        json!({"content": "Yes."}),
    ] {
        written.push_str(std::str::from_utf8(&writer.write(piece(delta).as_bytes())).unwrap());
    }
    written.push_str(std::str::from_utf8(&writer.end(None, None)).unwrap());

    let content = put_together(&data(&written))["content"].clone();
    assert_eq!(content[0]["thinking"], "Hm");
    assert_eq!(content[1], json!({"type": "text", "text": "Yes."}));
    let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]});
    let back: Value = serde_json::from_str(asked(&body).request.messages()[1].get()).unwrap();
    let whole = json!([{"type": "reasoning.text", "format": "f", "index": 0, "signature": "s", "text": "Hm"}]);
    assert_eq!((&back["reasoning_details"], &back["content"]), (&whole, &json!("Yes.")));
}
