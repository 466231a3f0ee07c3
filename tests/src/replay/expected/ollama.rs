//! Ollama's replies: one JSON value, or one a line.

use serde_json::{Value, json};

use super::{Reply, items, text};

pub(super) fn read(body: &str) -> Reply {
    let mut reply = Reply::default();
    for line in serde_json::Deserializer::from_str(body).into_iter::<Value>().map_while(Result::ok) {
        let message = &line["message"];
        reply.text.push_str(text(&message["content"]));
        reply.reasoning.push_str(text(&message["thinking"]));
        for call in items(&message["tool_calls"]) {
            let arguments = &call["function"]["arguments"];
            let arguments = if arguments.is_null() { json!({}) } else { arguments.clone() };
            reply.begin_call(&call["id"], &call["function"]["name"], arguments);
        }
        if line["done"] == true {
            let reason = match text(&line["done_reason"]) {
                "length" => "length",
                _ if reply.calls.is_empty() => "stop",
                _ => "tool_calls",
            };
            reply.finish = Some(reason.to_owned());
            // What is all cached is not counted as input.
            let count = |name: &str| line[name].as_u64();
            let (input, output) = (count("prompt_eval_count"), count("eval_count"));
            reply.usage = input.or(output).map(|_| (input.unwrap_or(0), output.unwrap_or(0)));
        }
    }
    reply
}
