//! The blocks of a stream that have begun and not ended.

use std::collections::BTreeMap;

use crate::provider::chunk::EventFault;
use crate::provider::said::Thought;

/// Bytes of thoughts that are remembered at once. A longer one still reaches the caller in words, but not as a thought that
/// could come back.
const MOST_REMEMBERED: usize = 4 << 20;

/// Blocks that may be open at once. Anthropic opens one after the other.
pub(super) const MOST_OPEN: usize = 1_000;

/// A block that has begun.
#[derive(Debug, Clone)]
pub(super) enum Open {
    /// Text.
    Text,
    /// A thought, as far as it has come.
    Thought(Thought),
    /// A thought that grew too long to be remembered.
    Forgotten,
    /// A call of one of the caller's tools.
    ToolUse {
        /// Which call of the answer it is.
        call: usize,
        /// Where its arguments come from.
        arguments: Arguments,
    },
    /// Anything else.
    Other,
}

/// Where the arguments of a call come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Nothing has come yet.
    Awaited,
    /// They come in pieces.
    InPieces,
    /// They came whole with the beginning of the block: pieces after that would say them twice.
    AtOnce,
}

/// The open blocks, by their index.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenBlocks {
    blocks: BTreeMap<u64, Open>,
    /// Bytes of the thoughts among them.
    remembered: usize,
}

impl OpenBlocks {
    /// Begins a block.
    ///
    /// # Errors
    /// When too many are open.
    pub(super) fn begin(&mut self, index: u64, open: Open) -> Result<(), EventFault> {
        self.end(index);
        if self.blocks.len() >= MOST_OPEN {
            return Err(EventFault::Malformed(format!("more than {MOST_OPEN} blocks are open at once")));
        }
        let open = match open {
            Open::Thought(thought) => self.remember(thought),
            other => other,
        };
        self.blocks.insert(index, open);
        Ok(())
    }

    /// The block, where it has begun.
    pub(super) fn get_mut(&mut self, index: u64) -> Option<&mut Open> {
        self.blocks.get_mut(&index)
    }

    /// Changes a thought, where the block is one that is remembered.
    pub(super) fn extend_thought(&mut self, index: u64, extend: impl FnOnce(&mut Thought)) {
        let open = match self.end(index) {
            Some(Open::Thought(mut thought)) => {
                extend(&mut thought);
                self.remember(thought)
            }
            Some(other) => other,
            None => return,
        };
        self.blocks.insert(index, open);
    }

    /// Ends a block, and gives what was remembered of it.
    pub(super) fn end(&mut self, index: u64) -> Option<Open> {
        let open = self.blocks.remove(&index);
        if let Some(Open::Thought(thought)) = &open {
            self.remembered = self.remembered.saturating_sub(size(thought));
        }
        open
    }

    fn remember(&mut self, thought: Thought) -> Open {
        let remembered = self.remembered.saturating_add(size(&thought));
        if remembered > MOST_REMEMBERED {
            return Open::Forgotten;
        }
        self.remembered = remembered;
        Open::Thought(thought)
    }
}

fn size(thought: &Thought) -> usize {
    thought.text.len() + thought.signature.as_ref().map_or(0, String::len)
}
