//! How targets have done, minute by minute: what another choice might have come to.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backstop::accounting::recording::{Ended, Entry, Lines};
use backstop::types::{RequestId, TargetName};

/// As far as this, in minutes, is looked for attempts where a minute has none.
const FAR: u64 = 10;

/// What the ends of requests tell of targets.
#[derive(Default)]
pub(super) struct Past {
    minutes: HashMap<(Arc<TargetName>, u64), Rate>,
    overall: HashMap<Arc<TargetName>, Rate>,
}

/// What an attempt may be expected to come to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Expected {
    /// How likely it is to serve, 0 to 1.
    pub(super) served: f64,
    /// How long it takes, where it serves.
    pub(super) took: Option<Duration>,
    /// What it costs in nano-dollars, where it serves and that is known.
    pub(super) cost: Option<f64>,
}

/// The attempts at one target.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    attempts: u32,
    served: u32,
    took: Duration,
    priced: u32,
    cost: u64,
}

impl Past {
    /// Reads the ends of requests.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub(super) fn read(recording: &Path) -> anyhow::Result<Self> {
        let mut past = Self::default();
        for line in Lines::open(recording)? {
            let line = line?;
            if !line.is_end() {
                continue;
            }
            if let Entry::Ended(ended) = line.read()? {
                past.add(&ended);
            }
        }
        Ok(past)
    }

    fn add(&mut self, ended: &Ended) {
        let minute = minute_of(ended.request);
        for tried in &ended.tried {
            let key = (Arc::clone(&tried.target), minute);
            for rate in
                [self.minutes.entry(key).or_default(), self.overall.entry(Arc::clone(&tried.target)).or_default()]
            {
                rate.attempts = rate.attempts.saturating_add(1);
                if tried.failure.is_some() {
                    continue;
                }
                rate.served = rate.served.saturating_add(1);
                rate.took = rate.took.saturating_add(tried.took);
                if let Some(cost) = ended.cost {
                    rate.priced = rate.priced.saturating_add(1);
                    rate.cost = rate.cost.saturating_add(cost.nanos());
                }
            }
        }
    }

    /// What an attempt at a target at the time of a request may be expected to come to; `None` where nobody has ever tried.
    pub(super) fn expected(&self, target: &Arc<TargetName>, at: RequestId) -> Option<Expected> {
        let minute = minute_of(at);
        let near = (0..=FAR).flat_map(|far| [minute.checked_sub(far), minute.checked_add(far)]).flatten();
        let mut rates = near.filter_map(|minute| self.minutes.get(&(Arc::clone(target), minute)));
        rates.next().or_else(|| self.overall.get(target)).map(Rate::expected)
    }
}

impl Rate {
    fn expected(&self) -> Expected {
        let share = |part: f64, whole: u32| (whole > 0).then(|| part / f64::from(whole));
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let cost = self.cost as f64;
        Expected {
            served: share(f64::from(self.served), self.attempts).unwrap_or_default(),
            took: self.took.checked_div(self.served),
            cost: share(cost, self.priced),
        }
    }
}

/// A request's name begins with its time.
fn minute_of(request: RequestId) -> u64 {
    u64::try_from((request.0 >> 80) / 60_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use backstop::accounting::recording::Tried;
    use backstop::types::{FailureKind, NanoUsd, Outcome};

    use super::*;

    fn at(minute: u128) -> RequestId {
        RequestId((minute * 60_000) << 80)
    }

    fn target(model: &str) -> Arc<TargetName> {
        Arc::new(TargetName::new("p", model))
    }

    fn ended(minute: u128, tried: &[(&str, Option<FailureKind>)], cost: u64) -> Ended {
        let took = Duration::from_millis(20);
        let tried = tried.iter().map(|(model, failure)| Tried { target: target(model), failure: *failure, took });
        Ended {
            request: at(minute),
            outcome: Outcome::Served,
            tried: tried.collect(),
            cost: Some(NanoUsd::from_nanos(cost)),
            took,
        }
    }

    #[test]
    fn expects_what_was_met_in_the_nearest_minute_and_else_in_all() {
        let mut past = Past::default();
        past.add(&ended(1, &[("a", Some(FailureKind::Timeout)), ("b", None)], 4));
        past.add(&ended(1, &[("a", None)], 8));
        past.add(&ended(90, &[("a", None)], 2));

        let expected = |model: &str, minute| past.expected(&target(model), at(minute)).map(|it| (it.served, it.cost));

        assert_eq!(expected("a", 1), Some((0.5, Some(8.0))));
        assert_eq!(expected("a", 3), Some((0.5, Some(8.0))));
        assert_eq!(expected("a", 88), Some((1.0, Some(2.0))));
        assert_eq!(expected("a", 40).map(|(served, _)| (served * 3.0).round()), Some(2.0));
        assert_eq!(expected("b", 90), Some((1.0, Some(4.0))));
        assert_eq!(expected("c", 1), None);
    }
}
