//! A bar as long as an amount, next to others.

use backstop::types::NanoUsd;

/// The longest bar, in letters.
const LONGEST: u128 = 24;

/// Eighths of a letter.
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The bar of an amount where the largest has the longest.
pub(super) fn bar(amount: NanoUsd, largest: NanoUsd) -> String {
    let Some(eighths) = (u128::from(amount.nanos()) * LONGEST * 8).checked_div(largest.nanos().into()) else {
        return String::new();
    };
    let (whole, part) = (usize::try_from(eighths / 8).unwrap_or(0), usize::try_from(eighths % 8).unwrap_or(0));
    "█".repeat(whole) + PARTS.get(part).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_long_as_its_share() {
        let bars = [(8, 8), (4, 8), (1, 384), (0, 8), (0, 0), (u64::MAX, u64::MAX)]
            .map(|(amount, largest)| bar(NanoUsd::from_nanos(amount), NanoUsd::from_nanos(largest)));

        let whole = "█".repeat(24);
        assert_eq!(bars, [whole.as_str(), &"█".repeat(12), "", "", "", whole.as_str()]);
        assert_eq!(bar(NanoUsd::from_nanos(11), NanoUsd::from_nanos(192)), "█▍");
    }
}
