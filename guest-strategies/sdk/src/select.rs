//! What to choose among candidates by: filters that chain and choosers that end a chain.

use crate::Candidate;

/// Filters and choosers for candidates. Ties go to the one declared first.
///
/// ```
/// # use backstop_strategy::{Ask, Decision, Select};
/// fn next(ask: &Ask<'_>) -> Decision {
///     match ask.candidates().ready().untried().cheapest() {
///         Some(candidate) => Decision::attempt(&candidate).because("cheapest"),
///         None => Decision::give_up(),
///     }
/// }
/// ```
pub trait Select<'a>: Iterator<Item = Candidate<'a>> + Sized {
    /// Those that would be admitted now.
    fn ready(self) -> impl Iterator<Item = Candidate<'a>> {
        self.filter(Candidate::is_ready)
    }

    /// Those that may come to serve this request, by waiting if need be.
    fn usable(self) -> impl Iterator<Item = Candidate<'a>> {
        self.filter(Candidate::is_usable)
    }

    /// Those this request has not been to.
    fn untried(self) -> impl Iterator<Item = Candidate<'a>> {
        self.filter(Candidate::is_untried)
    }

    /// Those at which this request has failed already.
    fn tried(self) -> impl Iterator<Item = Candidate<'a>> {
        self.filter(|candidate| !candidate.is_untried())
    }

    /// Those at which no attempt of this request is under way.
    fn idle(self) -> impl Iterator<Item = Candidate<'a>> {
        self.filter(|candidate| !candidate.is_in_flight())
    }

    /// Those that show no signs of trouble.
    fn untroubled(self) -> impl Iterator<Item = Candidate<'a>> {
        self.filter(|candidate| !candidate.is_troubled())
    }

    /// Those the operator gave this label.
    fn labelled(self, name: &str, value: &str) -> impl Iterator<Item = Candidate<'a>> {
        self.filter(move |candidate| candidate.label(name) == Some(value))
    }

    /// The one with the least rank.
    fn least_by<K: PartialOrd>(self, mut rank: impl FnMut(&Candidate<'a>) -> K) -> Option<Candidate<'a>> {
        let mut least: Option<(K, Candidate<'a>)> = None;
        for candidate in self {
            let rank = rank(&candidate);
            if least.as_ref().is_none_or(|(best, _)| rank < *best) {
                least = Some((rank, candidate));
            }
        }
        least.map(|(_, candidate)| candidate)
    }

    /// The one this request costs least at; unknown prices come last.
    fn cheapest(self) -> Option<Candidate<'a>> {
        self.least_by(|candidate| candidate.cost().unwrap_or(f64::INFINITY))
    }

    /// The one with the highest priority.
    fn highest_priority(self) -> Option<Candidate<'a>> {
        self.least_by(|candidate| core::cmp::Reverse(candidate.priority))
    }

    /// The one that may be admitted soonest, of those for which that is known.
    fn soonest(self) -> Option<Candidate<'a>> {
        self.filter(|candidate| candidate.standing().wait_ms().is_some())
            .least_by(|candidate| candidate.standing().wait_ms())
    }

    /// The one that has been giving its first token soonest; those not measured yet come last.
    fn fastest(self) -> Option<Candidate<'a>> {
        self.least_by(|candidate| candidate.state().first_token_ms.unwrap_or(f32::INFINITY))
    }
}

impl<'a, I: Iterator<Item = Candidate<'a>>> Select<'a> for I {}
