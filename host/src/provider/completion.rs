//! A whole answer, read.

use bytes::Bytes;

use crate::types::Usage;

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The reply in OpenAI's shape: as it came, where the provider speaks that itself.
    pub body: Bytes,
    /// The text of the first choice; empty where it has none.
    pub text: String,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// What the provider counted, where that can be believed.
    pub usage: Option<Usage>,
    /// Why the answer ended, such as `stop`, `length`, `tool_calls`.
    pub finish_reason: Option<String>,
    /// Whether the answer calls tools.
    pub has_tool_calls: bool,
}
