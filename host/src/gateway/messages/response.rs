//! A whole answer as Anthropic's message.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::provider::json::object;
use crate::types::{RequestId, Usage};

use super::finish::{Finish, message_id, usage};
use super::manner::{Manner, Thoughts};
use super::said::{Call, Said};
use super::state;

/// A block of an answer.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Thinking { thinking: String, signature: String },
    RedactedThinking { data: String },
    Text { text: String },
    ToolUse { id: String, name: String, input: Box<RawValue> },
}

/// A message. `content` is apart as it keeps arguments as they came.
#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block>,
    stop_reason: &'static str,
    stop_sequence: Option<String>,
    usage: Value,
}

/// Writes a reply in OpenAI's shape anew.
pub(super) fn message(reply: &Bytes, counted: Option<Usage>, id: RequestId, manner: &Manner) -> Bytes {
    let said = serde_json::from_slice::<&RawValue>(reply).map(Said::read).unwrap_or_default();
    let finish = Finish { reason: said.finish.clone(), native: said.native.clone(), calls: !said.calls.is_empty() };
    let (stop_reason, stop_sequence) = finish.told(manner);
    let message = Message {
        id: &message_id(said.id.as_deref(), id),
        kind: "message",
        role: "assistant",
        model: &said.model.clone().unwrap_or_default(),
        content: content(said, manner),
        stop_reason,
        stop_sequence,
        usage: usage(counted),
    };
    // Text, numbers and JSON that was read before can be written.
    Bytes::from(serde_json::to_vec(&message).unwrap_or_default())
}

fn content(said: Said, manner: &Manner) -> Vec<Block> {
    let mut blocks = Vec::new();
    if manner.thoughts == Thoughts::Shown {
        blocks.extend(thoughts(&said));
        let kept = said.calls.iter().filter_map(|call| Some((call.id.as_deref()?, call.extra.as_ref()?)));
        blocks.extend(kept.map(|(id, extra)| Block::RedactedThinking { data: state::of_call(id, extra) }));
    }
    if !said.text.is_empty() {
        blocks.push(Block::Text { text: said.text });
    }
    blocks.extend(said.calls.into_iter().map(tool_use));
    blocks
}

/// The thoughts that come back, and those in words alone where there are none.
fn thoughts(said: &Said) -> Vec<Block> {
    let block = |detail: &state::Detail| match state::words(detail) {
        Some(words) => Block::Thinking { thinking: words.to_owned(), signature: state::signature(detail) },
        None => Block::RedactedThinking { data: state::sealed(detail) },
    };
    let mut blocks: Vec<Block> = said.details.iter().map(block).collect();
    let has_words = blocks.iter().any(|block| matches!(block, Block::Thinking { .. }));
    if !said.reasoning.is_empty() && !has_words {
        let signature = said.origin.as_deref().map_or_else(String::new, unproven);
        blocks.insert(0, Block::Thinking { thinking: said.reasoning.clone(), signature });
    }
    blocks
}

/// The signature of words that have none, and that nobody but their provider may see.
fn unproven(origin: &str) -> String {
    state::signature(&state::Detail::from_iter([("origin".to_owned(), json!(origin))]))
}

/// Arguments must be an object. A model that was cut off, or erred, may have left something else.
fn tool_use(call: Call) -> Block {
    let given = call.arguments.trim();
    let input = match object(if given.is_empty() { "{}" } else { given }) {
        Some(input) => input.to_owned(),
        None => serde_json::value::to_raw_value(&json!({"arguments": call.arguments})).unwrap_or_default(),
    };
    Block::ToolUse { id: call.id.unwrap_or_default(), name: call.name.unwrap_or_default(), input }
}
