//! The blocks of a streamed answer: one is open at a time, and the next kind of content closes it.

use bytes::BytesMut;
use serde_json::{Value, json};

use super::manner::Thoughts;
use super::said::{Call, Said};
use super::state::{self, Detail};
use super::stream::put;

/// The blocks so far.
pub(super) struct Blocks {
    thoughts: Thoughts,
    open: Open,
    /// How many have begun.
    begun: usize,
    /// The calls that have begun, each with its block.
    calls: Vec<(usize, usize)>,
    /// Whose the thoughts are, where they may go back to nobody else: told once.
    origin: Option<String>,
}

/// The block that is open.
enum Open {
    None,
    Text,
    /// A thought, with what must come back of it.
    Thought(Detail),
    Call,
}

impl Blocks {
    pub(super) fn new(thoughts: Thoughts) -> Self {
        Self { thoughts, open: Open::None, begun: 0, calls: Vec::new(), origin: None }
    }

    /// Writes what a piece adds.
    pub(super) fn write(&mut self, out: &mut BytesMut, said: Said) {
        if self.thoughts == Thoughts::Shown {
            self.write_thoughts(out, &said);
        }
        if !said.text.is_empty() {
            if !matches!(self.open, Open::Text) {
                self.begin(out, Open::Text, &json!({"type": "text", "text": ""}));
            }
            self.extend(out, &json!({"type": "text_delta", "text": said.text}));
        }
        for call in said.calls {
            self.write_call(out, call);
        }
    }

    /// Closes the block that is open.
    pub(super) fn close(&mut self, out: &mut BytesMut) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            Open::Thought(detail) if !detail.is_empty() => {
                self.extend(out, &json!({"type": "signature_delta", "signature": state::signature(&detail)}));
            }
            Open::Thought(_) | Open::Text | Open::Call => {}
        }
        put(out, &json!({"type": "content_block_stop", "index": self.last()}));
    }

    fn write_thoughts(&mut self, out: &mut BytesMut, said: &Said) {
        self.origin = self.origin.take().or_else(|| said.origin.clone());
        if !said.reasoning.is_empty() {
            self.think(out, &said.reasoning);
        }
        for detail in &said.details {
            match state::words(detail) {
                Some(words) => self.write_detail(out, detail, words, said.reasoning.is_empty()),
                None => self.seal(out, &state::sealed(detail)),
            }
        }
    }

    /// A thought that comes back. One that carries its origin is whole, and its words have mostly come before it; others come in
    /// pieces, with the same words twice.
    fn write_detail(&mut self, out: &mut BytesMut, detail: &Detail, words: &str, is_wordless: bool) {
        let is_whole = detail.contains_key("origin");
        let is_open = matches!(self.open, Open::Thought(_));
        if !is_open || (is_wordless && !is_whole && !words.is_empty()) {
            self.think(out, words);
        }
        if let Open::Thought(known) = &mut self.open {
            let more = detail.iter().filter(|(name, value)| *name != "text" && !value.is_null());
            known.extend(more.map(|(name, value)| (name.clone(), value.clone())));
        }
        if is_whole {
            self.close(out);
        }
    }

    fn think(&mut self, out: &mut BytesMut, words: &str) {
        if !matches!(self.open, Open::Thought(_)) {
            let block = json!({"type": "thinking", "thinking": "", "signature": ""});
            let origin = self.origin.as_ref().map(|origin| ("origin".to_owned(), json!(origin)));
            self.begin(out, Open::Thought(origin.into_iter().collect()), &block);
        }
        if !words.is_empty() {
            self.extend(out, &json!({"type": "thinking_delta", "thinking": words}));
        }
    }

    /// A thought that nobody may read comes in one piece.
    fn seal(&mut self, out: &mut BytesMut, data: &str) {
        self.begin(out, Open::Text, &json!({"type": "redacted_thinking", "data": data}));
        self.close(out);
    }

    fn write_call(&mut self, out: &mut BytesMut, call: Call) {
        let known = self.calls.iter().find(|(index, _)| *index == call.index).map(|(_, block)| *block);
        let block = match known {
            Some(block) => block,
            None => self.begin_call(out, &call),
        };
        if !call.arguments.is_empty() {
            // Of a call that others have followed, too: clients put arguments together by the block's number.
            let delta = json!({"type": "input_json_delta", "partial_json": call.arguments});
            put(out, &json!({"type": "content_block_delta", "index": block, "delta": delta}));
        }
    }

    fn begin_call(&mut self, out: &mut BytesMut, call: &Call) -> usize {
        let id = call.id.as_deref().unwrap_or_default();
        if let (Some(extra), Thoughts::Shown) = (&call.extra, self.thoughts) {
            self.seal(out, &state::of_call(id, extra));
        }
        let name = call.name.as_deref().unwrap_or_default();
        let block = self.begun;
        self.begin(out, Open::Call, &json!({"type": "tool_use", "id": id, "name": name, "input": {}}));
        self.calls.push((call.index, block));
        block
    }

    fn begin(&mut self, out: &mut BytesMut, open: Open, block: &Value) {
        self.close(out);
        put(out, &json!({"type": "content_block_start", "index": self.begun, "content_block": block}));
        self.open = open;
        self.begun += 1;
    }

    fn extend(&self, out: &mut BytesMut, delta: &Value) {
        put(out, &json!({"type": "content_block_delta", "index": self.last(), "delta": delta}));
    }

    fn last(&self) -> usize {
        self.begun.saturating_sub(1)
    }
}
