//! `smart`: free and local targets first, then the highest priority down.

use std::cmp::Reverse;

use backstop_strategy::{Ask, Candidate, Decision, Fallback, FallbackOptions, Order, Roster, Strategy, export};

/// Spares the purse where it can, and otherwise takes what the operator ranks highest.
struct Smart(Fallback);

export!(Smart);

impl Strategy for Smart {
    type Options = FallbackOptions;

    fn configure(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
        Fallback::new(roster, options).map(Self)
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.0.decide(ask, self)
    }
}

impl Order for Smart {
    /// Whether it costs anything, then the priority: `false` is less than `true`.
    type Rank = (bool, Reverse<i32>);

    fn rank(&self, candidate: &Candidate<'_>) -> Self::Rank {
        (!candidate.is_free(), Reverse(candidate.priority))
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        let reason = if candidate.is_free() { "free of charge" } else { "highest priority" };
        reason.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::Smart;

    #[test]
    fn goes_through_free_targets_first_and_then_down_by_priority() {
        let situation = Situation::new()
            .target("openai/gpt-4o")
            .priority(9)
            .price(2.5, 10.0)
            .target("groq/llama")
            .priority(5)
            .price(0.05, 0.08)
            .target("openrouter/free")
            .price(0.0, 0.0)
            .target("acme/unpriced")
            .priority(7)
            .target("ollama/llama")
            .priority(1)
            .local();

        let course = situation.course::<Smart>(Failure::Timeout);

        let by_priority = ["openai/gpt-4o", "acme/unpriced", "groq/llama"];
        assert_eq!(course, [&["ollama/llama", "openrouter/free"], &by_priority[..], &["give up"]].concat());
    }

    #[test]
    fn says_why() {
        let free = Situation::new().target("openai/gpt-4o").target("ollama/llama").local();
        let paid = Situation::new().target("openai/gpt-4o").target("groq/llama").priority(1);

        assert_eq!(free.answer::<Smart>(), "ollama/llama (free of charge)");
        assert_eq!(paid.answer::<Smart>(), "groq/llama (highest priority)");
    }

    #[test]
    fn hedges_with_the_next_in_its_order() {
        let situation = Situation::new()
            .target("openai/gpt-4o")
            .priority(9)
            .target("groq/llama")
            .priority(5)
            .target("ollama/llama")
            .local()
            .options(r#"{"hedge": "800ms"}"#);

        assert_eq!(situation.chosen::<Smart>(), "ollama/llama, hedged after 800 ms");
        assert_eq!(
            situation.under_way_at("ollama/llama").answer::<Smart>(),
            "openai/gpt-4o (in parallel: highest priority)"
        );
    }
}
