//! `bandit`: learns which target serves well and soon, and asks it the more often the surer it is.
//!
//! Thompson sampling: of each target two weights are kept, what speaks for it and what against. A question draws from each target's
//! Beta distribution, and the highest draw is asked. Who is little known draws widely and is tried now and then; who is known to be
//! bad draws low and is left alone. An answer counts for the more the sooner it began, a failure counts against, and all of it
//! fades, so that a provider that has recovered is found again.
//!
//! The powers it needs are `observe` and `state`; the chance it draws with is the question's own.

mod draw;

use backstop_strategy::powers::state;
use backstop_strategy::{
    Ask, Candidate, Decision, End, Failure, Fallback, FallbackOptions, Observe, Order, Outcome, Roster, Share,
    Strategy, Wait, export, options,
};

use draw::Lots;

options! {
    /// What `bandit` can be told.
    struct Options {
        /// The first token (the reply, where it comes whole) that is worth half as much as one that is there at once.
        half_value: Wait = Wait::from_secs(2),
        /// The share of what was learnt that each new outcome at a target lets fade: 0.02 remembers some 50 of them.
        fading: Share = Share::new(0.02),
        /// A label whose texts are learnt apart, such as context: who is good at summaries may be bad at code.
        apart: Option<String> = None,
        ..fallback: FallbackOptions
    }
}

/// Learns by trying.
struct Bandit {
    options: Options,
    fallback: Fallback,
}

/// What was drawn for each target, in roster order.
struct Drawn(Vec<f64>);

export!(Bandit: Observe);

impl Strategy for Bandit {
    type Options = Options;

    fn configure(roster: &Roster, options: Options) -> Result<Self, String> {
        if options.half_value == Wait::ZERO {
            return Err("`half_value` must be longer than nothing, such as \"2s\"".to_owned());
        }
        Ok(Self { fallback: Fallback::new(roster, options.fallback.clone())?, options })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        let mut lots = Lots::of(ask.entropy);
        let apart = self.options.apart.as_deref().and_then(|label| ask.question().label(label));
        let drawn = ask.candidates().map(|candidate| {
            let [good, bad] = state::numbers(&key(&candidate.name(), apart));
            // Nothing is known at first, which is that any chance is as likely as any other.
            lots.beta(1.0 + good, 1.0 + bad)
        });
        self.fallback.decide(ask, &Drawn(drawn.collect()))
    }
}

impl Observe for Bandit {
    fn observe(&self, roster: &Roster, outcome: &Outcome) {
        let (Some(target), Some(worth)) = (roster.target(outcome.target), self.worth(outcome)) else { return };
        let apart = self.options.apart.as_deref().and_then(|label| outcome.label(label));
        let key = key(&target.name(), apart);
        let kept = 1.0 - self.options.fading.get();
        let [good, bad] = state::numbers(&key);
        // Where there is no room for another target, it stays as little known as it was.
        let _ = state::set_numbers(&key, &[good * kept + worth, bad * kept + 1.0 - worth]);
    }
}

impl Bandit {
    /// What an outcome is worth, 0 to 1; `None` where it says nothing of its target.
    fn worth(&self, outcome: &Outcome) -> Option<f64> {
        let half = f64::from(self.options.half_value.ms());
        let after = |ms: u32| Some(half / (half + f64::from(ms)));
        match outcome.end {
            End::Served => after(outcome.first_sign_ms()?),
            // Another was faster: it is taken to have begun at that moment, which is the best that can be said of it.
            End::Outrun => after(outcome.took_ms),
            // The request's own doing.
            End::Failed(Failure::InvalidRequest | Failure::ContextLength | Failure::ContentFiltered) => None,
            End::Failed(_) => Some(0.0),
            End::Abandoned => None,
        }
    }
}

/// Where the weights of a target are kept.
fn key(target: &str, apart: Option<&str>) -> String {
    match apart {
        Some(text) => [target, " ", text].concat(),
        None => target.to_owned(),
    }
}

