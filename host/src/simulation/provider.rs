//! One simulated provider: what becomes of a call, by the time and by what came before it.

use std::time::Duration;

use crate::config::scenario::SimulatedProvider;
use crate::random::Random;
use crate::types::FailureKind;

/// A minute, and a day.
const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// One provider. It takes the time as an argument, and never waits.
pub(super) struct Provider {
    behaviour: SimulatedProvider,
    random: Random,
    /// Seconds since midnight at the start.
    start: u64,
    minute: Count,
    day: Count,
    under_way: u32,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// An answer.
    Answer(Times),
    /// An answer that breaks off in the middle.
    BrokenOff(Times),
    /// A reply that says no.
    Refused {
        /// Why.
        kind: FailureKind,
        /// After how long.
        after: Duration,
        /// What it names as `Retry-After`.
        wait: Option<Duration>,
    },
    /// No connection, after so long.
    NoConnection(Duration),
    /// Nothing, ever.
    Silence,
}

/// When an answer comes, since the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) first_token: Duration,
    pub(super) total: Duration,
    /// What is left of the requests it takes on, and how many these are, where they are bounded.
    pub(super) left: Option<Left>,
}

/// What is left of the requests a provider takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) requests: u32,
    /// Of how many.
    pub(super) of: u32,
}

/// Why a provider does not take a call on, and the wait it names.
struct NotTakenOn {
    kind: FailureKind,
    wait: Option<Duration>,
}

/// Requests of one span of the clock.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    span: u64,
    requests: u32,
}

impl Count {
    /// Counts one more; the rest of the span where there are too many.
    fn take(&mut self, most: u32, now: u64, length: u64) -> Result<Left, Duration> {
        let span = now / length;
        if self.span != span {
            *self = Self { span, requests: 0 };
        }
        if self.requests >= most {
            return Err(Duration::from_secs((span + 1) * length - now));
        }
        self.requests += 1;
        Ok(Left { requests: most - self.requests, of: most })
    }
}

impl Provider {
    /// A provider to which nobody has come yet. `start` is in seconds since some midnight.
    pub(super) fn new(behaviour: SimulatedProvider, random: Random, start: u64) -> Self {
        Self { behaviour, random, start, minute: Count::default(), day: Count::default(), under_way: 0 }
    }

    /// A call comes in, so long after the start. It is under way until [`Provider::leave`].
    pub(super) fn meet(&mut self, at: Duration) -> Fate {
        self.under_way += 1;
        // As many draws whatever comes of them: what a call meets does not hang on how the one before it ended.
        let [failing, slow, refusing] = [(); 3].map(|()| self.random.share());
        let phase = self.behaviour.phase(at);
        let slower = phase.map_or(1.0, |phase| phase.slower);
        let refusal = self.behaviour.refusal.length(refusing);
        let failures = phase.and_then(|phase| phase.failures.as_ref()).unwrap_or(&self.behaviour.failures);
        let failure = failures.at(failing);
        let is_away = phase.is_some_and(|phase| phase.outage.is_some());
        let taken_on = if is_away { Ok(None) } else { self.take_on(at) };
        let left = match taken_on {
            Ok(left) => left,
            Err(NotTakenOn { kind, wait }) => return Fate::Refused { kind, after: refusal, wait },
        };
        // Whoever waits long for the first token waits long for the last.
        let first_token = self.behaviour.first_token.length(slow).mul_f64(slower);
        let total = self.behaviour.total.length(slow).mul_f64(slower).max(first_token);
        let times = Times { first_token, total, left };
        match failure {
            None => Fate::Answer(times),
            Some(FailureKind::Interrupted) => Fate::BrokenOff(times),
            Some(FailureKind::Connection) => Fate::NoConnection(refusal),
            Some(FailureKind::Timeout) => Fate::Silence,
            Some(kind) => Fate::Refused { kind, after: refusal, wait: self.wait_of(kind) },
        }
    }

