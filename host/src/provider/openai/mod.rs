//! The chat protocol as OpenAI defined it, which nearly every provider speaks in a dialect of its own.

mod request;
mod response;
mod stream;
mod message;
mod usage;
mod json;

pub use request::{Call, Defaults, HeaderError};
pub use response::{Completion, content_filtered, is_filtered};
pub use stream::{ChunkFacts, EventFault};

pub(super) use request::{encode, headers};
pub(super) use response::decode;
pub(super) use stream::decode_event;
