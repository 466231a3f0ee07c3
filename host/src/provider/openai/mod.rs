//! The chat protocol as OpenAI defined it, which nearly every provider speaks in a dialect of its own.

mod request;
mod history;
mod adapted;
mod response;
mod stream;
mod message;
mod usage;
mod embeddings;

pub use embeddings::{Vectors, decode_embeddings, encode_embeddings};
pub use response::{content_filtered, is_filtered};

pub(super) use request::encode;
pub(super) use response::decode;
pub(super) use stream::decode_event;
