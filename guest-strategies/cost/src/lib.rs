//! `cost`: the cheapest target first, by what this request would cost there; unknown prices last.

use backstop_strategy::{
    Ask, Candidate, Decision, Fallback, FallbackOptions, Order, Roster, Strategy, dollars, export,
};

/// Spends as little as it can.
struct Cost(Fallback);

export!(Cost);

impl Strategy for Cost {
    type Options = FallbackOptions;

    fn configure(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
        Fallback::new(roster, options).map(Self)
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.0.decide(ask, self)
    }
}

impl Order for Cost {
    /// US dollars at most.
    type Rank = f64;

    fn rank(&self, candidate: &Candidate<'_>) -> f64 {
        candidate.cost().unwrap_or(f64::INFINITY)
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        match candidate.cost() {
            Some(0.0) => "free of charge".to_owned(),
            Some(cost) => ["cheapest: at most ", &dollars(cost)].concat(),
            None => "its price is unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::Cost;

    fn priced() -> Situation {
        Situation::new()
            .target("openai/gpt-4o")
            .cost(0.01)
            .target("acme/unpriced")
            .target("groq/llama")
            .cost(0.0004)
            .target("together/llama")
            .cost(0.0004)
    }

    #[test]
    fn asks_the_cheapest_first_and_of_equals_the_one_declared_first() {
        let answer = priced().answer::<Cost>();

        assert_eq!(answer, "groq/llama (cheapest: at most $0.0004)");
    }

    #[test]
    fn goes_up_in_price_and_leaves_unknown_prices_for_last() {
        let course = priced().course::<Cost>(Failure::Timeout);

        assert_eq!(course, ["groq/llama", "together/llama", "openai/gpt-4o", "acme/unpriced", "give up"]);
    }

    #[test]
    fn takes_the_operators_own_targets_for_free() {
        let answer = priced().target("ollama/llama").local().answer::<Cost>();

        assert_eq!(answer, "ollama/llama (free of charge)");
    }

    #[test]
    fn goes_by_what_the_request_would_cost_and_not_by_the_price_list() {
        let situation =
            Situation::new().target("a/x").price(1.0, 10.0).cost(0.02).target("b/x").price(2.0, 2.0).cost(0.01);

        assert_eq!(situation.answer::<Cost>(), "b/x (cheapest: at most $0.01)");
    }

    #[test]
    fn hedges_with_the_next_in_its_order() {
        let situation = priced().options(r#"{"hedge": "800ms"}"#);

        assert_eq!(situation.chosen::<Cost>(), "groq/llama, hedged after 800 ms");
        assert_eq!(
            situation.under_way_at("groq/llama").answer::<Cost>(),
            "together/llama (in parallel: cheapest: at most $0.0004)"
        );
    }
}
