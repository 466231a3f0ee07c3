//! Backstop answers an LLM request from whichever provider can, in the order a *strategy* decides.
//!
//! The strategy is a sandboxed WebAssembly component that anyone can replace; everything that must never go wrong (HTTP, keys,
//! cooldowns, limits, money, deadlines) is the host's. Begin with [`Backstop::builder`]:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use backstop::{Backstop, ChatRequest};
//!
//! let backstop = Backstop::builder().build().await?; // backstop.toml, .env and the environment
//! let answer = backstop.chat(ChatRequest::ask("What is the capital of France?")).await?;
//! println!("{}", answer.text);
//! # Ok(())
//! # }
//! ```
//!
//! ARCHITECTURE.md in the repository is the map.

// The journey of a request, top to bottom; a stage imports only those below it.
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod client;
pub mod router;
pub mod cache;
pub mod strategy;
pub mod telemetry;
#[cfg(feature = "store")]
pub mod fleet;
pub mod guard;
pub mod provider;
pub mod transport;
pub mod accounting;
#[cfg(feature = "store")]
pub mod shared;
pub mod config;
pub mod scripted;
#[doc(hidden)]
pub mod behind;
pub mod clock;
pub mod random;
pub mod types;

pub use client::{Backstop, BuildError, Builder};
pub use config::{Config, ProviderConfig};
#[cfg(feature = "gateway")]
pub use gateway::Gateway;
pub use router::{Answer, AnswerStream, Embeddings, RouteError, StreamError};
pub use types::{ChatRequest, EmbeddingRequest, Event, Failure, FailureKind, NanoUsd, Price};

/// The `http` crate, whose header types the transport's surface is made of.
pub use http;
