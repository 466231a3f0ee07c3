//! A length of time as an operator writes it.

use crate::options::OptionValue;
use crate::{Value, words};

/// A length of time in whole milliseconds, at most some 49 days. Written `"250ms"`, `"2s"`, `"1.5s"`, `"1m30s"`, `"2h"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wait(u32);

impl Wait {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u32) -> Self {
        Self(ms)
    }

    /// So many seconds, at most what fits.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn ms(self) -> u32 {
        self.0
    }

    /// Reads what an operator wrote; `None` where it is no length of time, or too long to be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        if rest == "0" {
            return Some(Self::ZERO);
        }
        let mut total: u32 = 0;
        loop {
            let unit_at = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let (number, tail) = rest.split_at(unit_at);
            let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            total = total.checked_add(in_ms(number.trim(), unit)?)?;
            rest = tail.trim_start();
            if rest.is_empty() {
                return Some(Self(total));
            }
        }
    }
}

impl OptionValue for Wait {
    const EXPECTED: &'static str = "a length of time such as \"250ms\", \"2s\" or \"1m30s\"";
    const SCHEMA: &'static str = r#""type":"string","format":"duration""#;

    fn read(value: &Value) -> Option<Self> {
        Self::parse(value.as_str()?)
    }

    fn to_json(&self) -> String {
        let mut text = String::from("\"");
        let (number, unit) = if self.0.is_multiple_of(1_000) { (self.0 / 1_000, "s\"") } else { (self.0, "ms\"") };
        words::push_number(&mut text, u64::from(number));
        text.push_str(unit);
        text
    }
}

/// A number with at most three decimals, times its unit.
fn in_ms(number: &str, unit: &str) -> Option<u32> {
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" | "sec" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let thousandths = whole_number(decimals)?.checked_mul(10_u64.checked_pow(3_u32.checked_sub(len(decimals)?)?)?)?;
    let number = whole_number(whole)?.checked_mul(1_000)?.checked_add(thousandths)?;
    u32::try_from(number.checked_mul(unit_ms)? / 1_000).ok()
}

fn whole_number(digits: &str) -> Option<u64> {
    // The standard parser would also take a sign.
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn len(text: &str) -> Option<u32> {
    u32::try_from(text.len()).ok()
}

#[cfg(test)]
mod tests {
    use super::Wait;
    use crate::options::OptionValue;

    #[test]
    fn reads_what_operators_write() {
        let read = |text| Wait::parse(text).map(Wait::ms);

        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("2s"), Some(2_000));
        assert_eq!(read("1.5s"), Some(1_500));
        assert_eq!(read("0.025s"), Some(25));
        assert_eq!(read(" 1m30s "), Some(90_000));
        assert_eq!(read("1m 30s"), Some(90_000));
        assert_eq!(read("2h"), Some(7_200_000));
        assert_eq!(read("0"), Some(0));
    }

    #[test]
    fn refuses_what_is_no_length_of_time() {
        for text in ["", "5", "-5s", "+5s", "s", "5x", "1e9h", "10000h", "1.s.", "1.0001s", "1s5", "5 0s", "١s", "."] {
            assert_eq!(Wait::parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for wait in [Wait::ZERO, Wait::from_ms(250), Wait::from_secs(60)] {
            let written = wait.to_json();

            assert_eq!(Wait::parse(written.trim_matches('"')), Some(wait));
        }
    }
}
