//! Money as an integer: nano-dollars, so that a million roundings lose nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Usage;

/// An amount of US dollars in units of 10⁻⁹ dollar, from 0 to about 18 thousand million dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(u64);

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// What requests cost, but for those that are long enough for another rate.
    #[serde(flatten)]
    pub rates: Rates,
    /// What long requests cost, where that is another price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_input: Option<LongInput>,
}

/// What tokens cost by their kind, in nano-dollars for 1,000,000 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Input tokens.
    pub input_per_mtok: NanoUsd,
    /// Output tokens, the reasoning ones among them.
    pub output_per_mtok: NanoUsd,
    /// Input tokens that are read from the provider's prompt cache; `None` is as any other input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_per_mtok: Option<NanoUsd>,
    /// Input tokens that are written to it; `None` is as any other input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_per_mtok: Option<NanoUsd>,
}

/// The rates of a request whose input is long: they hold for all its tokens, not only for those above the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongInput {
    /// The longest input, in tokens, to which the usual rates still apply.
    pub above_tokens: u64,
    /// The rates of a longer one.
    #[serde(flatten)]
    pub rates: Rates,
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

    /// The amount as a plain decimal number of dollars, such as `0.000675`: what [`FromStr`] reads.
    #[must_use]
    pub fn decimal(self) -> String {
        self.to_string().trim_start_matches('$').to_owned()
    }

    /// The amount in dollars, for people and for strategies; never for sums.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure to show, not to add up")]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Price {
    /// Nothing, for any number of tokens.
    pub const FREE: Self = Self::new(NanoUsd::ZERO, NanoUsd::ZERO);

    /// A price of input and output, given for 1,000,000 tokens, at which cached input costs as much as any other.
    #[must_use]
    pub const fn new(input_per_mtok: NanoUsd, output_per_mtok: NanoUsd) -> Self {
        let rates = Rates { input_per_mtok, output_per_mtok, cache_read_per_mtok: None, cache_write_per_mtok: None };
        Self { rates, long_input: None }
    }

    /// The same price for input and output, given for 1,000 tokens.
    #[must_use]
    pub fn flat_per_1k(per_1k: NanoUsd) -> Self {
        let per_mtok = NanoUsd(per_1k.0.saturating_mul(1_000));
        Self::new(per_mtok, per_mtok)
    }

    /// What so many tokens cost at most: all input at the dearest rate there is for input. Input and output are each rounded
    /// up to a whole nano-dollar. Never less than [`Self::bill`] for as many tokens, whichever of them are cached.
    #[must_use]
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> NanoUsd {
        let rates = self.rates_for(input_tokens);
        let input = rounded_up(of(rates.dearest_input(), input_tokens));
        input.saturating_add(rounded_up(of(rates.output_per_mtok, output_tokens)))
    }

    /// What an answer cost by its provider's count: cached tokens at their own rates, the rest of the input at the usual one,
    /// output at its own. Input and output are each rounded up to a whole nano-dollar.
    #[must_use]
    pub fn bill(&self, usage: &Usage) -> NanoUsd {
        let rates = self.rates_for(usage.all_input());
        let rest = usage.input.saturating_sub(usage.cached());
        let parts = [
            (rates.cache_read_per_mtok.unwrap_or(rates.input_per_mtok), usage.cache_read),
            (rates.cache_write_per_mtok.unwrap_or(rates.input_per_mtok), usage.cache_creation),
            (rates.input_per_mtok, rest),
        ];
        let input = parts.iter().fold(0u128, |sum, (rate, tokens)| sum.saturating_add(of(*rate, *tokens)));
        rounded_up(input).saturating_add(rounded_up(of(rates.output_per_mtok, usage.output)))
    }

    /// The rates of a request with so many input tokens.
    fn rates_for(&self, input_tokens: u64) -> Rates {
        match self.long_input {
            Some(long) if input_tokens > long.above_tokens => long.rates,
            Some(_) | None => self.rates,
        }
    }
}

impl Rates {
    fn dearest_input(&self) -> NanoUsd {
        let cached = [self.cache_read_per_mtok, self.cache_write_per_mtok];
        cached.into_iter().flatten().fold(self.input_per_mtok, NanoUsd::max)
    }
}

/// The cost of so many tokens in millionths of a nano-dollar, which is exact.
fn of(per_mtok: NanoUsd, tokens: u64) -> u128 {
    u128::from(per_mtok.0) * u128::from(tokens)
}

