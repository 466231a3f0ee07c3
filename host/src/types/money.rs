//! Money as an integer: nano-dollars, so that a million roundings lose nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An amount of US dollars in units of 10⁻⁹ dollar, from 0 to about 18 thousand million dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(u64);

/// What a model costs, in nano-dollars for 1,000,000 tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Price {
    /// For 1,000,000 input tokens.
    pub input_per_mtok: NanoUsd,
    /// For 1,000,000 output tokens, reasoning tokens included.
    pub output_per_mtok: NanoUsd,
}

/// Why a text is not an amount of dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseMoneyError {
    /// Anything but digits with at most one point.
    #[error("not a plain decimal number of dollars, such as \"2.50\"")]
    NotADecimal,
    /// More than nine digits behind the point: less than a nano-dollar.
    #[error("finer than a nano-dollar (nine digits behind the point)")]
    TooFine,
    /// More than the type holds.
    #[error("more than eighteen thousand million dollars")]
    TooLarge,
}

impl NanoUsd {
    /// No money at all.
    pub const ZERO: Self = Self(0);
    /// One dollar.
    pub const DOLLAR: Self = Self(1_000_000_000);

    /// Takes an amount in nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The sum, or `None` where it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The sum, at most the largest amount there is.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least nothing.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount in dollars, for people and for strategies; never for sums.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure to show, not to add up")]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Price {
    /// The cost of so many tokens; each part is rounded up to a whole nano-dollar.
    #[must_use]
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> NanoUsd {
        part(self.input_per_mtok, input_tokens).saturating_add(part(self.output_per_mtok, output_tokens))
    }

    /// The same price for input and output, given for 1,000 tokens.
    #[must_use]
    pub fn flat_per_1k(per_1k: NanoUsd) -> Self {
        let per_mtok = NanoUsd(per_1k.0.saturating_mul(1_000));
        Self { input_per_mtok: per_mtok, output_per_mtok: per_mtok }
    }
}

fn part(per_mtok: NanoUsd, tokens: u64) -> NanoUsd {
    let nanos = (u128::from(per_mtok.0) * u128::from(tokens)).div_ceil(1_000_000);
    NanoUsd(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl FromStr for NanoUsd {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
            return Err(ParseMoneyError::NotADecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 9 {
            return Err(ParseMoneyError::TooFine);
        }
        let whole: u64 = whole.parse().map_err(|_| ParseMoneyError::TooLarge)?;
        let nanos: u64 = format!("{fraction:0<9}").parse().map_err(|_| ParseMoneyError::NotADecimal)?;
        let total = whole.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(nanos));
        total.map(Self).ok_or(ParseMoneyError::TooLarge)
    }
}

impl fmt::Display for NanoUsd {
    /// Dollars with at least two digits behind the point and no more than the amount has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.0 % 1_000_000_000);
        let kept = fraction.trim_end_matches('0').len().max(2);
        write!(f, "${}.{}", self.0 / 1_000_000_000, fraction.get(..kept).unwrap_or("00"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_dollars_exactly() {
        assert_eq!("2.50".parse(), Ok(NanoUsd(2_500_000_000)));
        assert_eq!("0.000000001".parse(), Ok(NanoUsd(1)));
        assert_eq!("10".parse(), Ok(NanoUsd(10_000_000_000)));
    }

    #[test]
    fn refuses_what_is_not_a_plain_decimal() {
        for text in ["", ".", "1.", "-1", "+1", "$10", "10,00", "1e3", "NaN", "inf", " 1"] {
            assert_eq!(text.parse::<NanoUsd>(), Err(ParseMoneyError::NotADecimal), "{text:?}");
        }
        assert_eq!("0.0000000001".parse::<NanoUsd>(), Err(ParseMoneyError::TooFine));
        assert_eq!("99999999999999999999".parse::<NanoUsd>(), Err(ParseMoneyError::TooLarge));
    }

    #[test]
    fn rounds_a_cost_up_to_the_nano_dollar() {
        let price = Price { input_per_mtok: NanoUsd(1), output_per_mtok: NanoUsd(2_500_000_000) };

        assert_eq!(price.cost(1, 0), NanoUsd(1));
        assert_eq!(price.cost(0, 3), NanoUsd(7_500));
    }

    proptest! {
        #[test]
        fn shows_what_it_reads(nanos in any::<u64>()) {
            let shown = NanoUsd(nanos).to_string();
            let read = shown.strip_prefix('$').map(str::parse);
            prop_assert_eq!(read, Some(Ok(NanoUsd(nanos))));
        }
    }
}
