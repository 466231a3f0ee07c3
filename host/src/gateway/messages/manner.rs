//! How an answer is to be written, as far as its request decides it.

/// What the writing of an answer must know of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) thoughts: Thoughts,
    /// Where the answer was to stop.
    pub(super) stops: Vec<String>,
}

/// Whether thoughts are shown. Many clients take the first block for the answer unless they have asked for thoughts, as
/// Anthropic sends them none then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thoughts {
    Shown,
    Hidden,
}
