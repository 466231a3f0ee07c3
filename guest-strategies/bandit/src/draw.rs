//! Draws from a Beta distribution, by the question's own chance.

use core::f64::consts::TAU;

/// A sequence of lots that a question's entropy begins.
pub(crate) struct Lots(u64);

impl Lots {
    pub(crate) const fn of(entropy: u64) -> Self {
        Self(entropy)
    }

    /// From Beta(a, b), a and b at least 1: how often something may come true that came true a - 1 times and failed b - 1 times.
    pub(crate) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (good, bad) = (self.gamma(a), self.gamma(b));
        let all = good + bad;
        if all > 0.0 { good / all } else { 0.5 }
    }

    /// From Gamma(shape, 1), by Marsaglia and Tsang's way, which takes two turns at the most as a rule.
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        // Each turn fails once in twenty: 64 in a row do not happen, and whoever counts on that has no endless loop.
        for _ in 0..64 {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.fraction().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
        shape
    }

    /// From the normal distribution, by Box and Muller's way.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.fraction().ln()).sqrt() * (TAU * self.fraction()).cos()
    }

    /// Above 0, up to 1.
    fn fraction(&mut self) -> f64 {
        const ALL: f64 = (1_u64 << 53) as f64;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
        let drawn = (self.next() >> 11) as f64;
        (drawn + 1.0) / ALL
    }

    /// SplitMix64.
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Lots;

    /// Mean and variance of 20,000 draws.
    fn moments(a: f64, b: f64) -> (f64, f64) {
        let mut lots = Lots::of(5);
        let draws: Vec<f64> = (0..20_000).map(|_| lots.beta(a, b)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        (mean, draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 20_000.0)
    }

    #[test]
    fn draws_with_the_mean_and_the_variance_of_the_distribution() {
        for (a, b) in [(1.0, 1.0), (3.0, 1.0), (1.5, 40.0), (200.0, 100.0)] {
            let (mean, variance) = moments(a, b);

            let all: f64 = a + b;
            assert!((mean - a / all).abs() < 0.01, "{mean} for {a}, {b}");
            let expected = a * b / (all * all * (all + 1.0));
            assert!((variance / expected - 1.0).abs() < 0.05, "{variance} for {a}, {b}, not {expected}");
        }
    }

    #[test]
    fn draws_the_same_from_the_same_entropy() {
        let draw = |entropy| Lots::of(entropy).beta(2.0, 3.0).to_bits();

        assert_eq!(draw(9), draw(9));
        assert_ne!(draw(9), draw(10));
    }
}
