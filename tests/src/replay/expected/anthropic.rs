//! Anthropic's messages and their events.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Reply, items, text};
use crate::replay::events;

pub(super) fn read(body: &str, stream: bool) -> Reply {
    if stream { read_stream(body) } else { read_whole(body) }
}

fn read_whole(body: &str) -> Reply {
    let message: Value = serde_json::from_str(body).unwrap_or_default();
    let mut reply = Reply { finish: finish(&message["stop_reason"]), ..Reply::default() };
    for block in items(&message["content"]) {
        begin_block(&mut reply, block);
    }
    let mut counts = HashMap::new();
    count(&mut counts, &message["usage"]);
    reply.usage = usage(&counts);
    reply
}

fn read_stream(stream: &str) -> Reply {
    let mut reply = Reply::default();
    // Blocks of tool calls, by index; the input of a block comes in pieces, and the empty one it begins with is none.
    let mut calls = HashMap::new();
    let mut counts = HashMap::new();
    for event in events::values(stream) {
        let index = event["index"].as_u64().unwrap_or(0);
        match text(&event["type"]) {
            "message_start" => count(&mut counts, &event["message"]["usage"]),
            "content_block_start" => {
                begin_block(&mut reply, &event["content_block"]);
                if event["content_block"]["type"] == "tool_use" {
                    let place = reply.calls.len() - 1;
                    calls.insert(index, place);
                    reply.calls[place].arguments = json!("");
                }
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                reply.text.push_str(text(&delta["text"]));
                reply.reasoning.push_str(text(&delta["thinking"]));
                if let Some(place) = calls.get(&index) {
                    reply.go_on(*place, text(&delta["partial_json"]));
                }
            }
            "message_delta" => {
                reply.finish = finish(&event["delta"]["stop_reason"]).or(reply.finish);
                count(&mut counts, &event["usage"]);
            }
            _ => {}
        }
    }
    for call in &mut reply.calls {
        if call.arguments == "" {
            call.arguments = json!({});
        }
    }
    reply.usage = usage(&counts);
    reply.with_arguments_read()
}

/// Tools that Anthropic runs itself are none of the caller's: their blocks say nothing to it.
fn begin_block(reply: &mut Reply, block: &Value) {
    match text(&block["type"]) {
        "text" => reply.text.push_str(text(&block["text"])),
        "thinking" => reply.reasoning.push_str(text(&block["thinking"])),
        "tool_use" => reply.begin_call(&block["id"], &block["name"], block["input"].clone()),
        _ => {}
    }
}

fn finish(reason: &Value) -> Option<String> {
    let reason = match reason.as_str()? {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    };
    Some(reason.to_owned())
}

/// Every count is the sum so far; the last one holds.
fn count(counts: &mut HashMap<&'static str, u64>, usage: &Value) {
    for name in ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"] {
        if let Some(tokens) = usage[name].as_u64() {
            counts.insert(name, tokens);
        }
    }
}

/// The cached tokens stand beside the input.
fn usage(counts: &HashMap<&'static str, u64>) -> Option<(u64, u64)> {
    let of = |name| counts.get(name).copied();
    let cached = ["cache_read_input_tokens", "cache_creation_input_tokens"].into_iter().filter_map(of).sum::<u64>();
    Some((of("input_tokens")? + cached, of("output_tokens")?))
}
