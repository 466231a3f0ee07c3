//! Why a request could not be served.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::types::{AttemptRecord, ErrorKind, Failure, NanoUsd, RequestId, TargetName};

/// Ends a request. Each kind names the request, so that its record can be asked for.
#[derive(Debug, Error)]
pub enum RouteError {
    /// The caller named a model that is no route, no target and no target's model of the kind that was wanted.
    #[error("{} is called {model:?}{}", .wanted.nobody(), .wanted.suggestion(.nearest.as_deref()))]
    UnknownModel {
        /// What was named.
        model: String,
        /// What for.
        wanted: Wanted,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The caller named a provider that is not configured.
    #[error("no provider is called {provider:?}{}", suggestion(.nearest.as_deref()))]
    UnknownProvider {
        /// What was named.
        provider: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The caller named a purpose that is not configured.
    #[error("no purpose is called {purpose:?}{}", suggestion(.nearest.as_deref()))]
    UnknownPurpose {
        /// What was named.
        purpose: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The provider refused the request itself; every other one would say the same, or may not be asked.
    #[error("{target} refused the request: {}", .failure.message)]
    Rejected {
        /// The request.
        id: RequestId,
        /// Who refused it.
        target: Arc<TargetName>,
        /// The provider's own words and code.
        failure: Box<Failure>,
        /// Every attempt, oldest first.
        attempts: Vec<AttemptRecord>,
    },
    /// Every attempt failed.
    #[error("every provider failed:{}", Lines(.attempts))]
    AllFailed {
        /// The request.
        id: RequestId,
        /// Every attempt, oldest first: each provider's own error.
        attempts: Vec<AttemptRecord>,
        /// When trying again may help, where that is known.
        retry_after: Option<Duration>,
    },
    /// Nothing could be tried: every target is cooling down, tripped, limited, unfit or out.
    #[error("no target can take the request now: {}", .reasons.join("; "))]
    Unavailable {
        /// The request.
        id: RequestId,
        /// Each target and why not.
        reasons: Vec<String>,
        /// When trying again may help, where that is known.
        retry_after: Option<Duration>,
    },
    /// The deadline passed before anyone had answered.
    #[error("no answer within {deadline:?}:{}", Lines(.attempts))]
    DeadlineExceeded {
        /// The request.
        id: RequestId,
        /// How long it had.
        deadline: Duration,
        /// Every attempt, oldest first.
        attempts: Vec<AttemptRecord>,
    },
    /// The request would break a budget; nothing was sent for it that the budget did not cover.
    #[error("the request does not fit the budget: {reason}")]
    BudgetExceeded {
        /// The request.
        id: RequestId,
        /// Which budget, in words.
        reason: String,
        /// What the cheapest target would have cost at most.
        estimated: Option<NanoUsd>,
        /// Every attempt made before, oldest first.
        attempts: Vec<AttemptRecord>,
    },
    /// A budget is set, and what is spent could not be entered into the ledger: nothing was sent that costs anything.
    #[error("nothing may be spent at the moment: {reason}")]
    LedgerUnavailable {
        /// The request.
        id: RequestId,
        /// What is wrong with the ledger.
        reason: String,
        /// Every attempt made before, oldest first.
        attempts: Vec<AttemptRecord>,
    },
}

/// What a model was wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A chat.
    Chat,
    /// Embeddings.
    Embeddings,
}

impl RouteError {
    /// The HTTP calls that were made for the request, oldest first.
    #[must_use]
    pub fn attempts(&self) -> &[AttemptRecord] {
        match self {
            Self::Rejected { attempts, .. }
            | Self::AllFailed { attempts, .. }
            | Self::DeadlineExceeded { attempts, .. }
            | Self::BudgetExceeded { attempts, .. }
            | Self::LedgerUnavailable { attempts, .. } => attempts,
            Self::UnknownModel { .. }
            | Self::UnknownProvider { .. }
            | Self::UnknownPurpose { .. }
            | Self::Unavailable { .. } => &[],
        }
    }

    /// The request's name, where it got as far as to have one.
    #[must_use]
    pub fn id(&self) -> Option<RequestId> {
        match self {
            Self::Rejected { id, .. }
            | Self::AllFailed { id, .. }
            | Self::Unavailable { id, .. }
            | Self::DeadlineExceeded { id, .. }
            | Self::BudgetExceeded { id, .. }
            | Self::LedgerUnavailable { id, .. } => Some(*id),
            Self::UnknownModel { .. } | Self::UnknownProvider { .. } | Self::UnknownPurpose { .. } => None,
        }
    }

    /// What kind of error it is; `None` where there was no request yet that could have ended.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::UnknownModel { .. } | Self::UnknownProvider { .. } | Self::UnknownPurpose { .. } => None,
            Self::Rejected { .. } => Some(ErrorKind::Rejected),
            Self::AllFailed { .. } => Some(ErrorKind::AllProvidersFailed),
            Self::Unavailable { .. } => Some(ErrorKind::NoProviderAvailable),
            Self::DeadlineExceeded { .. } => Some(ErrorKind::DeadlineExceeded),
            Self::BudgetExceeded { .. } => Some(ErrorKind::BudgetExceeded),
            Self::LedgerUnavailable { .. } => Some(ErrorKind::LedgerUnavailable),
        }
    }

    /// Whether the caller's own fallback text may stand in: the providers are at fault, not the request.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        self.kind().is_some_and(ErrorKind::is_outage)
    }

    /// Whether every target was tried or at rest, and none of them answered.
    pub(super) fn is_everyones_failure(&self) -> bool {
        matches!(self, Self::AllFailed { .. } | Self::Unavailable { .. })
    }
}

/// A stream that broke after part of it had reached the caller.
#[derive(Debug, Error)]
#[error("{target} stopped in the middle of its answer: {}", .failure.message)]
pub struct StreamError {
    /// The request.
    pub id: RequestId,
    /// Who was answering.
    pub target: Arc<TargetName>,
    /// The original cause.
    pub failure: Failure,
}

/// Attempts as lines of an error message.
struct Lines<'a>(&'a [AttemptRecord]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, " nothing was tried");
        }
        for attempt in self.0 {
            let Some(failure) = attempt.failure() else { continue };
            write!(f, "\n  {}: {failure}", attempt.target)?;
        }
        Ok(())
    }
}

impl Wanted {
    fn nobody(self) -> &'static str {
        match self {
            Self::Chat => "no route and no target",
            Self::Embeddings => "no embedding model",
        }
    }

    fn suggestion(self, nearest: Option<&str>) -> String {
        match (self, nearest) {
            (Self::Embeddings, None) => "; they are named in providers.NAME.embedding_models".to_owned(),
            (Self::Chat | Self::Embeddings, nearest) => suggestion(nearest),
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}
