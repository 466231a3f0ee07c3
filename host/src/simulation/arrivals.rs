//! When requests come: random or even distances at a rate that changes over time, and bursts beside them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::config::scenario::{Burst, Traffic};
use crate::random::Random;

/// One request that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// When, since the start.
    pub(super) at: Duration,
    /// Which kind of traffic it belongs to.
    pub(super) traffic: usize,
}

/// All requests of a scenario, in the order they come in.
pub(super) struct Arrivals<'s> {
    sources: Vec<Source<'s>>,
    /// When each source brings its next one.
    next: BinaryHeap<Reverse<(Duration, usize)>>,
    until: Duration,
}

/// Where requests come from.
struct Source<'s> {
    traffic: usize,
    flow: Flow<'s>,
}

enum Flow<'s> {
    /// A rate, and how many requests of it have come in.
    Rate { traffic: &'s Traffic, random: Random, come: f64 },
    /// A burst, how often it has come, and how many requests of the present one have.
    Burst { burst: &'s Burst, begins: Duration, come: u32 },
}

impl<'s> Arrivals<'s> {
    /// The requests of some kinds of traffic within a time. Each kind draws from a stream of its own: to change one
    /// leaves the others as they are.
    pub(super) fn new(traffic: &'s [Traffic], seeds: &Random, until: Duration) -> Self {
        let mut sources = Vec::new();
        for (place, kind) in traffic.iter().enumerate() {
            let random = Random::seeded(seeds.next());
            sources.push(Source { traffic: place, flow: Flow::Rate { traffic: kind, random, come: 0.0 } });
            let burst = |burst: &'s Burst| Flow::Burst { burst, begins: burst.at, come: 0 };
            sources.extend(kind.bursts.iter().map(burst).map(|flow| Source { traffic: place, flow }));
        }
        let mut arrivals = Self { next: BinaryHeap::with_capacity(sources.len()), sources, until };
        for source in 0..arrivals.sources.len() {
            arrivals.look_ahead(source);
        }
        arrivals
    }

    /// When the next one comes in.
    pub(super) fn peek(&self) -> Option<Duration> {
        self.next.peek().map(|Reverse((at, _))| *at)
    }

    fn look_ahead(&mut self, source: usize) {
        let at = self.sources.get_mut(source).and_then(Source::next).filter(|at| *at < self.until);
        self.next.extend(at.map(|at| Reverse((at, source))));
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let Reverse((at, source)) = self.next.pop()?;
        let traffic = self.sources.get(source)?.traffic;
        self.look_ahead(source);
        Some(Arrival { at, traffic })
    }
}

impl Source<'_> {
    fn next(&mut self) -> Option<Duration> {
        match &mut self.flow {
            Flow::Rate { traffic, random, come } => {
                // Random distances are those of a Poisson process: counted in requests, exponential ones of mean 1.
                *come += if traffic.even { 1.0 } else { -(-random.share()).ln_1p() };
                let at = traffic.rate.moment_of(*come)?;
                Duration::try_from_secs_f64(at).ok()
            }
            Flow::Burst { burst, begins, come } => {
                if *come == burst.requests {
                    (*begins, *come) = (begins.saturating_add(burst.every?), 0);
                }
                let into = burst.within.mul_f64(f64::from(*come) / f64::from(burst.requests.max(1)));
                *come += 1;
                Some(begins.saturating_add(into))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::scenario::Rate;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn all(traffic: &[Traffic], seconds: u64) -> Vec<Arrival> {
        Arrivals::new(traffic, &Random::seeded(3), secs(seconds)).collect()
    }

    #[test]
    fn comes_at_even_distances_where_asked() {
        let traffic = Traffic { rate: Rate::constant(2.0), even: true, ..Traffic::default() };

        let at: Vec<u128> = all(&[traffic], 2).iter().map(|arrival| arrival.at.as_millis()).collect();

        assert_eq!(at, [500, 1_000, 1_500]);
    }

    #[test]
    fn comes_about_as_often_as_the_rate_says_and_in_order() {
        let traffic = Traffic { rate: Rate::constant(50.0), ..Traffic::default() };

        let arrivals = all(&[traffic], 200);

        assert!((9_600..10_400).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
        let mean_square = arrivals.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64().powi(2)).sum::<f64>()
            / f64::from(u32::try_from(arrivals.len()).unwrap());
        assert!((mean_square * 2_500.0 - 2.0).abs() < 0.2, "exponential distances: {mean_square}");
    }

    #[test]
    fn brings_bursts_beside_the_rest_again_and_again() {
        let burst = Burst { at: secs(1), requests: 2, within: secs(1), every: Some(secs(5)) };
        let bursts = Traffic { bursts: vec![burst], ..Traffic::default() };
        let even = Traffic { rate: Rate::constant(0.5), even: true, ..Traffic::default() };

        let arrivals = all(&[bursts, even], 8);

        let told: Vec<_> = arrivals.iter().map(|arrival| (arrival.at.as_millis(), arrival.traffic)).collect();
        assert_eq!(told, [(1_000, 0), (1_500, 0), (2_000, 1), (4_000, 1), (6_000, 0), (6_000, 1), (6_500, 0)]);
    }

    #[test]
    fn leaves_one_kind_as_it_is_when_another_changes() {
        let kind = |rate| Traffic { rate: Rate::constant(rate), ..Traffic::default() };
        let of_second = |traffic: &[Traffic]| -> Vec<Duration> {
            all(traffic, 50).iter().filter(|arrival| arrival.traffic == 1).map(|arrival| arrival.at).collect()
        };

        assert_eq!(of_second(&[kind(1.0), kind(3.0)]), of_second(&[kind(20.0), kind(3.0)]));
    }
}
