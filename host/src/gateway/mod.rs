//! The HTTP front door: an endpoint in OpenAI's shape, for any program that speaks to one.
//!
//! The way of a request: `door` accepts a connection, `connection` serves it (`pulse` ends those that keep it waiting,
//! `framing` refuses heads that two servers would read differently); `reception` finds the endpoint by method and path;
//! `inbound` reads the body, `wishes` what the client asks of Backstop itself; `chat` has the library answer, or `messages`
//! in Anthropic's shape; `reply` writes what is said in headers, `events` the stream. `status` alone chooses statuses.

mod door;
mod bounds;
mod connection;
mod pulse;
mod framing;
mod stream_io;
mod reception;
mod inbound;
mod sound_json;
mod wishes;
mod chat;
mod messages;
mod models;
mod refusal;
mod status;
mod reply;
mod events;

pub use bounds::Bounds;
pub use door::{BindError, Gateway};
