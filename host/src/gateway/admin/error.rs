//! Why the admin API does not do what it was asked to.

use thiserror::Error;

use crate::accounting::store::StoreError;
use crate::client::{BuildError, ChangeError, UnknownProvider};

/// A call of the admin API that comes to nothing. Worded for the operator.
#[derive(Debug, Error)]
pub(crate) enum AdminError {
    #[error("no {what} is called {name:?}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Under which name.
        name: String,
    },
    #[error("{field}: {fault}")]
    Invalid {
        /// The field of the body or of the query.
        field: String,
        /// What is wrong with it, and what would be right.
        fault: String,
    },
    #[error("the body must be JSON, and `content-type` must say so: application/json")]
    NotJson,
    #[error("this gateway was not given a configuration that could be read again")]
    NoSource,
    #[error("the configuration is not used, and the one before it is kept: {0}")]
    Refused(BuildError),
    #[error("the strategy is not used, and the one before it is kept: {0}")]
    Change(ChangeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot be written as JSON: {0}")]
    Unwritable(serde_json::Error),
    #[error("the gateway is stopping")]
    Interrupted,
}

impl AdminError {
    /// The code of OpenAI's error shape.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Invalid { .. } => "invalid_request",
            Self::NotJson => "unsupported_content",
            Self::NoSource => "no_configuration_file",
            Self::Refused(_) => "configuration_refused",
            Self::Change(_) => "strategy_refused",
            Self::Store(_) | Self::Unwritable(_) => "store_failed",
            Self::Interrupted => "stopping",
        }
    }

    /// The field at fault, where it is one.
    pub(crate) fn param(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            _ => None,
        }
    }

    /// Each problem of a configuration that was refused.
    pub(crate) fn problems(&self) -> Vec<String> {
        match self {
            Self::Refused(BuildError::Config(error)) => error.problems.iter().map(ToString::to_string).collect(),
            Self::Refused(BuildError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
            Self::Refused(other) => vec![other.to_string()],
            _ => Vec::new(),
        }
    }
}

impl From<UnknownProvider> for AdminError {
    fn from(unknown: UnknownProvider) -> Self {
        Self::NotFound { what: "provider", name: unknown.0 }
    }
}

impl From<ChangeError> for AdminError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::UnknownRoute(name) => Self::NotFound { what: "route", name },
            other => Self::Change(other),
        }
    }
}
