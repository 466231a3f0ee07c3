//! Who is next: the quickest target that can be asked in time, those with little quota left after all others, each once.

use backstop_strategy::{Ask, Candidate, Decision, Roster, Select, Share, Standing, Strategy, export, options};

options! {
    /// What the operator can set.
    struct Options {
        /// Share of its quota (0 to 1) below which a target is asked only after all others.
        reserve: Share = Share::new(0.1),
    }
}

/// The quickest first.
struct Quickest {
    reserve: f64,
}

export!(Quickest);

impl Strategy for Quickest {
    type Options = Options;

    fn configure(_: &Roster, options: Options) -> Result<Self, String> {
        Ok(Self { reserve: options.reserve.get() })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        if !ask.in_flight.is_empty() {
            return Decision::hold(); // Only who asks for hedges has a second attempt to make.
        }
        let deadline = ask.remaining_ms.unwrap_or(u32::MAX);
        let is_open = |one: &Candidate<'_>| {
            one.standing() == Standing::Probing || one.standing().wait_ms().is_some_and(|ms| ms <= deadline)
        };
        let Some(best) = ask.candidates().untried().filter(is_open).least_by(|one| self.rank(one)) else {
            return Decision::give_up().because("nobody is left who could be asked in time");
        };
        let (is_probing, wait, is_short, _) = self.rank(&best);
        let reason = if is_probing {
            "another request finds out whether it is back"
        } else if wait > 0 {
            "the first to be back"
        } else if is_short {
            "has little quota left"
        } else {
            "quickest"
        };
        Decision::attempt(&best).after_ms(wait).because(reason)
    }
}

impl Quickest {
    /// Whether nobody knows yet that it is back, the wait, whether its quota is short, the time to its first token. The least is
    /// best; who was never timed is tried.
    fn rank(&self, one: &Candidate<'_>) -> (bool, u32, bool, f32) {
        let state = one.state();
        let is_short = state.quota_left.is_some_and(|left| f64::from(left) < self.reserve);
        let wait = state.standing.wait_ms();
        (wait.is_none(), wait.unwrap_or(0), is_short, state.first_token_ms.unwrap_or(0.0))
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::testing::Situation;
    use backstop_strategy::{Failure, Standing};

    use super::Quickest;

    fn two() -> Situation {
        Situation::new().target("slow/x").first_token_ms(900.0).target("quick/x").first_token_ms(200.0)
    }

    #[test]
    fn asks_the_quickest_first_and_each_once() {
        let course = two().course::<Quickest>(Failure::ServerError);

        assert_eq!(course, ["quick/x", "slow/x", "give up"]);
    }

    #[test]
    fn spares_a_quota_that_runs_low() {
        let low = || two().quota_left(0.05);

        assert_eq!(low().answer::<Quickest>(), "slow/x (quickest)");
        assert_eq!(low().options(r#"{"reserve": 0.01}"#).answer::<Quickest>(), "quick/x (quickest)");
    }

    #[test]
    fn waits_for_the_first_to_be_back_within_the_deadline() {
        let resting = || Situation::new().target("a/x").cooling_down(900).target("b/x").cooling_down(300);

        assert_eq!(resting().answer::<Quickest>(), "b/x after 300 ms (the first to be back)");
        assert_eq!(resting().remaining_ms(200).chosen::<Quickest>(), "give up");
    }

    #[test]
    fn waits_for_a_probe_where_nobody_else_is_left() {
        let probing = || Situation::new().target("a/x").standing(Standing::Probing);

        assert_eq!(probing().answer::<Quickest>(), "a/x (another request finds out whether it is back)");
        assert_eq!(probing().target("b/x").cooling_down(300).chosen::<Quickest>(), "b/x after 300 ms");
    }

    #[test]
    fn says_what_an_option_must_be() {
        let refused = two().options(r#"{"reserve": 7}"#).configure::<Quickest>().err();

        assert_eq!(refused.as_deref(), Some("`reserve` is 7, but must be a number from 0 to 1"));
    }
}
