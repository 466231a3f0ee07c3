//! The only place that opens outgoing connections.

mod call;
mod error;
mod connector;
mod http;
mod sse;
mod ndjson;
mod splitter;
mod tls;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod secured_tests;

pub use call::{ByteStream, HttpCall, HttpReply, Transport, collect};
pub use error::TransportError;
pub use http::HttpTransport;
pub use ndjson::LineSplitter;
pub use splitter::Splitter;
pub use sse::{SseError, SseEvent, SseSplitter};
