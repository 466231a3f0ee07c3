//! `fail-fast`: the first target that is available, and no other.

use backstop_strategy::{Ask, Candidate, Decision, Fallback, FallbackOptions, Hedge, Order, Roster, Strategy, export};

/// Would rather fail at once than keep the caller waiting.
struct FailFast(Fallback);

export!(FailFast);

impl Strategy for FailFast {
    type Options = FallbackOptions;

    fn configure(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
        if options.hedge != Hedge::Off {
            return Err("`hedge` has no place in fail-fast, which asks one target only; leave it out".to_owned());
        }
        let retries = options.retries.or(Some(0));
        Fallback::new(roster, FallbackOptions { retries, ..options }).map(Self)
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.0.decide_on_one(ask, self)
    }
}

impl Order for FailFast {
    /// The place in declared order.
    type Rank = u32;

    fn rank(&self, candidate: &Candidate<'_>) -> u32 {
        candidate.index()
    }

    fn reason(&self, _: &Candidate<'_>) -> String {
        "first available".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::FailFast;

    #[test]
    fn asks_the_first_available_and_then_gives_up() {
        let situation = Situation::new().target("a/x").cooling_down(900).target("b/x").target("c/x");

        let course = situation.course::<FailFast>(Failure::ServerError);

        assert_eq!(course, ["b/x", "give up"]);
    }

    #[test]
    fn does_not_wait_for_anyone() {
        let situation = Situation::new().target("a/x").cooling_down(10);

        assert_eq!(situation.answer::<FailFast>(), "give up (nothing is ready)");
    }

    #[test]
    fn asks_nobody_in_parallel() {
        let situation = Situation::new().target("a/x").target("b/x");

        let error = situation.clone().options(r#"{"hedge": "1s"}"#).configure::<FailFast>().err();

        assert_eq!(
            error.as_deref(),
            Some("`hedge` has no place in fail-fast, which asks one target only; leave it out")
        );
        assert_eq!(situation.under_way_at("a/x").chosen::<FailFast>(), "hold");
    }

    #[test]
    fn asks_its_one_target_again_where_retries_are_asked_for() {
        let situation = Situation::new().target("a/x").target("b/x").options(r#"{"retries": 1, "jitter": 0}"#);

        let course = situation.course::<FailFast>(Failure::ServerError);

        assert_eq!(course, ["a/x", "a/x after 1000 ms", "give up"]);
    }
}