fn rounded_up(millionths: u128) -> NanoUsd {
    NanoUsd(u64::try_from(millionths.div_ceil(1_000_000)).unwrap_or(u64::MAX))
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

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rates.fmt(f)?;
        self.long_input.map_or(Ok(()), |long| write!(f, "; above {} input tokens {}", long.above_tokens, long.rates))
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in, {} out", self.input_per_mtok, self.output_per_mtok)?;
        let cached = [("cache read", self.cache_read_per_mtok), ("cache write", self.cache_write_per_mtok)];
        let mut known = cached.iter().filter_map(|(what, rate)| rate.map(|rate| (what, rate)));
        known.try_for_each(|(what, rate)| write!(f, ", {rate} {what}"))
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
        let price = Price::new(NanoUsd(1), NanoUsd(2_500_000_000));

        assert_eq!(price.cost(1, 0), NanoUsd(1));
        assert_eq!(price.cost(0, 3), NanoUsd(7_500));
    }

    /// $1 input, $5 output, $0.10 read from the cache, $1.25 written to it; twice as much above 200,000 tokens.
    fn cached_price() -> Price {
        let rates = |times: u64| Rates {
            input_per_mtok: NanoUsd(1_000_000_000 * times),
            output_per_mtok: NanoUsd(5_000_000_000 * times),
            cache_read_per_mtok: Some(NanoUsd(100_000_000 * times)),
            cache_write_per_mtok: Some(NanoUsd(1_250_000_000 * times)),
        };
        Price { rates: rates(1), long_input: Some(LongInput { above_tokens: 200_000, rates: rates(2) }) }
    }

    #[test]
    fn bills_cached_tokens_at_their_own_rates() {
        let usage = Usage { input: 10_000, output: 200, cache_read: 8_000, cache_creation: 1_000, reasoning: 150 };

        let bill = cached_price().bill(&usage);

        // 1,000 at $1, 8,000 at $0.10, 1,000 at $1.25, 200 at $5.
        assert_eq!(bill.to_string(), "$0.00405");
        assert_eq!(cached_price().cost(10_000, 200).to_string(), "$0.0135", "all of it written to the cache");
    }

    #[test]
    fn takes_the_rates_of_long_input_above_the_threshold_only() {
        let usage = |input| Usage { input, ..Usage::default() };

        assert_eq!(cached_price().bill(&usage(200_000)).to_string(), "$0.20");
        assert_eq!(cached_price().bill(&usage(200_001)).to_string(), "$0.400002");
        assert_eq!(cached_price().cost(200_000, 0).to_string(), "$0.25");
        assert_eq!(cached_price().cost(200_001, 0).to_string(), "$0.5000025");
    }

    #[test]
    fn bills_what_was_counted_as_cached_even_where_the_sum_leaves_it_out() {
        let usage = Usage { input: 10, cache_read: 1_000_000, ..Usage::default() };

        assert_eq!(cached_price().bill(&usage).to_string(), "$0.20", "long input");
    }

    fn rates() -> impl Strategy<Value = Rates> {
        // Up to a thousand dollars; cached ones may be dearer or cheaper than the others.
        let rate = || (0u64..1_000_000_000_000).prop_map(NanoUsd);
        let cached = || prop::option::of(rate());
        (rate(), rate(), cached(), cached()).prop_map(|(input, output, read, write)| Rates {
            input_per_mtok: input,
            output_per_mtok: output,
            cache_read_per_mtok: read,
            cache_write_per_mtok: write,
        })
    }

    fn price() -> impl Strategy<Value = Price> {
        let long = (0u64..1_000_000, rates()).prop_map(|(above_tokens, rates)| LongInput { above_tokens, rates });
        (rates(), prop::option::of(long)).prop_map(|(rates, long_input)| Price { rates, long_input })
    }

    fn usage() -> impl Strategy<Value = Usage> {
        let tokens = || 0u64..1_000_000;
        (tokens(), tokens(), tokens(), tokens()).prop_map(|(rest, output, cache_read, cache_creation)| Usage {
            input: rest + cache_read + cache_creation,
            output,
            cache_read,
            cache_creation,
            reasoning: 0,
        })
    }

    proptest! {
        #[test]
        fn shows_what_it_reads(nanos in any::<u64>()) {
            let shown = NanoUsd(nanos).to_string();
            let read = shown.strip_prefix('$').map(str::parse);
            prop_assert_eq!(read, Some(Ok(NanoUsd(nanos))));
        }

        #[test]
        fn bills_to_the_nano_dollar(price in price(), usage in usage()) {
            let rates = price.long_input.filter(|long| usage.input > long.above_tokens).map_or(price.rates, |long| long.rates);
            let signed = |amount: NanoUsd| i128::from(amount.nanos());
            let at = |rate: Option<NanoUsd>| signed(rate.unwrap_or(rates.input_per_mtok));
            let rest = usage.input - usage.cache_read - usage.cache_creation;
            let input = at(rates.cache_read_per_mtok) * i128::from(usage.cache_read)
                + at(rates.cache_write_per_mtok) * i128::from(usage.cache_creation)
                + at(None) * i128::from(rest);
            let output = signed(rates.output_per_mtok) * i128::from(usage.output);

            let bill = signed(price.bill(&usage));

            let up = |millionths: i128| millionths / 1_000_000 + i128::from(millionths % 1_000_000 != 0);
            prop_assert_eq!(bill, up(input) + up(output));
            prop_assert!(bill * 1_000_000 >= input + output, "never less than the exact sum");
            prop_assert!(bill * 1_000_000 < input + output + 2_000_000, "less than two nano-dollars more");
        }

        #[test]
        fn estimates_no_less_than_the_bill_will_be(price in price(), usage in usage()) {
            prop_assert!(price.bill(&usage) <= price.cost(usage.input, usage.output));
        }

        #[test]
        fn overflows_nowhere(price in price(), counts in any::<[u64; 4]>()) {
            let [input, output, cache_read, cache_creation] = counts;
            let dear = Price::new(NanoUsd(u64::MAX), NanoUsd(u64::MAX));
            let usage = Usage { input, output, cache_read, cache_creation, reasoning: 0 };

            for price in [price, dear] {
                let _ = (price.bill(&usage), price.cost(input, output));
            }
        }
    }
}
