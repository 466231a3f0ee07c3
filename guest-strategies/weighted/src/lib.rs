//! `weighted`: a target at random, by weight.
//!
//! An example of a strategy that wants a power the question does not bring: it imports `wasi:random`, so it loads
//! everywhere and decides only where the operator grants `wasi`; without the grant each call traps and declared order
//! decides. A strategy of your own would rather draw from `ask.entropy`, which needs no grant and can be replayed.

use backstop_strategy::{
    Ask, Candidate, Decision, Fallback, FallbackOptions, OptionValue, Order, Roster, Select, Strategy, Value, export,
    options,
};

options! {
    /// What `weighted` can be told.
    struct Options {
        /// How often each provider or provider/model is asked first, in proportion to the others. Those not named go by
        /// their label `weight`, and without that weigh 1.
        weights: Weights = Weights(Vec::new()),
        ..fallback: FallbackOptions
    }
}

/// Names with their weights, in the order of the names.
#[derive(Debug, Clone, PartialEq)]
struct Weights(Vec<(String, u32)>);

/// Shares requests out among targets.
struct Weighted {
    fallback: Fallback,
    /// In roster order.
    weights: Vec<u32>,
}

/// The one that was drawn before all others.
struct Drawn(Option<u32>);

export!(Weighted);

impl Strategy for Weighted {
    type Options = Options;

    fn configure(roster: &Roster, options: Options) -> Result<Self, String> {
        let label =
            |value: &str| value.parse().map_err(|_| format!("label `weight` is {value}, but must be a whole number"));
        let labels = roster.targets().iter().map(|target| target.label("weight").map_or(Ok(1), label));
        let mut weights = labels.collect::<Result<Vec<u32>, String>>()?;
        for (name, weight) in &options.weights.0 {
            let named = roster.find(name).map_err(|error| format!("`weights`: {error}"))?;
            weights.iter_mut().zip(named).filter(|(_, is_named)| *is_named).for_each(|(place, _)| *place = *weight);
        }
        Ok(Self { fallback: Fallback::new(roster, options.fallback)?, weights })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.fallback.decide(ask, &Drawn(self.draw(ask, random(ask))))
    }
}

impl Weighted {
    /// Draws among those that could be asked now.
    fn draw(&self, ask: &Ask<'_>, random: u64) -> Option<u32> {
        let weights =
            || ask.candidates().ready().untried().map(|candidate| (candidate.index(), self.weight(&candidate)));
        let total: u64 = weights().map(|(_, weight)| weight).sum();
        let mut left = random.checked_rem(total)?;
        weights().find_map(|(index, weight)| match left.checked_sub(weight) {
            Some(rest) => {
                left = rest;
                None
            }
            None => Some(index),
        })
    }

    fn weight(&self, candidate: &Candidate<'_>) -> u64 {
        let place = usize::try_from(candidate.index()).ok();
        u64::from(place.and_then(|place| self.weights.get(place)).copied().unwrap_or(1))
    }
}

impl Order for Drawn {
    type Rank = bool;

    fn rank(&self, candidate: &Candidate<'_>) -> bool {
        self.0 != Some(candidate.index())
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        let reason = if self.rank(candidate) { "next in order" } else { "drawn by weight" };
        reason.to_owned()
    }
}

impl OptionValue for Weights {
    const EXPECTED: &'static str = "a table of whole numbers, such as { groq = 3, openai = 1 }";
    const SCHEMA: &'static str = r#""type":"object","additionalProperties":{"type":"integer","minimum":0}"#;

    fn read(value: &Value) -> Option<Self> {
        let weight = |(name, weight): (&String, &Value)| Some((name.clone(), u32::read(weight)?));
        value.as_object()?.iter().map(weight).collect::<Option<_>>().map(Self)
    }

    fn to_json(&self) -> String {
        self.0.iter().map(|(name, weight)| (name.clone(), Value::from(*weight))).collect::<Value>().to_string()
    }
}

/// Random bits from the host's generator.
#[cfg(target_arch = "wasm32")]
fn random(_: &Ask<'_>) -> u64 {
    wasi::random::random::get_random_u64()
}

/// Random bits from the question: natively there is no host to ask.
#[cfg(not(target_arch = "wasm32"))]
fn random(ask: &Ask<'_>) -> u64 {
    ask.entropy
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::Weighted;

    fn three_to_one() -> Situation {
        Situation::new().target("groq/x").target("openai/x").options(r#"{"weights": {"groq": 3}}"#)
    }

    #[test]
    fn draws_in_proportion_to_the_weights() {
        let drawn: Vec<String> = (0..8).map(|n| three_to_one().entropy(n).chosen::<Weighted>()).collect();

        assert_eq!(drawn.iter().filter(|name| *name == "groq/x").count(), 6);
        assert_eq!(drawn.iter().filter(|name| *name == "openai/x").count(), 2);
    }

    #[test]
    fn never_draws_what_weighs_nothing_and_falls_back_to_it_all_the_same() {
        let situation = Situation::new().target("a/x").labelled("weight", "0").target("b/x");

        let course = situation.course::<Weighted>(Failure::Timeout);

        assert_eq!(course, ["b/x", "a/x", "give up"]);
    }

    #[test]
    fn refuses_weights_it_cannot_use() {
        let refused = |options| three_to_one().options(options).configure::<Weighted>().err().unwrap();

        assert_eq!(
            refused(r#"{"weights": {"grok": 1}}"#),
            "`weights`: `grok` is no provider or provider/model of this route; did you mean `groq`?"
        );
        assert_eq!(
            refused(r#"{"weights": {"groq": -1}}"#),
            "`weights` is {\"groq\":-1}, but must be a table of whole numbers, such as { groq = 3, openai = 1 }"
        );
    }
}
