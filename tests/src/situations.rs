//! The situations every front door is put in: what the providers do, and what must come of it.

use std::time::Duration;

use backstop::scripted::{Answer, Reply, Script};

/// Providers and what they do, in declared order.
#[derive(Debug, Clone)]
pub struct Situation {
    /// What happens, in words that can name a test.
    pub name: &'static str,
    /// Each provider's name and script.
    pub providers: Vec<(&'static str, Script)>,
    /// What must come of one question under the strategy `smart`.
    pub expected: Expected,
}

/// What must come of a situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Who answers; an answer is always `NAME answers`. `None`: nobody.
    pub answered_by: Option<&'static str>,
    /// The exit code of `backstop ask`.
    pub exit_code: i32,
    /// The calls each provider receives.
    pub attempts: Vec<usize>,
}

/// The exit codes, as the README gives them.
const ANSWERED: i32 = 0;
const FAILED: i32 = 1;
const EVERY_PROVIDER_FAILED: i32 = 3;

/// All situations.
#[must_use]
pub fn situations() -> Vec<Situation> {
    let mut all = passing_trouble();
    all.extend(trouble_that_stays());
    all.extend(requests_at_fault());
    all.extend(nobody_left());
    all
}

/// What a provider of this name answers.
fn answers(name: &str) -> Script {
    Script::always(Reply::answer(format!("{name} answers")))
}

/// The first of three providers is in trouble, the others are well.
fn first_in_trouble(name: &'static str, script: Script, expected: Expected) -> Situation {
    let providers = vec![("alpha", script), ("beta", answers("beta")), ("gamma", answers("gamma"))];
    Situation { name, providers, expected }
}

fn answered_by(name: &'static str, attempts: &[usize]) -> Expected {
    Expected { answered_by: Some(name), exit_code: ANSWERED, attempts: attempts.to_vec() }
}

fn unanswered(exit_code: i32, attempts: &[usize]) -> Expected {
    Expected { answered_by: None, exit_code, attempts: attempts.to_vec() }
}

/// Trouble that is over by the second call.
fn passing_trouble() -> Vec<Situation> {
    let once = |reply: Reply| Script::new().then(reply).then(Reply::answer("alpha answers")).forever();
    let slow = |wait: u64| Answer::new("alpha answers").first_token_after(Duration::from_millis(wait));
    let short = Reply::rate_limited(Duration::from_secs(1));
    vec![
        first_in_trouble(
            "a rate limit with a wait goes to the next at once",
            once(Reply::rate_limited(Duration::from_secs(2))),
            answered_by("beta", &[1, 1, 0]),
        ),
        Situation {
            name: "a rate limit is waited for where there is nobody else",
            providers: vec![("alpha", once(short))],
            expected: answered_by("alpha", &[2]),
        },
        first_in_trouble("a single 500 is tried again", once(Reply::server_error()), answered_by("alpha", &[2, 0, 0])),
        first_in_trouble(
            "a slow first token within the limit is waited for",
            Script::always(slow(200)),
            answered_by("alpha", &[1, 0, 0]),
        ),
        first_in_trouble(
            "a first token beyond the limit goes to the next",
            Script::always(slow(30_000)),
            answered_by("beta", &[1, 1, 0]),
        ),
    ]
}

/// Trouble that the next provider does not have.
fn trouble_that_stays() -> Vec<Situation> {
    let elsewhere = [
        ("a rate limit for ever goes to the next", Reply::rate_limited(Duration::from_secs(30)), 1),
        ("a rate limit without a wait goes to the next", Reply::rate_limited_without_wait(), 1),
        ("an empty account goes to the next", Reply::insufficient_quota(), 1),
        ("a reset before the head is tried again, then goes to the next", Reply::reset(), 2),
        ("silence is tried once, then goes to the next", Reply::silence(), 1),
        ("a 401 goes to the next", Reply::unauthorized(), 1),
        ("a model that is not there goes to the next", Reply::model_not_found("alpha-model"), 1),
        ("a 502 of HTML is tried again, then goes to the next", Reply::bad_gateway(), 2),
    ];
    let situation = |(name, reply, attempts): (&'static str, Reply, usize)| {
        first_in_trouble(name, Script::always(reply), answered_by("beta", &[attempts, 1, 0]))
    };
    elsewhere.into_iter().map(situation).collect()
}

/// Requests that would fail the same way elsewhere: one attempt, and its own words for the caller.
fn requests_at_fault() -> Vec<Situation> {
    let at_fault = [
        ("a context that is too long goes nowhere without a larger window", Reply::context_length()),
        ("a refusal on grounds of content goes nowhere", Reply::content_filter()),
        ("an invalid request goes nowhere", Reply::invalid_request()),
    ];
    let situation = |(name, reply): (&'static str, Reply)| {
        first_in_trouble(name, Script::always(reply), unanswered(FAILED, &[1, 0, 0]))
    };
    at_fault.into_iter().map(situation).collect()
}

fn nobody_left() -> Vec<Situation> {
    let failing = |replies: [Reply; 3]| {
        let scripts = replies.map(Script::always);
        ["alpha", "beta", "gamma"].into_iter().zip(scripts).collect()
    };
    vec![
        Situation {
            name: "everyone fails for good",
            providers: failing([
                Reply::unauthorized(),
                Reply::insufficient_quota(),
                Reply::model_not_found("gamma-model"),
            ]),
            expected: unanswered(EVERY_PROVIDER_FAILED, &[1, 1, 1]),
        },
        Situation {
            name: "everyone is down",
            providers: failing([Reply::server_error(), Reply::reset(), Reply::overloaded()]),
            expected: unanswered(EVERY_PROVIDER_FAILED, &[2, 1, 1]),
        },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_each_situation_once() {
        let all = situations();

        let names: HashSet<&str> = all.iter().map(|situation| situation.name).collect();

        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn expects_something_of_every_provider() {
        for situation in situations() {
            let expected = &situation.expected;
            let names: Vec<&str> = situation.providers.iter().map(|(name, _)| *name).collect();

            assert_eq!(names.len(), expected.attempts.len(), "{}", situation.name);
            assert_eq!(expected.answered_by.is_some(), expected.exit_code == ANSWERED, "{}", situation.name);
            assert!(expected.answered_by.is_none_or(|name| names.contains(&name)), "{}", situation.name);
        }
    }
}
