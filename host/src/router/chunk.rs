//! One event of a streamed answer, also where the answer did not come as a stream.

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};

use crate::provider::CallPiece;
use crate::types::RequestId;

/// The model name of an answer that no model gave.
pub(super) const FALLBACK_TEXT: &str = "backstop/fallback-text";

/// One event of a stream. The end mark `[DONE]` is none: it is the caller's to write when a stream has ended whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The text it adds to the answer; empty for role, tool-call and usage events.
    pub text: String,
    /// The pieces of tool calls it adds.
    pub calls: Vec<CallPiece>,
    /// The event in OpenAI's shape, with the blank line that ends it: byte for byte as the provider sent it, where it speaks
    /// that itself and nothing of the event had reached the caller before.
    pub raw: Bytes,
}

/// The fallback text as one event of a stream.
pub(super) fn fallback_chunk(id: RequestId, text: &str) -> Chunk {
    let delta = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "delta": delta, "finish_reason": "stop"});
    let event = json!({"id": id, "object": "chat.completion.chunk", "model": FALLBACK_TEXT, "choices": [choice]});
    Chunk { text: text.to_owned(), calls: Vec::new(), raw: event_of(&event) }
}

/// A whole reply as one event of a stream: each choice's `message` becomes its `delta`. `None` where it cannot be written anew,
/// such as with half a surrogate pair in it.
pub(super) fn as_event(body: &[u8]) -> Option<Bytes> {
    let mut reply: Value = serde_json::from_slice(body).ok()?;
    for choice in reply.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(choice) = choice.as_object_mut() else { continue };
        if let Some(mut message) = choice.remove("message") {
            number_calls(&mut message);
            choice.insert("delta".into(), message);
        }
    }
    if let Some(reply) = reply.as_object_mut() {
        reply.insert("object".into(), json!("chat.completion.chunk"));
    }
    Some(event_of(&reply))
}

/// The calls of tools that a whole reply written as an event makes.
pub(super) fn calls_of(event: &[u8]) -> Vec<CallPiece> {
    let (first, _) = split_event(event);
    let chunk: Value = serde_json::from_slice(first).unwrap_or_default();
    let calls = chunk.pointer("/choices/0/delta/tool_calls").and_then(Value::as_array);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let read = |(index, call): (usize, &Value)| CallPiece {
        index,
        id: text(call.get("id")),
        name: text(call.pointer("/function/name")),
        arguments: text(call.pointer("/function/arguments")).unwrap_or_default(),
        signature: None,
    };
    calls.into_iter().flatten().enumerate().map(read).collect()
}

/// An event with only part of what its first choice adds: what the caller does not have yet. `event` is in OpenAI's shape;
/// events behind the first one in it are kept as they are.
pub(super) fn remainder(event: &[u8], text: &str, calls: &[CallPiece]) -> Bytes {
    let (first, rest) = split_event(event);
    let bare = || json!({"object": "chat.completion.chunk", "choices": [{"index": 0}]});
    let mut chunk: Value = serde_json::from_slice(first).unwrap_or_else(|_| bare());
    let mut delta = Map::new();
    if !text.is_empty() {
        delta.insert("content".into(), json!(text));
    }
    if !calls.is_empty() {
        delta.insert("tool_calls".into(), calls.iter().map(call).collect());
    }
    if let Some(choice) = chunk.pointer_mut("/choices/0").and_then(Value::as_object_mut) {
        choice.insert("delta".into(), Value::Object(delta));
    }
    let mut bytes = BytesMut::from(&event_of(&chunk)[..]);
    bytes.extend_from_slice(rest);
    bytes.freeze()
}

/// The data of the first event, and what comes after its blank line.
fn split_event(event: &[u8]) -> (&[u8], &[u8]) {
    let data = event.strip_prefix(b"data: ").unwrap_or(event);
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (data.get(..end).unwrap_or_default(), data.get(end + 2..).unwrap_or_default()),
        None => (data, &[]),
    }
}

fn call(piece: &CallPiece) -> Value {
    let mut function = Map::new();
    function.extend(piece.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
    function.insert("arguments".into(), json!(piece.arguments));
    let mut call = Map::from_iter([("index".to_owned(), json!(piece.index)), ("function".to_owned(), function.into())]);
    if let Some(id) = &piece.id {
        call.insert("id".into(), json!(id));
        call.insert("type".into(), json!("function"));
    }
    call.into()
}

/// In a stream every call has its index.
fn number_calls(message: &mut Value) {
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
    for (index, call) in calls.enumerate() {
        if let Some(call) = call.as_object_mut() {
            call.entry("index").or_insert(json!(index));
        }
    }
}

fn event_of(chunk: &Value) -> Bytes {
    Bytes::from(format!("data: {chunk}\n\n"))
}
