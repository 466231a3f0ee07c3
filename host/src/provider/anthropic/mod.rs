//! Anthropic's Messages protocol.

mod model;
mod request;
mod conversation;
mod call_id;
mod image;
mod sent;
mod schema;
mod tools;
mod format;
mod thinking;
mod sampling;
mod extras;
mod response;
mod stream;
mod open;
mod block;
mod finish;
mod usage;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod recordings;

pub(super) use request::{can_prefill, encode, output_limit, unsupported};
pub(super) use response::decode;
pub(super) use stream::Stream;
