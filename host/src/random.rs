//! The only source of randomness: seeded from the system, or by hand so that a run can be repeated.

use std::sync::atomic::{AtomicU64, Ordering};

use rustls::crypto::ring::default_provider;
use thiserror::Error;

/// A stream of 64-bit random numbers that any thread may draw from without a lock (`SplitMix64`).
///
/// Good for jitter, names and tie-breaking; for secrets there is [`secret`].
#[derive(Debug)]
pub struct Random {
    state: AtomicU64,
}

/// The system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the system has no randomness to give")]
pub struct NoRandomness;

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// A stream that differs from run to run.
    #[must_use]
    pub fn from_system() -> Self {
        Self::seeded(fastrand::u64(..))
    }

    /// The same stream for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next share: more than nothing, less than the whole.
    #[expect(clippy::cast_precision_loss, reason = "as many bits are kept as the number holds")]
    pub fn share(&self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }
}

/// Bytes that nobody can guess: the system's own, by way of the cryptography that TLS stands on.
///
/// # Errors
/// When the system has none to give.
pub fn secret<const LENGTH: usize>() -> Result<[u8; LENGTH], NoRandomness> {
    let mut bytes = [0; LENGTH];
    default_provider().secure_random.fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_itself_for_the_same_seed() {
        let (one, other) = (Random::seeded(7), Random::seeded(7));

        let draws = |random: &Random| -> Vec<u64> { (0..8).map(|_| random.next()).collect() };

        assert_eq!(draws(&one), draws(&other));
    }

    #[test]
    fn draws_shares_from_everywhere_between_nothing_and_the_whole() {
        let random = Random::seeded(1);

        let shares: Vec<f64> = (0..10_000).map(|_| random.share()).collect();

        assert!(shares.iter().all(|share| (f64::MIN_POSITIVE..1.0).contains(share)));
        let mean = shares.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }

    #[test]
    fn never_draws_the_same_secret_twice() {
        let draws: [[u8; 16]; 3] = std::array::from_fn(|_| secret().unwrap());

        assert!(draws[0] != draws[1] && draws[1] != draws[2] && draws[0] != draws[2]);
    }
}
