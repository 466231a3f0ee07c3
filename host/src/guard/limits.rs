//! The operator's limits of one provider, or of one of the gateway's keys: requests and tokens a minute, requests at once.

use std::time::Duration;

use super::request_window::RequestWindow;
use super::token_bucket::TokenBucket;
use crate::clock::Moment;
use crate::config;

/// When a place among the requests at once comes free is not known; a request that waits for one looks again after this.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What one provider may be asked at most, all its models and keys together; or what one of the gateway's keys may ask.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    requests: Option<RequestWindow>,
    tokens: Option<TokenBucket>,
    at_once: Option<u32>,
    in_flight: u32,
}

/// One request's part of the limits.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Share {
    entered: Moment,
    tokens: u64,
}

impl Allowance {
    /// Nothing used yet.
    pub(crate) fn new(limits: config::Limits) -> Self {
        Self {
            requests: limits.rpm.map(RequestWindow::new),
            tokens: limits.tpm.map(TokenBucket::new),
            at_once: limits.concurrent,
            in_flight: 0,
        }
    }

    /// How long until a request of so many tokens may be sent, if no other comes first; `None` is now.
    pub(crate) fn wait(&mut self, tokens: u64, now: Moment) -> Option<Duration> {
        let is_full = self.at_once.is_some_and(|at_once| self.in_flight >= at_once);
        let waits = [
            is_full.then_some(LOOK_AGAIN),
            self.requests.as_mut().and_then(|window| window.wait(now)),
            self.tokens.as_mut().and_then(|bucket| bucket.wait(tokens, now)),
        ];
        waits.into_iter().flatten().max()
    }

    /// Takes a request's share.
    pub(crate) fn take(&mut self, tokens: u64, now: Moment) -> Share {
        self.in_flight = self.in_flight.saturating_add(1);
        if let Some(window) = &mut self.requests {
            window.enter(now);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.take(tokens, now);
        }
        Share { entered: now, tokens }
    }

    /// The request was never sent: nothing was used.
    pub(crate) fn undo(&mut self, share: Share) {
        if let Some(window) = &mut self.requests {
            window.undo(share.entered);
        }
        self.settle(share, 0, share.entered);
    }

    /// The request has ended and took so many tokens.
    pub(crate) fn settle(&mut self, share: Share, used: u64, now: Moment) {
        if let Some(bucket) = &mut self.tokens {
            bucket.correct(share.tokens, used, now);
        }
        self.leave(share);
    }

    /// The request has ended, and how many tokens it took is not known: its estimate stands.
    pub(crate) fn leave(&mut self, _share: Share) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_window::MINUTE;
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn has_no_limit_unless_told() {
        let mut limits = Allowance::new(config::Limits::default());

        for _ in 0..10_000 {
            let _ = limits.take(1_000_000, at(0));
        }

        assert_eq!(limits.wait(1_000_000, at(0)), None);
    }

    #[test]
    fn names_the_longest_of_its_waits() {
        let limits = config::Limits { rpm: Some(1), tpm: Some(60), ..config::Limits::default() };
        let mut limits = Allowance::new(limits);

        let _ = limits.take(60, at(0));

        assert_eq!(limits.wait(1, at(0)), Some(MINUTE));
    }

    #[test]
    fn frees_the_place_of_a_request_that_ended() {
        let limits = config::Limits { concurrent: Some(1), ..config::Limits::default() };
        let mut limits = Allowance::new(limits);
        let share = limits.take(1, at(0));
        assert_eq!(limits.wait(1, at(0)), Some(LOOK_AGAIN));

        limits.leave(share);

        assert_eq!(limits.wait(1, at(0)), None);
    }

    #[test]
    fn uses_nothing_for_a_request_that_was_never_sent() {
        let limits = config::Limits { rpm: Some(1), tpm: Some(1), concurrent: Some(1), ..config::Limits::default() };
        let mut limits = Allowance::new(limits);
        let share = limits.take(1, at(0));

        limits.undo(share);

        assert_eq!(limits.wait(1, at(0)), None);
    }
}
