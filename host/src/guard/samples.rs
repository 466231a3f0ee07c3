//! The outcomes of the latest calls within a sliding window of time.

use std::time::Duration;

use crate::clock::Moment;

/// The window is cut into so many parts; an outcome counts for one window's length, less one part at most.
const PARTS: usize = 30;

/// Served and failed calls of the last `window`, in constant memory.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    part_ns: u128,
    parts: [Part; PARTS],
}

/// How the calls of one window ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Calls that were served.
    pub(super) served: u32,
    /// Calls that failed.
    pub(super) failed: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    number: u128,
    tally: Tally,
}

impl Samples {
    /// No outcome yet; `window` is the length an outcome counts for.
    pub(super) fn new(window: Duration) -> Self {
        Self { part_ns: (window.as_nanos() / PARTS as u128).max(1), parts: [Part::default(); PARTS] }
    }

    /// Counts a served call.
    pub(super) fn served(&mut self, now: Moment) {
        self.count(now, Tally { served: 1, failed: 0 });
    }

    /// Counts a failed call.
    pub(super) fn failed(&mut self, now: Moment) {
        self.count(now, Tally { served: 0, failed: 1 });
    }

    /// All outcomes of the window that ends now.
    pub(super) fn tally(&self, now: Moment) -> Tally {
        let number = self.number(now);
        let live = self.parts.iter().filter(|part| part.number + PARTS as u128 > number);
        live.fold(Tally::default(), |sum, part| sum.plus(part.tally))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.parts = [Part::default(); PARTS];
    }

    fn number(&self, now: Moment) -> u128 {
        now.since(Moment::START).as_nanos() / self.part_ns
    }

    fn count(&mut self, now: Moment, outcome: Tally) {
        let number = self.number(now);
        let place = usize::try_from(number % PARTS as u128).unwrap_or(0);
        let Some(part) = self.parts.get_mut(place) else { return };
        if number > part.number {
            *part = Part { number, tally: Tally::default() };
        }
        part.tally = part.tally.plus(outcome);
    }
}

impl Tally {
    /// All calls.
    pub(super) fn all(self) -> u32 {
        self.served.saturating_add(self.failed)
    }

    fn plus(self, other: Self) -> Self {
        Self { served: self.served.saturating_add(other.served), failed: self.failed.saturating_add(other.failed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn counts_an_outcome_for_one_window() {
        let mut samples = Samples::new(Duration::from_secs(30));

        samples.served(at(100));
        samples.failed(at(110));

        assert_eq!(samples.tally(at(129)), Tally { served: 1, failed: 1 });
        assert_eq!(samples.tally(at(130)), Tally { served: 0, failed: 1 });
        assert_eq!(samples.tally(at(140)), Tally::default());
    }

    #[test]
    fn survives_a_window_of_no_length_and_a_clock_at_its_end() {
        let mut samples = Samples::new(Duration::ZERO);
        let end = Moment::from_start(Duration::MAX);

        samples.failed(end);

        assert_eq!(samples.tally(end).all(), 1);
    }
}
