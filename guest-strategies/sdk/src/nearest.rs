//! The name an operator probably meant.

/// The known name nearest to a mistyped one, where one is near enough to be worth naming.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let far = name.len() / 2 + 1;
    known
        .map(|candidate| (strsim::osa_distance(name, &candidate), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn names_what_is_near_and_nothing_that_is_far() {
        let known = || ["patience", "retries", "primary"].into_iter().map(str::to_owned);

        assert_eq!(nearest("patiense", known()).as_deref(), Some("patience"));
        assert_eq!(nearest("retry", known()).as_deref(), Some("retries"));
        assert_eq!(nearest("colour", known()), None);
    }
}
