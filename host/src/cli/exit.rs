//! Exit codes: the one place that chooses them.

use std::io;
use std::process::ExitCode;

use backstop::accounting::ledger::LedgerError;
use backstop::accounting::recording::{ReadError, RecordError};
use backstop::accounting::store::StoreError;
use backstop::client::BuildError;
use backstop::config::scenario::ScenarioError;
use backstop::config::{ConfigError, StrategyNameError};
use backstop::gateway::BindError;
use backstop::gateway::keys::KeyFileError;
use backstop::router::{RouteError, StreamError};
use backstop::simulation::SimulateError;
use backstop::strategy::LoadStrategyError;
use thiserror::Error;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Answered, or done.
    Done,
    /// It failed, by no fault of the usage and with a provider at hand.
    Failed,
    /// Used or configured wrongly.
    Usage,
    /// Every provider failed, or none could be asked.
    NoProvider,
    /// A budget forbids it.
    Budget,
    /// Ctrl-C.
    Interrupted,
}

/// A command was used wrongly in a way that the parser cannot see.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl Exit {
    /// The code of the process.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoProvider => 3,
            Self::Budget => 4,
            Self::Interrupted => 130,
        }
    }

    /// What a parser's "error" means: help and version are none.
    pub(crate) fn of_parsing(error: &clap::Error) -> Self {
        if error.exit_code() == 0 { Self::Done } else { Self::Usage }
    }

    /// What an error of a command means.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        if is_closed_pipe(error) {
            return Self::Done;
        }
        for cause in error.chain() {
            let exit = None
                .or_else(|| cause.downcast_ref().map(Self::of_route))
                .or_else(|| cause.downcast_ref().map(Self::of_build))
                .or_else(|| cause.downcast_ref().map(|_: &UsageError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &ConfigError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &StrategyNameError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &ScenarioError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(Self::of_simulate))
                .or_else(|| cause.downcast_ref().map(|_: &BindError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &StoreError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &RecordError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &ReadError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &LedgerError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &KeyFileError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &LoadStrategyError| Self::Usage))
                .or_else(|| cause.downcast_ref().map(|_: &StreamError| Self::Failed));
            if let Some(exit) = exit {
                return exit;
            }
        }
        Self::Failed
    }

    fn of_route(error: &RouteError) -> Self {
        match error {
            RouteError::UnknownModel { .. }
            | RouteError::UnknownProvider { .. }
            | RouteError::UnknownPurpose { .. } => Self::Usage,
            RouteError::Rejected { .. } => Self::Failed,
            RouteError::AllFailed { .. } | RouteError::Unavailable { .. } | RouteError::DeadlineExceeded { .. } => {
                Self::NoProvider
            }
            RouteError::BudgetExceeded { .. } | RouteError::LedgerUnavailable { .. } => Self::Budget,
        }
    }

    fn of_simulate(error: &SimulateError) -> Self {
        match error {
            SimulateError::Build { source, .. } => Self::of_build(source),
            SimulateError::NoThread(_) | SimulateError::Interrupted => Self::Failed,
        }
    }

    fn of_build(error: &BuildError) -> Self {
        match error {
            BuildError::Config(_)
            | BuildError::Problems(_)
            | BuildError::Strategy { .. }
            | BuildError::StrategyName(_) => Self::Usage,
            BuildError::Shadow(_) | BuildError::Interrupted => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Whether whoever read our output has read enough and gone away (`| head -1`).
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_closed = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_closed))
}

#[cfg(test)]
mod tests {
    use backstop::router::Wanted;
    use backstop::types::RequestId;

    use super::*;

    #[test]
    fn tells_the_kinds_of_failure_apart() {
        let unknown = RouteError::UnknownModel { model: "x".into(), wanted: Wanted::Chat, nearest: None };
        let failed = RouteError::AllFailed { id: RequestId(1), attempts: Vec::new(), retry_after: None };
        let budget = RouteError::BudgetExceeded {
            id: RequestId(1),
            reason: "day".into(),
            estimated: None,
            attempts: Vec::new(),
        };

        let codes = [unknown, failed, budget].map(|error| Exit::of_error(&anyhow::Error::new(error)).code());

        assert_eq!(codes, [2, 3, 4]);
    }

    #[test]
    fn sees_the_cause_behind_its_context() {
        let error = anyhow::Error::new(UsageError("no question".into())).context("failed to ask");

        assert_eq!(Exit::of_error(&error), Exit::Usage);
    }

    #[test]
    fn takes_a_closed_pipe_for_a_reader_who_has_read_enough() {
        let error = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));

        assert_eq!(Exit::of_error(&error), Exit::Done);
    }

    #[test]
    fn fails_plainly_on_anything_else() {
        assert_eq!(Exit::of_error(&anyhow::anyhow!("disk full")), Exit::Failed);
    }
}
