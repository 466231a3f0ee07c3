//! How long requests took, as percentiles.

use std::time::Duration;

use serde::Serialize;

use crate::types::percentile;

/// Lengths of time, kept to the microsecond.
#[derive(Debug, Clone, Default)]
pub(super) struct Lengths(Vec<u32>);

/// The percentiles of some lengths, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// What half of them do not exceed.
    pub p50: f64,
    /// What 95 in a hundred do not exceed.
    pub p95: f64,
    /// What 99 in a hundred do not exceed.
    pub p99: f64,
}

impl Lengths {
    pub(super) fn add(&mut self, length: Duration) {
        self.0.push(u32::try_from(length.as_micros()).unwrap_or(u32::MAX));
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// `None` where there is nothing.
    pub(super) fn spread(mut self) -> Option<Spread> {
        self.0.sort_unstable();
        let at = |percent| percentile(&self.0, percent).map(|micros| f64::from(micros) / 1e3);
        Some(Spread { p50: at(50)?, p95: at(95)?, p99: at(99)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_shortest_length_that_so_many_do_not_exceed() {
        let mut lengths = Lengths::default();
        (1..=200).rev().for_each(|ms| lengths.add(Duration::from_millis(ms)));

        assert_eq!(lengths.spread(), Some(Spread { p50: 100.0, p95: 190.0, p99: 198.0 }));
        assert_eq!(Lengths::default().spread(), None);
    }
}
