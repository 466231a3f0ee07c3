//! The events of a streamed answer as Anthropic's: written from OpenAI's as they come, with no wait between the two.
//!
//! Tokens are counted when an answer has ended, so that the first event tells none and the last but one tells all.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::transport::SseSplitter;
use crate::types::{RequestId, Usage};

use super::blocks::Blocks;
use super::finish::{Finish, message_id, usage};
use super::manner::Manner;
use super::said::Said;

/// An answer as far as it is written.
pub(super) struct Writer {
    id: RequestId,
    manner: Manner,
    has_begun: bool,
    blocks: Blocks,
    finish: Finish,
}

impl Writer {
    /// An answer that has not begun.
    pub(super) fn new(id: RequestId, manner: Manner) -> Self {
        let blocks = Blocks::new(manner.thoughts);
        Self { id, manner, has_begun: false, blocks, finish: Finish::default() }
    }

    /// Writes what a piece of OpenAI's stream says: one event or several, with comments before them.
    pub(super) fn write(&mut self, piece: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        let mut splitter = SseSplitter::with_limit(piece.len());
        splitter.feed(piece);
        while let Ok(Some(event)) = splitter.next_event() {
            self.write_event(&mut out, event.data.as_deref());
        }
        if let Ok(Some(event)) = splitter.finish() {
            self.write_event(&mut out, event.data.as_deref());
        }
        if out.is_empty() && self.has_begun && self.finish.reason.is_none() {
            // A sign of life: thoughts that are not shown, a comment.
            put(&mut out, &json!({"type": "ping"}));
        }
        out.freeze()
    }

    /// Writes the end of an answer that is whole.
    pub(super) fn end(mut self, reason: Option<String>, counted: Option<Usage>) -> Bytes {
        let mut out = BytesMut::new();
        self.begin(&mut out, &Said::default());
        self.blocks.close(&mut out);
        let finish = Finish { reason: reason.or(self.finish.reason), ..self.finish };
        let (stop_reason, stop_sequence) = finish.told(&self.manner);
        let delta = json!({"stop_reason": stop_reason, "stop_sequence": stop_sequence});
        put(&mut out, &json!({"type": "message_delta", "delta": delta, "usage": usage(counted)}));
        put(&mut out, &json!({"type": "message_stop"}));
        out.freeze()
    }

    fn write_event(&mut self, out: &mut BytesMut, data: Option<&[u8]>) {
        let Some(Ok(event)) = data.map(serde_json::from_slice::<&RawValue>) else { return };
        let said = Said::read(event);
        self.begin(out, &said);
        self.finish.calls |= !said.calls.is_empty();
        self.finish.reason = said.finish.clone().or(self.finish.reason.take());
        self.finish.native = said.native.clone().or(self.finish.native.take());
        self.blocks.write(out, said);
    }

    fn begin(&mut self, out: &mut BytesMut, said: &Said) {
        if self.has_begun {
            return;
        }
        self.has_begun = true;
        let message = json!({
            "id": message_id(said.id.as_deref(), self.id),
            "type": "message",
            "role": "assistant",
            "model": said.model.as_deref().unwrap_or_default(),
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage(None),
        });
        put(out, &json!({"type": "message_start", "message": message}));
    }
}

/// Writes an event; its name is its type.
pub(super) fn put(out: &mut BytesMut, event: &Value) {
    let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
    out.extend_from_slice(format!("event: {name}\ndata: {event}\n\n").as_bytes());
}