    /// A call is over, or was given up.
    pub(super) fn leave(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Counts a call against what the provider takes on; tells what is left of the longest span that is bounded.
    fn take_on(&mut self, at: Duration) -> Result<Option<Left>, NotTakenOn> {
        let bounds = self.behaviour.bounds;
        if bounds.concurrent.is_some_and(|most| self.under_way > most) {
            return Err(NotTakenOn { kind: FailureKind::Overloaded, wait: None });
        }
        let now = self.start + at.as_secs();
        let of_minute = bounds.rpm.map(|most| self.minute.take(most, now, MINUTE)).transpose();
        let of_minute = of_minute.map_err(|wait| NotTakenOn { kind: FailureKind::RateLimited, wait: Some(wait) })?;
        let of_day = bounds.rpd.map(|most| self.day.take(most, now, DAY)).transpose();
        let of_day = of_day.map_err(|wait| NotTakenOn { kind: FailureKind::QuotaExhausted, wait: Some(wait) })?;
        Ok(of_day.or(of_minute))
    }

    fn wait_of(&self, kind: FailureKind) -> Option<Duration> {
        self.behaviour.retry_after.filter(|_| matches!(kind, FailureKind::RateLimited | FailureKind::Overloaded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::scenario::{Distribution, Failures, Phase, ProviderBounds};

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn provider(behaviour: SimulatedProvider) -> Provider {
        let behaviour = SimulatedProvider {
            first_token: Distribution::Constant(1.0),
            total: Distribution::Constant(3.0),
            ..behaviour
        };
        Provider::new(behaviour, Random::seeded(1), 0)
    }

    fn refused(kind: FailureKind, wait: Option<u64>) -> Fate {
        Fate::Refused { kind, after: Duration::from_millis(50), wait: wait.map(secs) }
    }

    fn answer(left: Option<(u32, u32)>) -> Fate {
        let left = left.map(|(requests, of)| Left { requests, of });
        Fate::Answer(Times { first_token: secs(1), total: secs(3), left })
    }

    #[test]
    fn takes_so_many_a_minute_and_names_the_rest_of_it() {
        let bounds = ProviderBounds { rpm: Some(2), ..ProviderBounds::default() };
        let mut provider = provider(SimulatedProvider { bounds, ..SimulatedProvider::default() });

        let met = [0, 1, 45, 60].map(|at| provider.meet(secs(at)));

        let limited = refused(FailureKind::RateLimited, Some(15));
        assert_eq!(met, [answer(Some((1, 2))), answer(Some((0, 2))), limited, answer(Some((1, 2)))]);
    }

    #[test]
    fn takes_so_many_a_day_and_begins_anew_at_midnight() {
        let bounds = ProviderBounds { rpd: Some(1), ..ProviderBounds::default() };
        let behaviour = SimulatedProvider { bounds, ..provider(SimulatedProvider::default()).behaviour };
        let mut provider = Provider::new(behaviour, Random::seeded(1), DAY - 100);

        let met = [0, 40, 100].map(|at| provider.meet(secs(at)));

        let gone = refused(FailureKind::QuotaExhausted, Some(60));
        assert_eq!(met, [answer(Some((0, 1))), gone, answer(Some((0, 1)))]);
    }

    #[test]
    fn takes_so_many_at_once() {
        let bounds = ProviderBounds { concurrent: Some(1), ..ProviderBounds::default() };
        let mut provider = provider(SimulatedProvider { bounds, ..SimulatedProvider::default() });

        assert_eq!(provider.meet(secs(0)), answer(None));
        assert_eq!(provider.meet(secs(0)), refused(FailureKind::Overloaded, None));
        provider.leave();
        provider.leave();
        assert_eq!(provider.meet(secs(0)), answer(None));
    }

    #[test]
    fn is_slower_in_one_phase_and_away_in_another() {
        let phase = |from, to, outage: Option<FailureKind>, slower| Phase {
            from: secs(from),
            to: secs(to),
            outage,
            failures: outage.map(Failures::always),
            slower,
            price: None,
        };
        let phases = vec![phase(10, 20, None, 2.0), phase(20, 30, Some(FailureKind::ServerError), 1.0)];
        let mut provider = provider(SimulatedProvider { phases, ..SimulatedProvider::default() });

        let met = [9, 10, 20, 30].map(|at| provider.meet(secs(at)));

        let slow = Fate::Answer(Times { first_token: secs(2), total: secs(6), left: None });
        assert_eq!(met, [answer(None), slow, refused(FailureKind::ServerError, None), answer(None)]);
    }

    #[test]
    fn fails_as_often_as_it_was_told() {
        let mut provider = provider(SimulatedProvider {
            phases: vec![Phase {
                from: secs(0),
                to: secs(100),
                outage: None,
                failures: Some(Failures::always(FailureKind::Timeout)),
                slower: 1.0,
                price: None,
            }],
            ..SimulatedProvider::default()
        });

        assert!((0..50).all(|_| provider.meet(secs(1)) == Fate::Silence));
    }
}
