//! Ollama's own chat protocol.

// A request.
mod request;
mod messages;
mod options;
// A reply.
mod response;
mod stream;
mod answer;

pub(super) use options::output_limit;
pub(super) use request::{encode, unsupported};
pub(super) use response::decode;
pub(super) use stream::Stream;

#[cfg(test)]
mod recorded;
