//! A reply as it is kept: what was said, by whom, and since when.

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Moment;
use crate::provider::CallPiece;
use crate::types::{TargetName, Usage};

/// Bytes that are reckoned for a reply, or an event of one, besides its words.
const BESIDES: usize = 200;

/// A whole and sound reply.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptReply {
    /// Who gave it.
    pub target: Arc<TargetName>,
    /// Its text.
    pub text: String,
    /// What its provider counted, when it was given.
    pub usage: Option<Usage>,
    /// Why it ended.
    pub finish_reason: Option<String>,
    /// Its words, as callers get them.
    pub words: KeptWords,
    /// When it was given.
    pub kept_at: Moment,
}

/// A reply's words in OpenAI's shape.
#[derive(Debug, Clone, PartialEq)]
pub enum KeptWords {
    /// In one piece.
    Whole(Bytes),
    /// As events.
    Events(Vec<KeptEvent>),
}

/// An event of a streamed reply.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptEvent {
    /// The text it adds.
    pub text: String,
    /// The pieces of tool calls it adds.
    pub calls: Vec<CallPiece>,
    /// The event itself, with the blank line that ends it.
    pub raw: Bytes,
}

impl KeptReply {
    /// The bytes it takes up, about.
    #[must_use]
    pub fn size(&self) -> usize {
        let words = match &self.words {
            KeptWords::Whole(body) => body.len(),
            KeptWords::Events(events) => events.iter().map(KeptEvent::size).sum(),
        };
        BESIDES + self.text.len() + words
    }
}

impl KeptEvent {
    /// The bytes it takes up, about.
    #[must_use]
    pub fn size(&self) -> usize {
        let calls = self.calls.iter().map(|call| BESIDES + call.arguments.len());
        BESIDES + self.text.len() + self.raw.len() + calls.sum::<usize>()
    }
}
