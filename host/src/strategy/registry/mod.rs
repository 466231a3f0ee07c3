//! Components that come from a registry, and go there, in the shape that wkg and the CNCF agreed on.
//!
//! What a reference leads to is judged by its manifest (`manifest`) before anything is downloaded, fetched by the registries' own protocol
//! (`session`, `challenge`), proven by its digest, and kept (`copies`) for when the registry is away. All of it waits, so it has a
//! thread and a runtime of its own (`aside`).

mod fetch;
mod publish;
mod manifest;
mod session;
mod challenge;
mod copies;
mod aside;
mod error;

pub use error::RegistryError;
pub use fetch::{Pulled, pull};
pub use publish::{PublishError, Published, publish};

pub(super) use fetch::fetch;
