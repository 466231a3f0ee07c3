//! `hedge`: a second target beside one that is slower than it is 19 times out of 20, within a share of what is spent.
//!
//! How long each target's first tokens take is kept as a histogram, fading, streams and whole replies apart; the question "who is
//! next?" is answered with the 95th percentile of whoever was chosen. If no token has come by then, the next target in order is asked
//! as well, and the first of the two serves. That costs: the loser's answer is paid and read by nobody. So what losers cost is
//! added up, and while it is more than `extra_cost` of all that was spent, nobody is asked a second time.
//!
//! The powers it needs are `observe` and `state`. The operator's own bound, `retries.hedges`, holds besides.

mod delays;

use std::cmp::Reverse;

use backstop_strategy::powers::state;
use backstop_strategy::{
    Ask, Attempt, Candidate, Decision, End, Fallback, FallbackOptions, Hedge, Observe, Order, Outcome, Roster, Share,
    Strategy, Verdict, Wait, export, options,
};

use delays::Delays;

options! {
    /// What `hedge` can be told. Its `hedge` is the wait for targets that are not known well enough; off, they are not hedged.
    struct Options {
        /// The share of first tokens that come in time: 0.95 hedges one request in twenty.
        in_time: Share = Share::new(0.95),
        /// How many first tokens must have been seen of a target before it is hedged.
        known_after: u32 = 20,
        /// The most that hedges may add to what is spent, as a share of it.
        extra_cost: Share = Share::new(0.05),
        ..fallback: FallbackOptions
    }
}

/// Asks again where it is worth it.
struct Hedged {
    options: Options,
    fallback: Fallback,
}

/// Where it is kept what was spent, and on losers.
const SPENT: &str = "spent";

/// What each outcome leaves of what was spent before: some thousand of them count.
const FADING: f64 = 0.999;

export!(Hedged: Observe);

impl Strategy for Hedged {
    type Options = Options;

    fn configure(roster: &Roster, options: Options) -> Result<Self, String> {
        // Hedging is always on as far as the fallback goes: when, and whether, is decided here.
        let on = Hedge::After(Wait::from_secs(1));
        let fallback = Fallback::new(roster, FallbackOptions { hedge: on, ..options.fallback.clone() })?;
        Ok(Self { options, fallback })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        let decision = self.fallback.decide(ask, self);
        let Verdict::Attempt(attempt) = decision.verdict else { return decision };
        let Some(candidate) = ask.candidate(attempt.target) else { return decision };
        if ask.in_flight.is_empty() {
            let hedge_after_ms = self.patience_ms(&candidate, ask.streaming);
            return Decision { verdict: Verdict::Attempt(Attempt { hedge_after_ms, ..attempt }), ..decision };
        }
        match self.denies(&candidate) {
            Some(reason) => Decision::hold().because(reason),
            None => Decision { verdict: Verdict::Attempt(Attempt { hedge_after_ms: None, ..attempt }), ..decision },
        }
    }
}

impl Hedged {
    /// How long a target may be silent before another is asked; `None` where that is not known.
    fn patience_ms(&self, candidate: &Candidate<'_>, streaming: bool) -> Option<u32> {
        let delays = Delays::of(state::numbers(&key(&candidate.name(), streaming)));
        let learnt = delays.quantile_ms(self.options.in_time.get(), self.options.known_after);
        learnt.or(self.options.fallback.hedge.ms())
    }

    /// Why a second attempt there is not worth its money, where it is not.
    fn denies(&self, candidate: &Candidate<'_>) -> Option<&'static str> {
        let Some(cost) = candidate.cost() else { return Some("nobody knows what a second answer costs") };
        let [all, lost] = state::numbers(SPENT);
        let is_within = cost == 0.0 || lost + cost <= all * self.options.extra_cost.get();
        if is_within { None } else { Some("hedges have cost their share") }
    }
}

impl Observe for Hedged {
    fn observe(&self, roster: &Roster, outcome: &Outcome) {
        let [all, lost] = state::numbers(SPENT);
        let cost = outcome.cost.unwrap_or(0.0);
        let loss = if outcome.end == End::Outrun { cost } else { 0.0 };
        let _ = state::set_numbers(SPENT, &[all * FADING + cost, lost * FADING + loss]);
        let Some(target) = roster.target(outcome.target) else { return };
        let seen = match outcome.end {
            End::Served => outcome.first_sign_ms(),
            // It would have taken longer; how much longer, nobody knows.
            End::Outrun => Some(outcome.took_ms),
            End::Failed(_) | End::Abandoned => None,
        };
        if let Some(ms) = seen {
            let key = key(&target.name(), outcome.streaming);
            // Where there is no room for another target, that one is not hedged.
            let _ = state::set_numbers(&key, &Delays::of(state::numbers(&key)).with(ms).into_numbers());
        }
    }
}

/// Where a target's delays are kept.
fn key(target: &str, streaming: bool) -> String {
    [if streaming { "stream " } else { "whole " }, target].concat()
}

impl Order for Hedged {
    type Rank = Reverse<i32>;

    fn rank(&self, candidate: &Candidate<'_>) -> Reverse<i32> {
        Reverse(candidate.priority)
    }

    fn reason(&self, _: &Candidate<'_>) -> String {
        "highest priority".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::End;
    use backstop_strategy::testing::{Situation, forget};

    use super::Hedged;

    /// Two targets at a cent each; the first gave so many answers, each after 100 ms.
    fn seen(answers: u32) -> Situation {
        forget();
        let situation = Situation::new().target("a/x").cost(0.01).target("b/x").cost(0.01).streaming();
        (0..answers).for_each(|_| situation.observed::<Hedged>("a/x", End::Served, 100, Some(0.01)));
        situation
    }

    #[test]
    fn hedges_nobody_it_does_not_know() {
        assert_eq!(seen(19).chosen::<Hedged>(), "a/x");
        assert_eq!(seen(19).options(r#"{"hedge": "2s"}"#).chosen::<Hedged>(), "a/x, hedged after 2000 ms");
    }

    #[test]
    fn hedges_after_what_is_slow_for_that_target() {
        let situation = seen(60);
        situation.observed::<Hedged>("a/x", End::Served, 3_000, Some(0.01));

        let chosen = situation.chosen::<Hedged>();

        // The upper edge of the step that 100 ms lie in.
        assert_eq!(chosen, "a/x, hedged after 103 ms");
    }

    #[test]
    fn asks_a_second_target_within_its_share_of_what_is_spent() {
        let situation = seen(40);
        let under_way = situation.clone().under_way_at("a/x");
        assert_eq!(under_way.answer::<Hedged>(), "b/x (in parallel: highest priority)");

        situation.observed::<Hedged>("a/x", End::Outrun, 110, Some(0.02));

        assert_eq!(under_way.answer::<Hedged>(), "hold (hedges have cost their share)");
        assert_eq!(
            under_way.options(r#"{"extra_cost": 0.2}"#).answer::<Hedged>(),
            "b/x (in parallel: highest priority)"
        );
    }

    #[test]
    fn holds_where_nobody_knows_what_it_costs() {
        forget();
        let situation = Situation::new().target("a/x").target("b/x").under_way_at("a/x");

        assert_eq!(situation.answer::<Hedged>(), "hold (nobody knows what a second answer costs)");
    }

    #[test]
    fn takes_the_operators_own_at_any_time() {
        forget();
        let situation = Situation::new().target("a/x").target("ollama/x").local().under_way_at("a/x");

        assert_eq!(situation.answer::<Hedged>(), "ollama/x (in parallel: highest priority)");
    }
}
