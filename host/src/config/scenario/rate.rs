//! How many requests come in a second, over time.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::problem::{Fault, Read};
use crate::config::section::Section;
use crate::config::value;

use super::read::items;

/// The most requests a second.
const MOST: f64 = 1_000_000.0;

/// Points a course may have.
const MOST_POINTS: usize = 1_000;

/// Requests a second over time: straight from point to point, and level before the first and after the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// Seconds since the start, each later than the one before, and requests a second.
    points: Vec<(f64, f64)>,
}

impl Rate {
    /// The same all the time.
    #[must_use]
    pub fn constant(per_second: f64) -> Self {
        Self { points: vec![(0.0, per_second)] }
    }

    /// Requests until so many seconds after the start.
    #[must_use]
    pub fn requests_until(&self, seconds: f64) -> f64 {
        self.stretches().take_while(|stretch| stretch.from < seconds).map(|stretch| stretch.until(seconds)).sum()
    }

    /// Seconds since the start until so many requests have come in; `None` where they never do.
    #[must_use]
    pub fn moment_of(&self, requests: f64) -> Option<f64> {
        let mut left = requests;
        for stretch in self.stretches() {
            let all = stretch.until(stretch.to);
            if left <= all {
                return stretch.moment_of(left);
            }
            left -= all;
        }
        None
    }

    fn stretches(&self) -> impl Iterator<Item = Stretch> {
        let first = self.points.first().copied().unwrap_or_default();
        let last = self.points.last().copied().unwrap_or_default();
        let before = (first.0 > 0.0).then_some(Stretch { from: 0.0, to: first.0, at_first: first.1, at_last: first.1 });
        let between = self.points.iter().zip(self.points.iter().skip(1)).map(|(one, next)| Stretch {
            from: one.0,
            to: next.0,
            at_first: one.1,
            at_last: next.1,
        });
        let after = Stretch { from: last.0, to: f64::INFINITY, at_first: last.1, at_last: last.1 };
        before.into_iter().chain(between).chain([after])
    }
}

/// A stretch over which the rate goes straight from one number to another.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: f64,
    to: f64,
    at_first: f64,
    at_last: f64,
}

impl Stretch {
    /// How the rate changes in a second.
    fn slope(self) -> f64 {
        if self.to.is_finite() { (self.at_last - self.at_first) / (self.to - self.from) } else { 0.0 }
    }

    /// Requests of this stretch until so many seconds after the start.
    fn until(self, seconds: f64) -> f64 {
        let lasting = seconds.min(self.to) - self.from;
        let mean = if self.to.is_finite() { self.at_first + self.slope() * lasting / 2.0 } else { self.at_first };
        // What never ends brings nothing where nothing comes in.
        if mean == 0.0 { 0.0 } else { lasting * mean }
    }

    /// When so many requests of this stretch have come in.
    fn moment_of(self, requests: f64) -> Option<f64> {
        // slope/2 t² + at_first t = requests, in the form that loses no digits where the slope is near nothing.
        let root = (self.at_first * self.at_first + 2.0 * self.slope() * requests).max(0.0).sqrt();
        let lasting = 2.0 * requests / (self.at_first + root);
        (lasting.is_finite()).then(|| (self.from + lasting).min(self.to))
    }
}

/// Reads a rate: a number, or a list of points.
pub(super) fn read(section: &mut Section<'_, '_>, key: &'static str) -> Option<Rate> {
    let entry = section.entry(key)?;
    if !matches!(entry.value, DeValue::Array(_)) {
        return section.read(entry, per_second).map(Rate::constant);
    }
    let mut points: Vec<(f64, f64)> = Vec::new();
    for item in items(section, key, MOST_POINTS) {
        let Some(mut point) = section.open(item) else { continue };
        let at = point.get("at", value::length).map(|at| at.as_secs_f64());
        let rate = point.get("per_second", per_second);
        for key in ["at", "per_second"] {
            if !point.has(key) {
                let path = point.path_of(key);
                let example = if key == "at" { "\"1m\"" } else { "10" };
                point.report().fault_of(&path, Fault::example("missing: a point has both", example));
            }
        }
        point.finish();
        let (Some(at), Some(rate)) = (at, rate) else { continue };
        if points.last().is_some_and(|(before, _)| *before >= at) {
            section.fault(item, Fault::words("no later than the point before it", "put the points in order"));
        }
        points.push((at, rate));
    }
    if points.is_empty() { None } else { Some(Rate { points }) }
}

fn per_second(value: &DeValue<'_>) -> Read<f64> {
    value::number(0.0..=MOST)(value)
}

/// The requests of a rate within a scenario's duration.
pub(super) fn requests_within(rate: &Rate, duration: Duration) -> f64 {
    rate.requests_until(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-9 * other.abs().max(1.0)
    }

    #[test]
    fn adds_up_what_comes_in() {
        let rate = Rate { points: vec![(10.0, 2.0), (20.0, 4.0)] };

        let sums = [0.0, 10.0, 15.0, 20.0, 30.0].map(|seconds| rate.requests_until(seconds));

        assert!(sums.iter().zip([0.0, 20.0, 32.5, 50.0, 90.0]).all(|(one, other)| near(*one, other)), "{sums:?}");
    }

    #[test]
    fn tells_when_a_request_comes_in_by_the_same_sum() {
        let rates = [
            Rate::constant(3.0),
            Rate { points: vec![(10.0, 2.0), (20.0, 4.0)] },
            Rate { points: vec![(0.0, 0.0), (60.0, 100.0), (120.0, 0.0), (180.0, 5.0)] },
        ];
        for rate in rates {
            for requests in [0.5, 1.0, 7.0, 40.0, 1_000.0] {
                let at = rate.moment_of(requests).unwrap();
                assert!(near(rate.requests_until(at), requests), "{rate:?}: {requests} at {at}");
            }
        }
    }

    #[test]
    fn never_brings_what_a_dry_course_does_not_have() {
        let rate = Rate { points: vec![(0.0, 10.0), (10.0, 0.0)] };

        assert!(rate.moment_of(49.0).is_some());
        assert_eq!((rate.moment_of(51.0), Rate::constant(0.0).moment_of(1.0)), (None, None));
    }
}
