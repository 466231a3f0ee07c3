//! How long to leave a target alone before asking it again.

/// A delay that doubles with each attempt, up to a cap, and is shortened at random so that callers spread out.
///
/// ```
/// # use backstop_strategy::Backoff;
/// let backoff = Backoff { base_ms: 2_000, max_ms: 60_000, jitter: 0.0 };
///
/// let delays: Vec<u32> = (1..=6).map(|failed| backoff.delay_ms(failed, 0.5)).collect();
///
/// assert_eq!(delays, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The delay after the first failure, in milliseconds.
    pub base_ms: u32,
    /// The longest delay, in milliseconds.
    pub max_ms: u32,
    /// The share of the delay that chance may take away, 0 to 1: 0.2 leaves 80 to 100 % of it.
    pub jitter: f64,
}

impl Backoff {
    /// The delay before chance has its say, after so many failures at the target.
    #[must_use]
    pub const fn nominal_ms(&self, failures: u32) -> u32 {
        let doublings = failures.saturating_sub(1);
        let factor = if doublings < 32 { 1 << doublings } else { u32::MAX };
        let delay = self.base_ms.saturating_mul(factor);
        if delay < self.max_ms { delay } else { self.max_ms }
    }

    /// The delay after so many failures at the target, with a chance from 0 to 1 (see
    /// [`Question::chance`](crate::Question::chance)).
    #[must_use]
    pub fn delay_ms(&self, failures: u32, chance: f64) -> u32 {
        part(self.nominal_ms(failures), 1.0 - self.jitter * chance)
    }

    /// What to add to a wait that someone else named, so that those who were told the same do not come back as one.
    #[must_use]
    pub fn spread_ms(&self, chance: f64) -> u32 {
        part(self.base_ms, self.jitter * chance)
    }
}

/// So much of a length.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from f64 saturates")]
fn part(ms: u32, share: f64) -> u32 {
    (f64::from(ms) * share) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Backoff;

    const FROM_TWO_SECONDS: Backoff = Backoff { base_ms: 2_000, max_ms: 60_000, jitter: 0.2 };

    #[test]
    fn doubles_up_to_the_cap() {
        let delays: Vec<u32> = (0..=7).map(|failures| FROM_TWO_SECONDS.nominal_ms(failures)).collect();

        assert_eq!(delays, [2_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }

    proptest! {
        #[test]
        fn leaves_80_to_100_percent_at_a_jitter_of_a_fifth(failures in any::<u32>(), chance in 0.0..1.0) {
            let nominal = FROM_TWO_SECONDS.nominal_ms(failures);

            let delay = FROM_TWO_SECONDS.delay_ms(failures, chance);

            prop_assert!(delay <= nominal);
            prop_assert!(f64::from(delay) >= f64::from(nominal) * 0.8 - 1.0);
        }

        #[test]
        fn never_exceeds_the_cap(base_ms: u32, max_ms: u32, jitter in 0.0..=1.0, failures: u32, chance in 0.0..1.0) {
            let backoff = Backoff { base_ms, max_ms, jitter };

            prop_assert!(backoff.delay_ms(failures, chance) <= max_ms);
        }
    }
}
