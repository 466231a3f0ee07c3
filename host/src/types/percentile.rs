//! Percentiles as people mean them: a value that was met, and not one between two.

/// The smallest of sorted values that so many in a hundred do not exceed, by its nearest rank; `None` of none.
#[must_use]
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_value_that_was_met() {
        let values: Vec<u32> = (1..=200).collect();

        assert_eq!([50, 95, 99, 100].map(|percent| percentile(&values, percent)), [100, 190, 198, 200].map(Some));
        assert_eq!((percentile(&[7], 1), percentile::<u32>(&[], 50)), (Some(7), None));
    }
}
