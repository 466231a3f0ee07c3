//! A number of tokens that can be believed.

use serde_json::value::RawValue;

/// More tokens than any one answer takes: a count beyond it is a fault, not a bill.
const ABSURD: u64 = 1_000_000_000;

/// Reads a count; `None` where it is negative, no whole number or absurd.
pub(super) fn count(part: &RawValue) -> Option<u64> {
    let whole: Option<u64> = serde_json::from_str(part.get()).ok();
    whole.or_else(|| whole_float(part)).filter(|tokens| *tokens <= ABSURD)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within the range just checked")]
fn whole_float(part: &RawValue) -> Option<u64> {
    let number: f64 = serde_json::from_str(part.get()).ok()?;
    ((0.0..1e9).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}
