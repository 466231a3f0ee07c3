//! How many tokens the answers to a request may have at a target, and who sees to it.

/// Tokens of an answer that nothing bounds: what is reckoned with and, where money counts, asked for.
const USUAL: u32 = 4_096;

/// The output of a request at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Output {
    each: Each,
    answers: u32,
}

/// The tokens of each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Each {
    /// The request says so as it is sent, or the target has room for no more.
    Bounded(u32),
    /// Nothing bounds them but the host, if it has to.
    Open(u32),
}

impl Output {
    /// What has no output.
    pub(super) const NONE: Self = Self { each: Each::Bounded(0), answers: 1 };

    /// What so many answers come to. `limit` is what each is bounded to by the request as it is sent, `window` how much the
    /// target takes of input and output together, as far as that is known.
    pub(super) fn of(limit: Option<u32>, answers: u32, window: Option<u32>) -> Self {
        let window = window.unwrap_or(u32::MAX);
        let each = match limit {
            Some(limit) => Each::Bounded(limit.min(window)),
            // A small window must have room for the input as well: some refuse a request whose sum does not fit.
            None => Each::Open(USUAL.min(window / 2)),
        };
        Self { each, answers: answers.max(1) }
    }

    /// The tokens to reckon with.
    pub(super) fn tokens(self) -> u32 {
        let (Each::Bounded(each) | Each::Open(each)) = self.each;
        each.saturating_mul(self.answers)
    }

    /// What each answer has to be bounded to so that no more than was reckoned with can come.
    pub(super) fn missing_limit(self) -> Option<u32> {
        match self.each {
            Each::Bounded(_) => None,
            Each::Open(tokens) => Some(tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reckons_with_what_is_asked_for_times_the_answers() {
        let output = Output::of(Some(100), 3, None);

        assert_eq!((output.tokens(), output.missing_limit()), (300, None));
    }

    #[test]
    fn reckons_with_no_more_than_the_window_holds() {
        assert_eq!(Output::of(Some(1_000_000), 2, Some(8_000)).tokens(), 16_000);
    }

    #[test]
    fn bounds_what_nobody_bounds_and_leaves_room_for_the_input() {
        let open = |window| Output::of(None, 2, window);

        assert_eq!((open(None).tokens(), open(None).missing_limit()), (8_192, Some(4_096)));
        assert_eq!((open(Some(4_000)).tokens(), open(Some(4_000)).missing_limit()), (4_000, Some(2_000)));
    }
}
