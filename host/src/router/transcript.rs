//! What of an answer the caller has been given: what another target must go on from.

use crate::provider::CallPiece;

use super::Chunk;

/// An answer as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Transcript {
    /// Its text.
    pub(super) text: String,
    /// The tools it calls, oldest first.
    pub(super) calls: Vec<CallSoFar>,
}

/// A call of a tool as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CallSoFar {
    /// Its index in the stream.
    pub(super) index: usize,
    /// Its id, where it has one.
    pub(super) id: Option<String>,
    /// The tool.
    pub(super) name: String,
    /// Its arguments: the beginning of a JSON text.
    pub(super) arguments: String,
}

/// The most bytes of an answer that are kept for another target to go on from: more than any model writes at a time.
pub(super) const MOST_KEPT: usize = 1 << 20;

impl Transcript {
    /// The bytes it takes.
    pub(super) fn size(&self) -> usize {
        let of_call = |call: &CallSoFar| size_of::<CallSoFar>() + call.name.len() + call.arguments.len();
        self.text.len() + self.calls.iter().map(of_call).sum::<usize>()
    }

    /// Takes in a chunk.
    pub(super) fn add_chunk(&mut self, chunk: &Chunk) {
        self.text.push_str(&chunk.text);
        for piece in &chunk.calls {
            self.add_call(piece);
        }
    }

    /// Takes in a piece of a call; its place among the calls.
    pub(super) fn add_call(&mut self, piece: &CallPiece) -> usize {
        // Some providers give every call of a stream the index 0: an id of its own makes it another one.
        let is_same = |call: &CallSoFar| {
            call.index == piece.index && (piece.id.is_none() || call.id.is_none() || call.id == piece.id)
        };
        let place = match self.calls.iter().rposition(is_same) {
            Some(place) => place,
            None => {
                self.calls.push(CallSoFar { index: piece.index, ..CallSoFar::default() });
                self.calls.len() - 1
            }
        };
        if let Some(call) = self.calls.get_mut(place) {
            call.id = call.id.take().or_else(|| piece.id.clone());
            call.name.push_str(piece.name.as_deref().unwrap_or_default());
            call.arguments.push_str(&piece.arguments);
        }
        place
    }
}
