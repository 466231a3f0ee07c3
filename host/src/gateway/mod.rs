//! The HTTP front door: an endpoint in OpenAI's shape, for any program that speaks to one.
//!
//! The way of a request: `door` accepts a connection, `connection` serves it (`pulse` ends those that keep it waiting,
//! `framing` refuses heads that two servers would read differently); `reception` finds the endpoint by method and path, and
//! `keys` lets its client in; `inbound` reads the body, `wishes` what the client asks of Backstop itself; `chat` and `embeddings`
//! have the library answer, or `messages` in Anthropic's shape; `reply` writes what is said in headers, `events` the stream, and
//! `replays` keeps what may be asked for again. `status` alone chooses statuses. `admin` is what operators see and steer, `reload`
//! takes up a changed configuration, `dashboard` is the page that shows it all.

mod door;
mod bounds;
mod connection;
mod pulse;
mod framing;
mod stream_io;
mod reception;
mod endpoint;
mod pages;
pub mod keys;
mod inbound;
mod sound_json;
mod wishes;
mod replays;
mod chat;
mod embeddings;
mod messages;
mod models;
mod admin;
mod reload;
mod refusal;
mod status;
mod reply;
mod held;
mod events;
mod dashboard;

pub use bounds::Bounds;
pub use door::{BindError, Gateway};
pub use reload::Reload;
pub use status::status_of;
