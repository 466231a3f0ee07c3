//! How long first tokens take: a histogram in steps of a fifth, in which what is old fades.

/// Steps, from 20 ms to some two minutes.
pub(crate) const STEPS: usize = 48;

/// The first step's upper edge, in milliseconds.
const FIRST_MS: f64 = 20.0;

/// How much longer each step's upper edge is.
const RATIO: f64 = 1.2;

/// What each new delay leaves of those before: some 500 of them count.
const FADING: f64 = 0.998;

/// Delays of one target, as weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delays([f64; STEPS]);

impl Delays {
    pub(crate) const fn of(numbers: [f64; STEPS]) -> Self {
        Self(numbers)
    }

    pub(crate) const fn into_numbers(self) -> [f64; STEPS] {
        self.0
    }

    /// These and another.
    pub(crate) fn with(mut self, ms: u32) -> Self {
        self.0.iter_mut().for_each(|weight| *weight *= FADING);
        let step = edges().take_while(|edge| *edge < f64::from(ms)).count().min(STEPS - 1);
        if let Some(weight) = self.0.get_mut(step) {
            *weight += 1.0;
        }
        self
    }

    /// The upper edge of the step that a share of them does not exceed; `None` where fewer than `least` were seen.
    pub(crate) fn quantile_ms(&self, share: f64, least: u32) -> Option<u32> {
        let all: f64 = self.0.iter().sum();
        // What fades is never quite what was added.
        if all + 1.0 <= f64::from(least) {
            return None;
        }
        let mut below = 0.0;
        let edge = edges().zip(&self.0).find_map(|(edge, weight)| {
            below += weight;
            (below >= all * share).then_some(edge)
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "two minutes at most")]
        edge.map(|edge| edge as u32)
    }
}

/// The steps' upper edges.
fn edges() -> impl Iterator<Item = f64> {
    std::iter::successors(Some(FIRST_MS), |edge| Some(edge * RATIO)).take(STEPS)
}

#[cfg(test)]
mod tests {
    use super::{Delays, STEPS};

    fn of(delays: impl IntoIterator<Item = u32>) -> Delays {
        delays.into_iter().fold(Delays::of([0.0; STEPS]), Delays::with)
    }

    #[test]
    fn tells_what_a_share_does_not_exceed_to_a_fifth() {
        let quantile = |share| of(1..=400).quantile_ms(share, 20).map(f64::from);

        for (share, exact) in [(0.5, 220.0), (0.95, 385.0)] {
            let told = quantile(share).unwrap();
            assert!((exact..exact * 1.25).contains(&told), "{told} for {share}");
        }
    }

    #[test]
    fn says_nothing_until_enough_were_seen() {
        assert_eq!(of([100; 18]).quantile_ms(0.95, 20), None);
        assert_eq!(of([100; 20]).quantile_ms(0.95, 20), Some(103));
    }

    #[test]
    fn forgets_how_slow_it_was() {
        let slow_then_fast = of(std::iter::repeat_n(5_000, 500).chain(std::iter::repeat_n(100, 2_000)));

        assert_eq!(slow_then_fast.quantile_ms(0.95, 20), Some(103));
    }

    #[test]
    fn has_a_place_for_every_delay() {
        assert!(of([0, u32::MAX]).quantile_ms(1.0, 1).unwrap() > 100_000);
    }
}
