//! The only place that opens outgoing connections.

mod call;
mod error;
mod http;
mod sse;
mod tls;
#[cfg(test)]
mod scripted;

pub use call::{ByteStream, HttpCall, HttpReply, Transport, collect};
pub use error::TransportError;
pub use http::HttpTransport;
pub use sse::{SseError, SseEvent, SseSplitter};
