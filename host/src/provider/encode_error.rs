//! Why a request cannot be put into a target's wire protocol.

use thiserror::Error;

/// Why a request cannot be put into a target's wire protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The protocol, or the model, has no way to say it. Known before anything is sent.
    #[error("{0}")]
    Unsupported(String),
    /// A part of the request is not what OpenAI's chat protocol has there.
    #[error("{place} must be {expected}")]
    Invalid {
        /// Which part, such as `messages[2].content`.
        place: String,
        /// What belongs there.
        expected: &'static str,
    },
}
