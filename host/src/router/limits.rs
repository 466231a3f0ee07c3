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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;
    use jiff::Timestamp;

    use super::*;

    /// A clock that stands still and counts the alarms that are set.
    #[derive(Default)]
    struct Still(AtomicU32);

    impl Clock for Still {
        fn now(&self) -> Moment {
            Moment::START
        }

        fn wall(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn sleep_until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                if moment > Moment::START {
                    std::future::pending().await
                }
            })
        }
    }

    fn limit(length: Duration) -> Limit {
        Limit::after("token", Moment::START, length)
    }

    #[test]
    fn sets_no_alarm_for_what_is_there() {
        let clock = Still::default();

        let done = limit(Duration::ZERO).bound(&clock, async { 7 }).now_or_never();

        assert_eq!(done.unwrap().unwrap(), 7);
        assert_eq!(clock.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn waits_with_one_alarm_however_often_it_is_asked() {
        let clock = Still::default();
        let (send, receive) = tokio::sync::oneshot::channel();
        let mut bounded = Box::pin(limit(Duration::from_secs(1)).bound(&clock, receive));

        assert!((&mut bounded).now_or_never().is_none() && (&mut bounded).now_or_never().is_none());
        send.send(7).unwrap();

        assert_eq!(bounded.now_or_never().unwrap().unwrap().unwrap(), 7);
        assert_eq!(clock.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn ends_at_the_limit_with_its_name() {
        let clock = Still::default();

        let ended = limit(Duration::ZERO).bound(&clock, std::future::pending::<()>()).now_or_never();

        let failure = ended.unwrap().unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Timeout, "no token within 0ns"));
    }
}
