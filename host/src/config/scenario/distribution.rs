//! How a quantity is spread: one number, a range, or a curve by its percentiles.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::problem::{Fault, Read};
use crate::config::section::Section;
use crate::config::units;

/// The quantile of the normal distribution that 95 in a hundred stay below.
const NORMAL_P95: f64 = 1.644_853_626_951_472_7;

/// How a quantity is spread: seconds, or tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// As often anywhere between two bounds.
    Uniform {
        /// The least.
        from: f64,
        /// The most.
        to: f64,
    },
    /// Waits that know nothing of how long they have lasted.
    Exponential {
        /// Their mean.
        mean: f64,
    },
    /// Mostly small, now and then very large, as latencies are.
    LogNormal {
        /// What half of them stay below.
        p50: f64,
        /// What 95 in a hundred stay below.
        p95: f64,
    },
}

impl Distribution {
    /// The value that this share of all values stays below; the share is between 0 and 1, both left out.
    #[must_use]
    pub fn quantile(self, share: f64) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Uniform { from, to } => from + (to - from) * share,
            Self::Exponential { mean } => -mean * (-share).ln_1p(),
            Self::LogNormal { p50, p95 } => p50 * (normal_quantile(share) / NORMAL_P95 * (p95 / p50).ln()).exp(),
        }
    }

    /// The same as a length of time, where the values are seconds; no longer than anything may be set to.
    #[must_use]
    pub fn length(self, share: f64) -> Duration {
        Duration::try_from_secs_f64(self.quantile(share)).map_or(units::LONGEST, |length| length.min(units::LONGEST))
    }

    /// The same as a count: at least 1, rounded.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to the type's range")]
    pub fn count(self, share: f64) -> u32 {
        self.quantile(share).round().clamp(1.0, f64::from(u32::MAX)) as u32
    }
}

/// The keys of a distribution that is more than one value.
const KEYS: [&str; 5] = ["from", "to", "p50", "p95", "mean"];

/// Reads a distribution: a value, `{ from, to }`, `{ p50, p95 }` or `{ mean }`, each value by its own reader.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    key: &'static str,
    field: &mut Distribution,
    value: impl Fn(&DeValue<'_>) -> Read<f64>,
) {
    let Some(entry) = section.entry(key) else { return };
    if !matches!(entry.value, DeValue::Table(_)) {
        *field = section.read(entry, value).map_or(*field, Distribution::Constant);
        return;
    }
    let Some(mut table) = section.open(entry) else { return };
    let [from, to, p50, p95, mean] = KEYS.map(|key| table.get(key, &value));
    let said: Vec<&str> = KEYS.into_iter().filter(|key| table.has(key)).collect();
    table.finish();
    // Half a pair that could not be read was reported where it stands.
    let read = match said.as_slice() {
        ["from", "to"] => from.zip(to).map(|(from, to)| uniform(from, to)),
        ["p50", "p95"] => p50.zip(p95).map(|(p50, p95)| log_normal(p50, p95)),
        ["mean"] => mean.map(|mean| Ok(Distribution::Exponential { mean })),
        _ => Some(Err(Fault::words("not a distribution", SHAPES))),
    };
    match read {
        Some(Ok(distribution)) => *field = distribution,
        Some(Err(fault)) => section.fault(entry, fault),
        None => {}
    }
}

/// The mend of what is no distribution.
const SHAPES: &str = "write one value, { from, to }, { p50, p95 } or { mean }";

fn uniform(from: f64, to: f64) -> Read<Distribution> {
    if to < from {
        return Err(Fault::words("to is less than from", "write the smaller one first"));
    }
    Ok(Distribution::Uniform { from, to })
}

fn log_normal(p50: f64, p95: f64) -> Read<Distribution> {
    if p50 <= 0.0 {
        return Err(Fault::words("p50 must be more than nothing", "write what half of them stay below"));
    }
    if p95 < p50 {
        return Err(Fault::words("p95 is less than p50", "write the smaller one first"));
    }
    Ok(Distribution::LogNormal { p50, p95 })
}

/// The value that this share of a standard normal distribution stays below, to nine digits: Acklam's approximation by
/// quotients of polynomials, one for the middle and one for either end.
fn normal_quantile(share: f64) -> f64 {
    const END: f64 = 0.024_25;
    let share = share.clamp(1e-300, 1.0 - f64::EPSILON);
    if share < END {
        return end_quantile((-2.0 * share.ln()).sqrt());
    }
    if share > 1.0 - END {
        return -end_quantile((-2.0 * (1.0 - share).ln()).sqrt());
    }
    let offset = share - 0.5;
    let square = offset * offset;
    let over = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    let under = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
        1.0,
    ];
    polynomial(&over, square) * offset / polynomial(&under, square)
}

fn end_quantile(distance: f64) -> f64 {
    let over = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    let under = [0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
    polynomial(&over, distance) / polynomial(&under, distance)
}

/// The highest power comes first.
fn polynomial(factors: &[f64], of: f64) -> f64 {
    factors.iter().fold(0.0, |sum, factor| sum * of + factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-6 * other.abs().max(1.0)
    }

    #[test]
    fn knows_the_normal_distribution_by_heart() {
        for (share, value) in [
            (0.5, 0.0),
            (0.841_344_746, 1.0),
            (0.95, NORMAL_P95),
            (0.975, 1.959_963_985),
            (0.999, 3.090_232_306),
            (0.001, -3.090_232_306),
            (0.01, -2.326_347_874),
        ] {
            assert!(near(normal_quantile(share), value), "{share}: {}", normal_quantile(share));
        }
    }

    #[test]
    fn meets_the_percentiles_it_was_given() {
        let curve = Distribution::LogNormal { p50: 0.3, p95: 1.2 };
        let range = Distribution::Uniform { from: 1.0, to: 3.0 };
        let waits = Distribution::Exponential { mean: 2.0 };

        assert!(near(curve.quantile(0.5), 0.3) && near(curve.quantile(0.95), 1.2));
        assert!(near(range.quantile(0.25), 1.5) && near(waits.quantile(0.5), 2.0 * 2f64.ln()));
        assert_eq!(Distribution::Constant(4.0).quantile(0.9).to_bits(), 4f64.to_bits());
    }

    #[test]
    fn grows_with_the_share_and_is_never_negative() {
        let all = [
            Distribution::LogNormal { p50: 0.3, p95: 0.3 },
            Distribution::LogNormal { p50: 0.1, p95: 9.0 },
            Distribution::Uniform { from: 0.0, to: 0.0 },
            Distribution::Exponential { mean: 1.0 },
        ];
        for distribution in all {
            let values: Vec<f64> = (1..1_000).map(|place| distribution.quantile(f64::from(place) / 1_000.0)).collect();

            assert!(values.iter().all(|value| value.is_finite() && *value >= 0.0), "{distribution:?}");
            assert!(values.is_sorted(), "{distribution:?}");
        }
    }

    #[test]
    fn counts_at_least_one_and_no_more_than_fits() {
        assert_eq!(Distribution::Constant(0.2).count(0.5), 1);
        assert_eq!(Distribution::Constant(1e12).count(0.5), u32::MAX);
        assert_eq!(Distribution::Constant(f64::MAX).length(0.5), units::LONGEST);
    }
}
