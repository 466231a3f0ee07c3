//! Recorded exchanges of Anthropic's there and back: skipped with a word where the recordings are not there.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::answer_tests::{heard, heard_stream, put_together};
use super::manner::Thoughts;
use super::request::{Bound, read};
use super::request_tests::try_encoded;
use crate::config::Protocol;

fn exchanges() -> Vec<Value> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire");
    let folder = std::env::var_os("BACKSTOP_WIRE_FIXTURES").map_or(beside, PathBuf::from).join("dev");
    let Ok(text) = std::fs::read_to_string(folder.join("anthropic.jsonl")) else {
        println!("skipped: no recordings at {}", folder.display());
        return Vec::new();
    };
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|exchange| exchange["api"] == "anthropic-messages").collect()
}

/// The same request in the form that the hub writes: blocks in place of texts, neighbours of one kind as one.
fn plainly(body: &Value) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    for message in body["messages"].as_array().unwrap() {
        let blocks = blocks(&message["content"]);
        match messages.last_mut().filter(|last| last["role"] == message["role"]) {
            Some(last) => last["content"].as_array_mut().unwrap().extend(blocks),
            None => messages.push(json!({"role": message["role"], "content": blocks})),
        }
    }
    for message in &mut messages {
        let content = message["content"].as_array_mut().unwrap();
        // Thoughts of a conversation that began elsewhere are nobody's.
        content.retain(|block| !block["type"].as_str().unwrap().ends_with("thinking"));
        content.sort_by_key(|block| block["type"] != "tool_result");
    }
    json!(messages)
}

fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks.iter().map(block).collect(),
        _ => Vec::new(),
    }
}

fn block(block: &Value) -> Value {
    let mut block = block.clone();
    if block["type"] == "tool_result" {
        let inner = blocks(&block["content"]);
        let fields = block.as_object_mut().unwrap();
        fields.shift_remove("content");
        fields
            .shift_remove_entry("is_error")
            .filter(|(_, is_error)| *is_error == json!(true))
            .map(|(name, value)| fields.insert(name, value));
        if !inner.is_empty() {
            fields.insert("content".to_owned(), json!(inner));
        }
    }
    block
}

/// What was left out or changed of a request on its way, besides what is stated.
fn changed(body: &Value, sent: &Value) -> Vec<String> {
    let text = body["messages"].to_string();
    let mut fields = vec!["model", "system", "stop_sequences", "metadata"];
    // The thoughts in a recording were signed for somebody else, without whom the model cannot go on thinking.
    fields.extend((!text.contains("\"thinking\"")).then_some("thinking"));
    // Some models take none.
    fields.extend((!sent["temperature"].is_null()).then_some("temperature"));
    let mut changed: Vec<String> = fields
        .into_iter()
        .filter(|field| sent[field] != body[field])
        .map(|field| format!("{field}: {} was {}", sent[field], body[field]))
        .collect();
    let plain = plainly(body);
    if sent["messages"] != plain {
        changed.push(format!("messages: {} was {plain}", sent["messages"]));
    }
    changed
}

#[test]
fn sends_recorded_requests_on_as_they_were_meant() {
    let (mut same, mut refused, mut missed) = (0, Vec::new(), Vec::new());
    let is_sound = |exchange: &Value| !exchange["kind"].as_str().unwrap().starts_with("error:");
    for exchange in exchanges().into_iter().filter(is_sound) {
        let body = &exchange["request"]["body"];
        let Some(model) = body["model"].as_str().filter(|_| body["messages"].is_array()) else { continue };
        if let Err(fault) = read(body.to_string().as_bytes(), Bound::Required) {
            refused.push(fault.to_string());
            continue;
        }
        let encoded = match try_encoded(Protocol::Anthropic, "claude", model, body) {
            Ok(encoded) => encoded,
            Err(error) => {
                refused.push(error.to_string());
                continue;
            }
        };
        let changed = changed(body, &serde_json::from_slice(&encoded.body).unwrap());
        if changed.is_empty() {
            same += 1;
        } else {
            missed.push(format!("{}: {}", exchange["id"], changed.join("\n")));
        }
    }
    println!("{same} the same, {} changed, refused:\n{}", missed.len(), refused.join("\n"));
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let is_stated = |line: &str| {
        let stated = ["bound to", "reached by Anthropic", "has begun", "not system"];
        stated.iter().any(|words| line.contains(words))
    };
    let others: Vec<&String> = refused.iter().filter(|line| !is_stated(line)).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// What there is to be heard of a reply: blocks of Anthropic's own doing, and citations, are not for everyone.
fn gist(message: &Value) -> Value {
    let content = message["content"].as_array().unwrap();
    let text: String = content.iter().filter_map(|block| block["text"].as_str()).collect();
    let thoughts: String = content.iter().filter_map(|block| block["thinking"].as_str()).collect();
    let calls: Vec<Value> = content
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| json!([block["id"], block["name"], block["input"]]))
        .collect();
    let count = |name: &str| message["usage"][name].as_u64().unwrap_or(0);
    let counts = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"].map(count);
    json!([message["id"], message["model"], text, thoughts, calls, message["stop_reason"], counts])
}

#[test]
fn hears_recorded_replies_as_they_were_meant() {
    let (mut whole, mut streams) = (0, 0);
    for exchange in exchanges() {
        let text = exchange["response"]["body"].as_str().unwrap_or_default();
        if exchange["kind"].as_str().unwrap().starts_with("error:") {
            continue;
        }
        let id = &exchange["id"];
        if exchange["stream"] == true {
            let events: Vec<Value> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(|data| serde_json::from_str(data).unwrap())
                .collect();
            let end = events.iter().position(|event| event["type"] == "message_stop").unwrap();
            let expected = recorded_stream(&events[..=end]);
            let heard = put_together(&heard_stream(&events, Thoughts::Shown));
            assert_eq!(gist(&heard), gist(&expected), "{id}");
            streams += 1;
        } else {
            let reply: Value = serde_json::from_str(text).unwrap();
            match heard(&reply, Thoughts::Shown) {
                Ok(heard) => assert_eq!(gist(&heard), gist(&reply), "{id}"),
                // Nothing but a refusal is a failure, which the router may take to another.
                Err(failure) => assert!(failure.contains("withheld"), "{id}: {failure}"),
            }
            whole += 1;
        }
    }
    println!("{whole} whole replies, {streams} streams");
}

/// What a client of Anthropic itself would have made of the stream: the usage is told in pieces, too.
fn recorded_stream(events: &[Value]) -> Value {
    let mut usage = events[0]["message"]["usage"].clone();
    let known = |event: &&Value| {
        let kinds = ["text_delta", "thinking_delta", "signature_delta", "input_json_delta", ""];
        event["type"] != "error" && kinds.contains(&event["delta"]["type"].as_str().unwrap_or_default())
    };
    let events: Vec<Value> = events.iter().filter(known).cloned().collect();
    for (name, value) in events.iter().filter_map(|event| event["usage"].as_object()).flatten() {
        usage[name] = value.clone();
    }
    let mut message = put_together(&events);
    message["usage"] = usage;
    message
}
