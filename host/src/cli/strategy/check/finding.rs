//! What came of one situation: the answer, and what is wrong with it.

use backstop::strategy::{Strategy, StrategyFault};
use backstop::types::Decision;

use super::battery::{self, Situation};

/// What came of one situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) situation: String,
    pub(super) answer: String,
    pub(super) reason: String,
    pub(super) fault: Option<String>,
}

/// Puts a strategy before situations. Each question is asked three times: twice running, and once more of an instance that has
/// heard all those after it and none before it. A decision must depend on nothing but its question, and on state, which is empty
/// each time.
pub(super) fn all(strategy: &Strategy, situations: &[Situation]) -> Vec<Finding> {
    let ask = |situation: &Situation| {
        strategy.forget();
        strategy.decide(&situation.ask)
    };
    let forwards: Vec<_> = situations.iter().map(|situation| [ask(situation), ask(situation)]).collect();
    strategy.rest();
    let backwards: Vec<_> = situations.iter().rev().map(ask).collect();
    let answers = forwards.into_iter().zip(backwards.into_iter().rev());
    situations
        .iter()
        .zip(answers)
        .map(|(situation, ([first, again], elsewhere))| Finding::of(situation, first, [again, elsewhere]))
        .collect()
}

impl Finding {
    fn of(
        situation: &Situation,
        first: Result<Decision, StrategyFault>,
        others: [Result<Decision, StrategyFault>; 2],
    ) -> Self {
        let name = situation.name.clone();
        let decision = match first {
            Ok(decision) => decision,
            Err(fault) => return Self::problem(name, fault.to_string()),
        };
        let fault = battery::fault_of(&situation.ask, &decision);
        let fault = fault.or_else(|| others.iter().find_map(|other| wavering(&decision, other)));
        let answer = battery::in_words(&decision);
        Self { situation: name, answer, reason: decision.reason.unwrap_or_default(), fault }
    }

    /// That there is no answer to show.
    pub(super) fn problem(situation: String, fault: String) -> Self {
        Self { situation, answer: String::new(), reason: String::new(), fault: Some(fault) }
    }
}

/// How an answer to the same question differs.
fn wavering(first: &Decision, other: &Result<Decision, StrategyFault>) -> Option<String> {
    match other {
        Ok(other) if other == first => None,
        Ok(other) => {
            let (first, other) = (battery::in_words(first), battery::in_words(other));
            let differs =
                if first == other { format!("{first}, for another reason or with another note") } else { other };
            Some(format!("gave two answers to the same question: {first}, then {differs}"))
        }
        Err(fault) => Some(format!("answered a question, and failed when it was asked again: {fault}")),
    }
}

#[cfg(test)]
mod tests {
    use backstop::types::{AttemptPlan, Verdict};

    use super::*;

    fn decided(target: u32, reason: &str) -> Decision {
        let verdict = Verdict::Attempt(AttemptPlan::now(target));
        Decision { verdict, reason: Some(reason.to_owned()), note: Vec::new() }
    }

    #[test]
    fn finds_answers_that_differ_in_anything() {
        let first = decided(0, "first");

        assert_eq!(wavering(&first, &Ok(first.clone())), None);
        assert_eq!(
            wavering(&first, &Ok(decided(1, "first"))).unwrap(),
            "gave two answers to the same question: target 0, then target 1"
        );
        assert!(
            wavering(&first, &Ok(decided(0, "other"))).unwrap().ends_with("for another reason or with another note")
        );
        assert!(wavering(&first, &Err(StrategyFault::StackOverflow)).unwrap().ends_with("used up its call stack"));
    }
}
