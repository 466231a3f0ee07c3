//! Gemini's generateContent protocol.

// A request.
mod request;
mod contents;
mod generation;
mod model;
// A reply.
mod response;
mod stream;
mod answer;
mod pieces;
mod finish;
mod usage;

pub(super) use request::{encode, unsupported};
pub(super) use response::decode;
pub(super) use stream::Stream;

#[cfg(test)]
mod recorded;
