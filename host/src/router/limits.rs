//! The time limits of one attempt, as moments.

use std::future::Future;
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::config::HoldBack;
use crate::types::{Failure, FailureKind};

/// When an attempt has taken too long, and in which way.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The first token must be here.
    pub(super) first_token: Limit,
    /// Everything must be here.
    pub(super) total: Limit,
    /// The longest silence between two tokens.
    pub(super) idle: Duration,
    /// How much of a stream is held back at first.
    pub(super) hold_back: HoldBack,
}

/// One time limit: a moment, and the length that led to it, for the message.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    name: &'static str,
    length: Duration,
    at: Moment,
}

impl Limit {
    /// A limit that passes so long after a moment.
    pub(super) fn after(name: &'static str, from: Moment, length: Duration) -> Self {
        Self { name, length, at: from + length }
    }

    /// Whichever passes first.
    pub(super) fn or(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// Waits for something, to the limit at most.
    ///
    /// # Errors
    /// A timeout that names the limit.
    pub(super) async fn bound<T>(self, clock: &dyn Clock, work: impl Future<Output = T> + Send) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = clock.sleep_until(self.at) => Err(self.passed()),
        }
    }

    fn passed(self) -> Failure {
        Failure::new(FailureKind::Timeout, format!("no {} within {:?}", self.name, self.length))
    }
}
