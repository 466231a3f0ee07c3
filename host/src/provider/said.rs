//! What an answer of another protocol says, or a piece of one, in words of none.

use super::chunk::CallPiece;
use super::content_filtered;
use crate::types::{Failure, FailureKind, Usage};

/// An answer, whole or a piece of it as it streams.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Said {
    /// The reply's own id, where it has one.
    pub id: Option<String>,
    /// The model that answers, as the provider names it.
    pub model: Option<String>,
    /// Text.
    pub text: String,
    /// Thoughts in words.
    pub reasoning: String,
    /// Thoughts that must come back to their provider as they are; each whole, never in pieces.
    pub thoughts: Vec<Thought>,
    /// Calls of tools, or pieces of them.
    pub calls: Vec<CallPiece>,
    /// Why the answer ended, where it does here.
    pub finish: Option<Finish>,
    /// What the provider counted so far.
    pub usage: Option<Usage>,
}

/// A thought with the proof that it is the provider's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Thought {
    /// In words; empty where nobody may read it.
    pub text: String,
    /// The proof.
    pub signature: Option<String>,
    /// What stands in place of the words.
    pub data: Option<String>,
    /// Whose form it has, such as `anthropic-claude-v1`.
    pub format: &'static str,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finish {
    /// In OpenAI's words: `stop`, `length`, `tool_calls`, `content_filter`.
    pub reason: &'static str,
    /// In the provider's.
    pub native: String,
}

impl Said {
    /// Takes what was said for a whole answer, with a count of tokens that can be believed.
    ///
    /// # Errors
    /// When nothing was said that anybody could use.
    pub(super) fn into_answer(mut self, status: u16) -> Result<Self, Failure> {
        // An answer of some words never took no tokens.
        self.usage = self.usage.filter(|usage| usage.output > 0 || self.text.is_empty());
        match self.finish.as_ref().map(|finish| (finish.reason, finish.native.as_str())) {
            _ if self.speaks() => Ok(self),
            Some(("content_filter", native)) => Err(content_filtered(native, status)),
            // The tokens may have been used up by thoughts that are not shown.
            Some(("length", _)) => Ok(self),
            Some(_) | None => {
                let words = "an empty answer: no text, no thought, no tool call";
                Err(Failure::new(FailureKind::MalformedReply, words).with_status(status))
            }
        }
    }

    /// Adds the next piece of the same answer.
    pub(super) fn add(&mut self, piece: Self) {
        self.id = self.id.take().or(piece.id);
        self.model = self.model.take().or(piece.model);
        self.text.push_str(&piece.text);
        self.reasoning.push_str(&piece.reasoning);
        self.thoughts.extend(piece.thoughts);
        self.calls.extend(piece.calls);
        self.finish = piece.finish.or(self.finish.take());
        self.usage = piece.usage.or(self.usage);
    }

    /// Whether it has words or calls; a mere proof of a thought is no beginning of an answer.
    pub(super) fn speaks(&self) -> bool {
        !self.text.is_empty() || !self.reasoning.is_empty() || !self.calls.is_empty()
    }

    /// Whether anything of the answer is in it: text, a thought, a tool call.
    pub(super) fn has_content(&self) -> bool {
        !self.text.is_empty() || !self.reasoning.is_empty() || !self.calls.is_empty() || !self.thoughts.is_empty()
    }

    /// Whether nothing at all is in it.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_content() && self.finish.is_none()
    }
}
