//! What the benchmark's programs share: HTTP/1.1 as cheap as it gets, and what the scripted upstream says.

mod wire;
mod script;

pub use script::{CHUNKS, EVENTS_HEAD, LAST_EVENT, WORDS, event, reply, sentence};
pub use wire::{Framing, Head, Wire};
