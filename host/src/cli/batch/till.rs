//! The money of a batch: what is spent, what is held for questions under way, and whether another may be asked.

use backstop::router::WorstCase;
use backstop::types::NanoUsd;

/// Spent and held, under a limit where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Till {
    limit: Option<NanoUsd>,
    spent: NanoUsd,
    held: NanoUsd,
}

/// Whether a question may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It may, and may cost so much in all its attempts.
    Granted(NanoUsd),
    /// Not before something under way has ended.
    Wait,
    /// Not at all: even its cheapest attempt could go past the limit.
    Never,
}

impl Till {
    pub(crate) fn new(limit: Option<NanoUsd>, spent: NanoUsd) -> Self {
        Self { limit, spent, held: NanoUsd::ZERO }
    }

    /// Whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Holds what a question may cost: an attempt at each of its targets, as one may fail after it has been paid for and another be
    /// asked. Where that is more than is left, and nothing under way could give any back, it may have all that is left, if that
    /// is enough for one attempt.
    pub(crate) fn hold(&mut self, worst: &[WorstCase], is_alone: bool) -> Hold {
        let known = worst.iter().filter_map(|case| case.cost);
        let full = known.clone().fold(NanoUsd::ZERO, NanoUsd::saturating_add);
        let least = known.min().unwrap_or_default();
        let free = self.free();
        let amount = match () {
            () if full <= free => full,
            () if !is_alone => return Hold::Wait,
            () if least <= free => free,
            () => return Hold::Never,
        };
        self.held = self.held.saturating_add(amount);
        Hold::Granted(amount)
    }

    /// Ends a hold: what of it was spent.
    pub(crate) fn settle(&mut self, held: NanoUsd, spent: NanoUsd) {
        self.held = self.held.saturating_sub(held);
        self.spent = self.spent.saturating_add(spent);
    }

    /// All that was spent.
    pub(crate) fn spent(&self) -> NanoUsd {
        self.spent
    }

    fn free(&self) -> NanoUsd {
        let limit = self.limit.unwrap_or(NanoUsd::from_nanos(u64::MAX));
        limit.saturating_sub(self.spent).saturating_sub(self.held)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backstop::types::TargetName;
    use proptest::prelude::*;

    use super::*;

    fn usd(nanos: u64) -> NanoUsd {
        NanoUsd::from_nanos(nanos)
    }

    fn cases(costs: &[u64]) -> Vec<WorstCase> {
        let target = Arc::new(TargetName::new("p", "m"));
        costs.iter().map(|cost| WorstCase { target: Arc::clone(&target), cost: Some(usd(*cost)) }).collect()
    }

    #[test]
    fn counts_what_is_under_way_at_its_worst() {
        let mut till = Till::new(Some(usd(25)), NanoUsd::ZERO);

        let holds: Vec<Hold> = (0..3).map(|_| till.hold(&cases(&[10]), false)).collect();

        assert_eq!(holds, [Hold::Granted(usd(10)), Hold::Granted(usd(10)), Hold::Wait]);
        till.settle(usd(10), usd(5));
        assert_eq!(till.hold(&cases(&[10]), false), Hold::Granted(usd(10)), "what was not used is free again");
    }

    #[test]
    fn holds_for_an_attempt_at_every_target_while_it_can() {
        let mut till = Till::new(Some(usd(25)), NanoUsd::ZERO);

        assert_eq!(till.hold(&cases(&[10, 12]), true), Hold::Granted(usd(22)));
        till.settle(usd(22), usd(10));
        assert_eq!(till.hold(&cases(&[10, 12]), true), Hold::Granted(usd(15)), "all that is left");
        till.settle(usd(15), usd(10));
        assert_eq!(till.hold(&cases(&[10, 12]), true), Hold::Never);
    }

    #[test]
    fn lets_everything_through_without_a_limit() {
        let mut till = Till::new(None, usd(7));

        assert_eq!(till.hold(&cases(&[u64::MAX / 2]), false), Hold::Granted(usd(u64::MAX / 2)));
        assert_eq!(till.hold(&cases(&[]), false), Hold::Granted(NanoUsd::ZERO));
    }

    proptest! {
        #[test]
        fn never_lets_more_be_spent_than_its_limit(
            limit in 0u64..1_000,
            questions in prop::collection::vec((prop::collection::vec(1u64..200, 1..4), 0u64..=100), 0..60),
        ) {
            let mut till = Till::new(Some(usd(limit)), NanoUsd::ZERO);
            let mut under_way: Vec<(NanoUsd, u64)> = Vec::new();
            for (costs, share) in questions {
                let cases = cases(&costs);
                let mut hold = till.hold(&cases, under_way.is_empty());
                while hold == Hold::Wait {
                    let (held, share) = under_way.remove(0);
                    till.settle(held, usd(held.nanos() * share / 100));
                    hold = till.hold(&cases, under_way.is_empty());
                }
                if let Hold::Granted(amount) = hold {
                    under_way.push((amount, share));
                }
                prop_assert!(till.spent() <= usd(limit));
            }
            for (held, share) in under_way {
                till.settle(held, usd(held.nanos() * share / 100));
            }
            prop_assert!(till.spent() <= usd(limit));
        }
    }
}
