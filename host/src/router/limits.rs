//! The time limits of one attempt, as moments.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

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
    pub(super) fn bound<W: Future>(self, clock: &dyn Clock, work: W) -> Bounded<'_, W> {
        Bounded { work, limit: self, clock, alarm: None }
    }

    fn passed(self) -> Failure {
        Failure::new(FailureKind::Timeout, format!("no {} within {:?}", self.name, self.length))
    }
}

pin_project! {
    /// Work that is waited for, to a limit at most.
    pub(super) struct Bounded<'c, W> {
        #[pin]
        work: W,
        limit: Limit,
        clock: &'c dyn Clock,
        // Set once the work lets somebody wait: what is there already needs no alarm.
        alarm: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    }
}

impl<W: Future> Future for Bounded<'_, W> {
    type Output = Result<W::Output, Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(done) = this.work.poll(context) {
            return Poll::Ready(Ok(done));
        }
        let (clock, at) = (*this.clock, this.limit.at);
        let alarm = this.alarm.get_or_insert_with(|| clock.sleep_until(at));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Err(this.limit.passed()))
    }
}
