//! One event of a streamed answer, also where the answer did not come as a stream.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::types::RequestId;

/// The model name of an answer that no model gave.
pub(super) const FALLBACK_TEXT: &str = "backstop/fallback-text";

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The text it adds to the answer; empty for role, tool-call and usage events.
    pub text: String,
    /// The event as the provider sent it, byte for byte, with the blank line that ends it.
    pub raw: Bytes,
}

/// The fallback text as one event of a stream, and the end mark.
pub(super) fn fallback_chunk(id: RequestId, text: &str) -> Chunk {
    let delta = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "delta": delta, "finish_reason": "stop"});
    let event = json!({"id": id, "object": "chat.completion.chunk", "model": FALLBACK_TEXT, "choices": [choice]});
    Chunk { text: text.to_owned(), raw: Bytes::from(format!("data: {event}\n\ndata: [DONE]\n\n")) }
}

/// A whole reply as one event of a stream, and the end mark: each choice's `message` becomes its `delta`.
pub(super) fn as_event(body: &[u8]) -> Bytes {
    let mut reply: Value = serde_json::from_slice(body).unwrap_or_else(|_| json!({}));
    for choice in reply.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(choice) = choice.as_object_mut() else { continue };
        if let Some(message) = choice.remove("message") {
            choice.insert("delta".into(), message);
        }
    }
    if let Some(reply) = reply.as_object_mut() {
        reply.insert("object".into(), json!("chat.completion.chunk"));
    }
    Bytes::from(format!("data: {reply}\n\ndata: [DONE]\n\n"))
}
