//! Why a [`Backstop`](super::Backstop) could not be made.

use thiserror::Error;

use crate::config::{ConfigError, OciReferenceError, Problem};
use crate::strategy::{BUILT_IN, LoadStrategyError};

/// Why a [`Backstop`](super::Backstop) could not be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The file or the environment is at fault; all problems are listed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration made in code is at fault.
    #[error("the configuration does not hold together:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Problems(Vec<Problem>),
    /// A route's strategy could not be loaded.
    #[error("route {route:?}: could not load strategy {strategy:?}: {source}")]
    Strategy {
        /// The route.
        route: String,
        /// Its strategy.
        strategy: String,
        /// Why not.
        source: LoadStrategyError,
    },
    /// The strategy named is neither built in nor a path nor a reference.
    #[error("no strategy is called {0:?}; built in are {list}, a path ends in .wasm, and oci:// names one in a registry", list = BUILT_IN.join(", "))]
    UnknownStrategy(String),
    /// The strategy's place in a registry is no place.
    #[error(transparent)]
    Reference(#[from] OciReferenceError),
    /// The system has no thread for a strategy in the shadow.
    #[error("no strategy can be asked in the shadow: {0}")]
    Shadow(std::io::Error),
    /// The task that loads strategies was stopped.
    #[error("loading was interrupted")]
    Interrupted,
}
