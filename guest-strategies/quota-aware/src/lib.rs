//! `quota-aware`: by lot, in proportion to what is left of each target's quota, so that none runs out before the others.
//!
//! Providers tell with each reply what is left (`x-ratelimit-remaining-…`). Whoever takes turns regardless runs into the smallest
//! limit first and learns of it by a 429; whoever draws lots by what is left empties all quotas alike and meets none. What is kept
//! back of each is for those who have nowhere else to go. It needs no power: what is left is in the question.

use std::cmp::Ordering;

use backstop_strategy::{
    Ask, Candidate, Decision, Fallback, FallbackOptions, Order, Roster, Select, Share, Strategy, export, options,
};

options! {
    /// What `quota-aware` can be told.
    struct Options {
        /// The share of each quota that is kept back: with less left a target goes last.
        reserve: Share = Share::new(0.05),
        ..fallback: FallbackOptions
    }
}

/// Spares the quota that is nearest to its end.
struct QuotaAware {
    fallback: Fallback,
    reserve: f64,
}

/// The one that was drawn; after it, who has the most left.
struct Drawn(Option<u32>);

/// Whether it was not drawn, and what is left of its quota, the most first.
#[derive(PartialEq, PartialOrd)]
struct Rank(bool, Most);

/// A share that compares the other way round.
#[derive(PartialEq)]
struct Most(f64);

export!(QuotaAware);

impl Strategy for QuotaAware {
    type Options = Options;

    fn configure(roster: &Roster, options: Options) -> Result<Self, String> {
        Ok(Self { fallback: Fallback::new(roster, options.fallback)?, reserve: options.reserve.get() })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.fallback.decide(ask, &Drawn(self.draw(ask)))
    }
}

impl QuotaAware {
    /// Draws among those that could be asked now and have more than the reserve.
    fn draw(&self, ask: &Ask<'_>) -> Option<u32> {
        let shares = || {
            let ready = ask.candidates().ready().untried().idle();
            ready.map(|candidate| (candidate.index(), (left(&candidate) - self.reserve).max(0.0)))
        };
        let mut lot = ask.chance() * shares().map(|(_, share)| share).sum::<f64>();
        shares().filter(|(_, share)| *share > 0.0).find_map(|(index, share)| {
            lot -= share;
            (lot < 0.0).then_some(index)
        })
    }
}

/// The share that is left of a target's scarcest quota. Who tells of none has none to run out of.
fn left(candidate: &Candidate<'_>) -> f64 {
    candidate.state().quota_left.map_or(1.0, f64::from)
}

impl Order for Drawn {
    type Rank = Rank;

    fn rank(&self, candidate: &Candidate<'_>) -> Rank {
        Rank(self.0 != Some(candidate.index()), Most(left(candidate)))
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        match candidate.state().quota_left {
            Some(left) => format!("{:.0} % of its quota is left", left * 100.0),
            None => "it tells of no quota".to_owned(),
        }
    }
}

impl PartialOrd for Most {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        other.0.partial_cmp(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::QuotaAware;

    fn quotas(a: f32, b: f32) -> Situation {
        Situation::new().target("a/x").quota_left(a).target("b/x").quota_left(b)
    }

    /// How often of 1,000 questions, their chances spread evenly, the first target is chosen.
    fn firsts(situation: &Situation) -> usize {
        let chosen = |n: u64| situation.clone().entropy(n * (u64::MAX / 1_000)).chosen::<QuotaAware>();
        (0..1_000).filter(|n| chosen(*n) == "a/x").count()
    }

    #[test]
    fn draws_in_proportion_to_what_is_left_above_the_reserve() {
        // Of 0.75 to 0.25, and of like to like; a lot that falls on the border falls to either side.
        assert!((749..=751).contains(&firsts(&quotas(0.8, 0.3))));
        assert!((499..=501).contains(&firsts(&quotas(0.55, 0.55))));
    }

    #[test]
    fn leaves_the_reserve_to_those_who_have_nowhere_else_to_go() {
        assert_eq!(firsts(&quotas(0.04, 0.3)), 0);
        assert_eq!(quotas(0.04, 0.3).course::<QuotaAware>(Failure::RateLimited)[..2], ["b/x", "a/x"]);
        assert_eq!(quotas(0.01, 0.02).answer::<QuotaAware>(), "b/x (2 % of its quota is left)");
    }

    #[test]
    fn takes_one_that_tells_of_no_quota_for_full() {
        let situation = Situation::new().target("a/x").target("b/x").quota_left(0.05);

        assert_eq!(situation.answer::<QuotaAware>(), "a/x (it tells of no quota)");
    }
}
