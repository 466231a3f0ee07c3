//! `quality`: the highest priority first.

use std::cmp::Reverse;

use backstop_strategy::{Ask, Candidate, Decision, Fallback, FallbackOptions, Order, Roster, Strategy, export};

/// Takes what the operator ranks highest, whatever it costs.
struct Quality(Fallback);

export!(Quality);

impl Strategy for Quality {
    type Options = FallbackOptions;

    fn configure(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
        Fallback::new(roster, options).map(Self)
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.0.decide(ask, self)
    }
}

impl Order for Quality {
    type Rank = Reverse<i32>;

    fn rank(&self, candidate: &Candidate<'_>) -> Self::Rank {
        Reverse(candidate.priority)
    }

    fn reason(&self, _: &Candidate<'_>) -> String {
        "highest priority".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::Quality;

    #[test]
    fn goes_from_the_highest_priority_down_and_through_equals_in_declared_order() {
        let situation = Situation::new()
            .target("ollama/llama")
            .priority(-1)
            .local()
            .target("openai/mini")
            .priority(2)
            .target("openai/large")
            .priority(9)
            .cost(1.0)
            .target("groq/llama")
            .priority(2);

        let course = situation.course::<Quality>(Failure::Timeout);

        assert_eq!(course, ["openai/large", "openai/mini", "groq/llama", "ollama/llama", "give up"]);
    }

    #[test]
    fn takes_the_next_best_while_the_best_is_away() {
        let situation = Situation::new().target("a/best").priority(9).cooling_down(5_000).target("b/good").priority(8);

        assert_eq!(situation.answer::<Quality>(), "b/good (highest priority)");
    }

    #[test]
    fn hedges_with_the_next_in_its_order() {
        let situation = Situation::new()
            .target("a/best")
            .priority(9)
            .target("c/fair")
            .target("b/good")
            .priority(8)
            .options(r#"{"hedge": "800ms"}"#);

        assert_eq!(situation.chosen::<Quality>(), "a/best, hedged after 800 ms");
        assert_eq!(situation.under_way_at("a/best").answer::<Quality>(), "b/good (in parallel: highest priority)");
    }
}
