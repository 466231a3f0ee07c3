//! `round-robin`: declared order, starting one further with each request.

use backstop_strategy::{
    Ask, Candidate, Decision, Fallback, FallbackOptions, Order, Roster, Select, Strategy, export, options,
};

options! {
    /// What `round-robin` can be told.
    struct Options {
        /// Whether each request starts one target further than the one before; if not, every request starts at the first.
        rotate: bool = true,
        ..fallback: FallbackOptions
    }
}

/// Gives every target its turn.
struct RoundRobin {
    fallback: Fallback,
    rotate: bool,
    targets: u32,
}

/// Whose turn it is: declared order, as seen from there.
struct From {
    start: u32,
    targets: u32,
}

export!(RoundRobin);

impl Strategy for RoundRobin {
    type Options = Options;

    fn configure(roster: &Roster, options: Options) -> Result<Self, String> {
        let targets = u32::try_from(roster.targets().len()).map_err(|_| "too many targets".to_owned())?;
        Ok(Self { fallback: Fallback::new(roster, options.fallback)?, rotate: options.rotate, targets })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        let start = if self.rotate { turn(ask) } else { 0 };
        self.fallback.decide(ask, &From { start, targets: self.targets })
    }
}

impl Order for From {
    /// How many places after the start.
    type Rank = u32;

    fn rank(&self, candidate: &Candidate<'_>) -> u32 {
        let index = candidate.index();
        if index >= self.start { index - self.start } else { index + self.targets - self.start }
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        let reason = if candidate.index() == self.start { "its turn" } else { "next in turn" };
        reason.to_owned()
    }
}

/// Where this request starts. Turns go round those that can take requests: the place of one that cannot would otherwise
/// fall to its successor, which would bear twice the load.
fn turn(ask: &Ask<'_>) -> u32 {
    let serving = || ask.candidates().usable();
    let count = serving().count() as u64;
    let nth = ask.sequence.checked_rem(count).and_then(|turn| usize::try_from(turn).ok());
    nth.and_then(|turn| serving().nth(turn)).map_or(0, |candidate| candidate.index())
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::RoundRobin;

    fn three() -> Situation {
        Situation::new().target("a/x").target("b/x").target("c/x")
    }

    #[test]
    fn starts_one_further_with_each_request() {
        let starts: Vec<String> = (0..4).map(|n| three().sequence(n).chosen::<RoundRobin>()).collect();

        assert_eq!(starts, ["a/x", "b/x", "c/x", "a/x"]);
    }

    #[test]
    fn goes_round_from_where_it_started() {
        let course = three().sequence(1).course::<RoundRobin>(Failure::Timeout);

        assert_eq!(course, ["b/x", "c/x", "a/x", "give up"]);
    }

    #[test]
    fn keeps_to_declared_order_when_told_not_to_rotate() {
        let course = three().sequence(1).options(r#"{"rotate": false}"#).course::<RoundRobin>(Failure::Timeout);

        assert_eq!(course, ["a/x", "b/x", "c/x", "give up"]);
    }

    #[test]
    fn shares_the_turns_of_a_disabled_target_among_all_others() {
        let starts = |n| Situation::new().target("a/x").disabled().target("b/x").target("c/x").sequence(n);

        let starts: Vec<String> = (0..4).map(|n| starts(n).chosen::<RoundRobin>()).collect();

        assert_eq!(starts, ["b/x", "c/x", "b/x", "c/x"]);
    }

    #[test]
    fn gives_the_next_in_line_the_turn_of_one_that_is_cooling_down() {
        let situation = Situation::new().target("a/x").cooling_down(900).target("b/x").target("c/x");

        assert_eq!(situation.answer::<RoundRobin>(), "b/x (next in turn)");
    }

    #[test]
    fn hedges_with_the_next_in_its_order() {
        let situation = three().sequence(1).options(r#"{"hedge": "800ms"}"#);

        assert_eq!(situation.chosen::<RoundRobin>(), "b/x, hedged after 800 ms");
        assert_eq!(situation.under_way_at("b/x").answer::<RoundRobin>(), "c/x (in parallel: next in turn)");
    }
}
