//! One event of a stream, read: what it adds to the answer, or how it ends it.

use bytes::Bytes;
use thiserror::Error;

use crate::types::{Failure, Usage};

/// What one event says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChunkFacts {
    /// Text that the first choice gains.
    pub text: String,
    /// Whether anything of the answer is in it: text, reasoning, a tool call, a refusal. The first such is the first token.
    pub has_content: bool,
    /// Calls of tools that the first choice gains, or pieces of them.
    pub calls: Vec<CallPiece>,
    /// Why the answer ended, where it does here.
    pub finish_reason: Option<String>,
    /// What the provider counted, where it says. Of several in one stream the last holds; they must not be added up.
    pub usage: Option<Usage>,
    /// Nothing is in it but usage: a caller who did not ask for it is spared the event.
    pub is_usage_only: bool,
    /// The model that answers, as the provider names it.
    pub model: Option<String>,
    /// The stream says that nothing follows.
    pub done: bool,
    /// The event in OpenAI's shape; `None` where the provider's own has that already. Empty where it says nothing to callers.
    pub event: Option<Bytes>,
}

/// A call of a tool, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallPiece {
    /// Which call of the answer it belongs to, from 0.
    pub index: usize,
    /// The call's id, on its first piece.
    pub id: Option<String>,
    /// The tool's name, on its first piece.
    pub name: Option<String>,
    /// More of the arguments: JSON text.
    pub arguments: String,
    /// Gemini's thought signature.
    pub signature: Option<String>,
}

/// Why an event is no chunk.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EventFault {
    /// The provider says that the answer failed.
    #[error("{0}")]
    Failure(Box<Failure>),
    /// The event cannot be read; the stream may go on all the same.
    #[error("an event that is not a JSON object: {0}")]
    Malformed(String),
}
