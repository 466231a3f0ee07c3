//! Chat completions and their chunks. Of several choices the first counts.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Reply, items, text};
use crate::replay::events;

pub(super) fn read_whole(body: &str) -> Reply {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let mut reply = Reply { usage: usage(&body), ..Reply::default() };
    if let Some(choice) = items(&body["choices"]).min_by_key(|choice| index_of(choice)) {
        add(&mut reply, &choice["message"], &mut HashMap::new());
        reply.finish = choice["finish_reason"].as_str().map(str::to_owned);
    }
    reply.with_arguments_read()
}

pub(super) fn read_stream(stream: &str) -> Reply {
    let mut reply = Reply::default();
    let mut calls = HashMap::new();
    for chunk in events::values(stream) {
        for choice in items(&chunk["choices"]).filter(|choice| index_of(choice) == 0) {
            add(&mut reply, &choice["delta"], &mut calls);
            reply.finish = choice["finish_reason"].as_str().map(str::to_owned).or(reply.finish);
        }
        reply.usage = usage(&chunk).or(reply.usage);
    }
    reply.with_arguments_read()
}

/// Adds a message or a delta. `calls` knows the place of each call by its index.
fn add(reply: &mut Reply, said: &Value, calls: &mut HashMap<u64, usize>) {
    match &said["content"] {
        Value::Array(parts) => parts.iter().for_each(|part| reply.text.push_str(text(&part["text"]))),
        words => reply.text.push_str(text(words)),
    }
    // What is refused or spoken is said in words, too.
    reply.text.push_str(text(&said["refusal"]));
    reply.text.push_str(text(&said["audio"]["transcript"]));
    let thoughts = ["reasoning_content", "reasoning"].map(|field| text(&said[field]));
    reply.reasoning.push_str(thoughts.into_iter().find(|words| !words.is_empty()).unwrap_or_default());
    for call in items(&said["tool_calls"]) {
        let function = &call["function"];
        let is_new = !text(&function["name"]).is_empty();
        let known = call["index"].as_u64().and_then(|index| calls.get(&index).copied());
        let place = known.or_else(|| reply.calls.len().checked_sub(1).filter(|_| !is_new));
        let place = place.unwrap_or_else(|| {
            reply.begin_call(&call["id"], &function["name"], json!(""));
            reply.calls.len() - 1
        });
        if let Some(index) = call["index"].as_u64() {
            calls.insert(index, place);
        }
        match &function["arguments"] {
            Value::String(piece) => reply.go_on(place, piece),
            Value::Null => {}
            object => reply.go_on(place, &object.to_string()),
        }
    }
}

fn index_of(choice: &Value) -> u64 {
    choice["index"].as_u64().unwrap_or(0)
}

fn usage(body: &Value) -> Option<(u64, u64)> {
    let usage = &body["usage"];
    Some((usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::expected::Call;

    #[test]
    fn puts_a_stream_together() {
        let delta = |delta: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
        let call = |fields: &str| delta(&format!("{{\"tool_calls\":[{{\"index\":3,{fields}}}]}}"));
        let stream = [
            delta(r#"{"content":"a"}"#),
            delta(r#"{"content":"b","reasoning":"hm"}"#),
            call(r#""id":"x","function":{"name":"look","arguments":"{\"at\""}"#),
            call(r#""function":{"arguments":":1}"}"#),
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n".to_owned(),
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3}}\n\n".to_owned(),
        ];

        let reply = read_stream(&stream.concat());

        let call = Call { id: Some("x".to_owned()), name: "look".to_owned(), arguments: json!({"at": 1}) };
        let expected = Reply {
            text: "ab".to_owned(),
            reasoning: "hm".to_owned(),
            calls: vec![call],
            finish: Some("stop".to_owned()),
            usage: Some((2, 3)),
        };
        assert_eq!(reply, expected);
    }
}
