//! Gemini's replies, whole or as events.

use serde_json::{Map, Value, json};

use super::{Reply, items, text};
use crate::replay::events;

pub(super) fn read(body: &str, stream: bool) -> Reply {
    // A stream that was not asked for as events is a list.
    let is_events = stream && !body.trim_start().starts_with('[');
    let pieces = if is_events { events::values(body) } else { whole(body) };
    let mut reply = Reply::default();
    let mut native = None;
    for piece in &pieces {
        let Some(candidate) = items(&piece["candidates"]).next() else { continue };
        for part in items(&candidate["content"]["parts"]) {
            add(&mut reply, part);
        }
        native = candidate["finishReason"].as_str().or(native);
    }
    reply.usage = pieces.iter().rev().find_map(usage);
    // A number stands for its name where the names were asked for as numbers.
    let native = native.or_else(|| pieces.iter().any(ends_by_number).then_some("STOP"));
    reply.finish = native.map(|native| finish(native, &reply).to_owned());
    reply
}

/// A reply is one piece, or a list of them.
fn whole(body: &str) -> Vec<Value> {
    match serde_json::from_str(body).unwrap_or_default() {
        Value::Array(pieces) => pieces,
        piece => vec![piece],
    }
}

fn add(reply: &mut Reply, part: &Value) {
    let words = text(&part["text"]);
    if part["thought"] == true {
        reply.reasoning.push_str(words);
    } else {
        reply.text.push_str(words);
    }
    let call = &part["functionCall"];
    if !text(&call["name"]).is_empty() {
        let arguments = if call["args"].is_object() { call["args"].clone() } else { json!({}) };
        reply.begin_call(&call["id"], &call["name"], arguments);
    }
    let begun = reply.calls.last_mut().and_then(|call| call.arguments.as_object_mut());
    if let Some(arguments) = begun.filter(|_| call.is_object()) {
        items(&call["partialArgs"]).for_each(|piece| add_argument(arguments, piece));
    }
}

/// Pieces of arguments have been seen for strings at the top only.
fn add_argument(arguments: &mut Map<String, Value>, piece: &Value) {
    let name = text(&piece["jsonPath"]).trim_start_matches("$.").to_owned();
    let more = text(&piece["stringValue"]);
    match arguments.get_mut(&name) {
        Some(Value::String(value)) => value.push_str(more),
        _ => {
            arguments.insert(name, json!(more));
        }
    }
}

fn finish(native: &str, reply: &Reply) -> &'static str {
    match native {
        "MAX_TOKENS" => "length",
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY" => "content_filter",
        _ if reply.calls.is_empty() => "stop",
        _ => "tool_calls",
    }
}

fn ends_by_number(piece: &Value) -> bool {
    piece["candidates"][0]["finishReason"] == 1
}

/// Thoughts count as output, what tools put in as input; the total knows of thoughts that stand nowhere else.
fn usage(piece: &Value) -> Option<(u64, u64)> {
    let counts = &piece["usageMetadata"];
    let count = |name: &str| counts[name].as_u64();
    let input = count("promptTokenCount")? + count("toolUsePromptTokenCount").unwrap_or(0);
    let output = count("candidatesTokenCount").unwrap_or(0) + count("thoughtsTokenCount").unwrap_or(0);
    let rest = count("totalTokenCount").map_or(0, |total| total.saturating_sub(input));
    Some((input, output.max(rest)))
}
