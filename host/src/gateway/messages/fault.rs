//! What is wrong with a request, and where.

use thiserror::Error;

/// A request that is no message request. Worded for the client who sent it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {fault}")]
pub(in crate::gateway) struct Fault {
    /// Where, as Anthropic names places: `messages.0.content.1`.
    pub(in crate::gateway) place: String,
    /// What.
    pub(super) fault: String,
}

impl Fault {
    pub(super) fn at(place: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { place: place.into(), fault: fault.into() }
    }

    /// The same fault, seen from outside.
    pub(super) fn within(self, outer: &str) -> Self {
        let place = if self.place.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.place) };
        Self { place, ..self }
    }
}
