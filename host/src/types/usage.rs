//! The tokens a provider says an answer took.

use serde::{Deserialize, Serialize};

/// Tokens of one answer, as its provider counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, the cached ones among them.
    pub input: u64,
    /// All output tokens, the reasoning ones among them.
    pub output: u64,
    /// Input tokens that were read from the provider's prompt cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    /// Input tokens that were written to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_creation: u64,
    /// Output tokens spent on reasoning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning: u64,
}

impl Usage {
    /// Input and output together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Input tokens that were read from the prompt cache or written to it.
    #[must_use]
    pub fn cached(&self) -> u64 {
        self.cache_read.saturating_add(self.cache_creation)
    }

    /// All input tokens, also where a provider's sum leaves the cached ones out.
    #[must_use]
    pub fn all_input(&self) -> u64 {
        self.input.max(self.cached())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_zero(tokens: &u64) -> bool {
    *tokens == 0
}
