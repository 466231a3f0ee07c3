//! What a request asks for: an answer, or embeddings.

use std::sync::Arc;
use std::time::Duration;

use crate::types::{ChatRequest, EmbeddingRequest, KeyAccount, Needs, Purse, TraceParent};

use super::Router;
use super::outgoing::Outlook;
use super::output::Output;
use super::seat::Seat;

/// What a request asks for. Whatever is not about the wire is the same for both.
#[derive(Clone)]
pub(super) enum Asked {
    /// An answer, whole or as a stream.
    Chat(Arc<ChatRequest>),
    /// Embeddings.
    Embeddings(Arc<EmbeddingRequest>),
}

impl Asked {
    /// The chat it is, where it is one.
    pub(super) fn chat(&self) -> Option<&Arc<ChatRequest>> {
        match self {
            Self::Chat(request) => Some(request),
            Self::Embeddings(_) => None,
        }
    }

    pub(super) fn labels(&self) -> &[(String, String)] {
        match self {
            Self::Chat(request) => &request.labels,
            Self::Embeddings(request) => &request.labels,
        }
    }

    /// The caller's own trace.
    pub(super) fn parent(&self) -> Option<TraceParent> {
        match self {
            Self::Chat(request) => request.parent,
            Self::Embeddings(request) => request.parent,
        }
    }

    /// The gateway's key it came with.
    pub(super) fn key(&self) -> Option<&KeyAccount> {
        match self {
            Self::Chat(request) => request.key.as_ref(),
            Self::Embeddings(request) => request.key.as_ref(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Chat(request) => request.deadline,
            Self::Embeddings(request) => request.deadline,
        }
    }

    /// The caller's own text to fall back on. No vector can stand in for another.
    pub(super) fn fallback_text(&self) -> Option<&str> {
        match self {
            Self::Chat(request) => request.fallback_text.as_deref(),
            Self::Embeddings(_) => None,
        }
    }

    /// The caller's own bound to what the request may cost, and where the sum is entered.
    pub(super) fn purse(&self) -> Option<&Arc<Purse>> {
        match self {
            Self::Chat(request) => request.purse.as_ref(),
            Self::Embeddings(_) => None,
        }
    }

    /// Whether several answers are wanted at once, which cannot be told apart well enough to go on with one that breaks off.
    pub(super) fn asks_for_several(&self) -> bool {
        match self {
            Self::Chat(request) => request.fields().get("n").is_some_and(|n| !matches!(n.get(), "1" | "null")),
            Self::Embeddings(_) => false,
        }
    }
}

impl Router {
    /// What a target must be capable of.
    pub(super) fn needs_of(&self, asked: &Asked) -> Needs {
        match asked {
            Asked::Chat(request) => self.needs(request),
            Asked::Embeddings(request) => request.needs(),
        }
    }

    /// What is known of the request at each target of a route before it is sent.
    pub(super) fn outlooks_of(&self, asked: &Asked, streaming: bool, roster: &[Seat]) -> Vec<Outlook> {
        match asked {
            Asked::Chat(request) => self.outlooks(request, streaming, roster),
            Asked::Embeddings(_) => roster.iter().map(|_| Outlook { shortfall: None, output: Output::NONE }).collect(),
        }
    }

    /// The output tokens that a request names, wherever it goes: its caller's word, its purpose's, the operator's for everyone.
    pub(super) fn usual_output(&self, asked: &Asked, needs: &Needs) -> Output {
        match asked {
            Asked::Chat(request) => {
                let named = needs.max_output_tokens.or_else(|| self.default_max_tokens(request));
                Output::of(named, self.answers(request), None)
            }
            Asked::Embeddings(_) => Output::NONE,
        }
    }
}