impl Order for Drawn {
    /// The highest draw first.
    type Rank = f64;

    fn rank(&self, candidate: &Candidate<'_>) -> f64 {
        let place = usize::try_from(candidate.index()).ok();
        -place.and_then(|place| self.0.get(place)).copied().unwrap_or(0.0)
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        format!("drew {:.2}", -self.rank(candidate))
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::testing::{Situation, forget};
    use backstop_strategy::{End, Failure};

    use super::Bandit;

    fn two() -> Situation {
        forget();
        Situation::new().target("a/x").target("b/x")
    }

    /// How often of 1,000 questions each target is asked first.
    fn shares(situation: &Situation) -> [usize; 2] {
        let chosen: Vec<_> = (0..1_000).map(|entropy| situation.clone().entropy(entropy).chosen::<Bandit>()).collect();
        ["a/x", "b/x"].map(|name| chosen.iter().filter(|chosen| *chosen == name).count())
    }

    #[test]
    fn asks_all_alike_while_nothing_is_known() {
        let [a, b] = shares(&two());

        assert!(a.abs_diff(b) < 100, "{a} to {b}");
    }

    #[test]
    fn leaves_alone_who_fails_and_goes_on_to_try_him_now_and_then() {
        let situation = two();
        for _ in 0..4 {
            situation.observed::<Bandit>("a/x", End::Failed(Failure::ServerError), 40, None);
            situation.observed::<Bandit>("b/x", End::Served, 300, None);
        }

        let [a, b] = shares(&situation);

        assert!(b > 900 && a > 0, "{a} to {b}");
    }

    #[test]
    fn prefers_who_begins_sooner() {
        let situation = two().streaming();
        for _ in 0..60 {
            situation.observed::<Bandit>("a/x", End::Served, 2_000, None);
            situation.observed::<Bandit>("b/x", End::Served, 200, None);
        }

        let [a, b] = shares(&situation);

        assert!(b > 950, "{a} to {b}");
    }

    #[test]
    fn finds_one_again_that_has_recovered() {
        let situation = two();
        (0..50).for_each(|_| situation.observed::<Bandit>("a/x", End::Failed(Failure::Timeout), 700, None));
        (0..50).for_each(|_| situation.observed::<Bandit>("b/x", End::Served, 2_000, None));
        let [before, _] = shares(&situation);

        (0..40).for_each(|_| situation.observed::<Bandit>("a/x", End::Served, 100, None));

        let [after, _] = shares(&situation);
        assert!(before < 50 && after > 300, "{before}, then {after}");
    }

    #[test]
    fn learns_nothing_of_what_is_not_the_targets_doing() {
        let situation = two();
        for _ in 0..50 {
            situation.observed::<Bandit>("a/x", End::Abandoned, 9_000, None);
            situation.observed::<Bandit>("a/x", End::Failed(Failure::InvalidRequest), 20, None);
        }

        let [a, b] = shares(&situation);

        assert!(a.abs_diff(b) < 100, "{a} to {b}");
    }

    #[test]
    fn learns_apart_what_it_is_told_to() {
        let situation = two().options(r#"{"apart": "context"}"#);
        let (code, chat) = (situation.clone().label("context", "code"), situation.label("context", "chat"));
        for _ in 0..20 {
            code.observed::<Bandit>("a/x", End::Failed(Failure::Timeout), 700, None);
            chat.observed::<Bandit>("b/x", End::Failed(Failure::Timeout), 700, None);
        }

        assert!(shares(&code)[1] > 900 && shares(&chat)[0] > 900);
    }

    #[test]
    fn decides_the_same_again_while_nothing_is_learnt() {
        let situation = two().entropy(7);
        situation.observed::<Bandit>("a/x", End::Served, 300, None);

        assert_eq!(situation.answer::<Bandit>(), situation.answer::<Bandit>());
    }
}
