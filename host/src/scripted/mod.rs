//! A provider that fails on cue: real HTTP on loopback, for demos, for our tests and for yours.
//!
//! Point any client at [`ScriptedProvider::base_url`] and say what each call gets: an answer (whole or streamed, as the
//! request asks), one of the errors real providers send, or a fault of the wire that no web framework can produce.
//!
//! ```
//! use std::time::Duration;
//! use backstop::scripted::{Answer, Fault, Place, Reply, Script, ScriptedProvider};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let script = Script::new()
//!     .then(Reply::rate_limited(Duration::from_secs(2)))
//!     .then(Reply::answer("Paris is the capital of France.").at(Place::AfterTokens(3), Fault::Reset))
//!     .then(Answer::new("Paris").usage(12, 1))
//!     .forever();
//! let provider = ScriptedProvider::start(script).await?;
//!
//! println!("export OPENAI_BASE_URL={}", provider.base_url());
//! assert_eq!(provider.call_count(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! It speaks four protocols and answers in the one whose path is called: OpenAI's, Anthropic's (`/v1/messages`), Gemini's
//! (`…:generateContent`) and Ollama's (`/api/chat`). The last three begin at [`ScriptedProvider::root_url`]. An answer to a call
//! of `…/embeddings` is a vector for each input.
//!
//! The server stands for the world outside: it keeps real time of its own, whatever clock the code under test is given,
//! and is not meant for a runtime whose time is paused.

mod received;
mod script;
mod answer;
mod tool_call;
mod object;
mod usage;
mod completion;
mod embeddings;
mod anthropic;
mod gemini;
mod ollama;
mod events;
mod shape;
mod reply;
mod errors;
pub(crate) mod bodies;
mod retry_after;
mod fault;
mod parts;
mod plan;
mod inbound;
mod stage;
mod connection;
mod server;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Ending, Newline};
pub use fault::{Fault, Gate, Place};
pub use received::ReceivedCall;
pub use reply::Reply;
pub use retry_after::RetryAfter;
pub use script::Script;
pub use server::{ScriptedProvider, UnreachableProvider};
