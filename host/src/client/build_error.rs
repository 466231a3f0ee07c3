//! Why a [`Backstop`](super::Backstop) could not be made.

use thiserror::Error;

use crate::config::{ConfigError, Problem, StrategyNameError};
use crate::strategy::LoadStrategyError;

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
    /// The word for a strategy names none.
    #[error(transparent)]
    StrategyName(#[from] StrategyNameError),
    /// The system has no thread for a strategy in the shadow.
    #[error("no strategy can be asked in the shadow: {0}")]
    Shadow(std::io::Error),
    /// The task that loads strategies was stopped.
    #[error("loading was interrupted")]
    Interrupted,
}
