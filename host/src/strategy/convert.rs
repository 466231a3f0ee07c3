//! The contract's types ↔ ours. Lists are borrowed from the question where they can be, and kept between calls where not.

use crate::types::{self, AttemptPlan, FailureKind, NanoUsd, RosterTarget};

use super::bindings::backstop::strategy::types as wit;
use super::bindings::exports::backstop::strategy::observe as told;

/// The lists of a question that have to be made anew, in memory that an instance keeps for its next call.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    states: Vec<wit::State>,
    attempts: Vec<wit::PastAttempt>,
}

impl Scratch {
    /// Fills in the lists and has the question as the contract words it passed on.
    pub(super) fn with_ask<T>(&mut self, ask: &types::Ask, pass: impl FnOnce(wit::Ask<'_>) -> T) -> T {
        self.states.clear();
        self.states.extend(ask.states.iter().map(state));
        self.attempts.clear();
        self.attempts.extend(ask.attempts.iter().map(past_attempt));
        let labels: Vec<_> = pairs(&ask.labels);
        pass(wit::Ask {
            sequence: ask.sequence,
            entropy: ask.entropy,
            now_ms: ask.now_ms,
            input_tokens: ask.input_tokens,
            max_output_tokens: ask.max_output_tokens,
            streaming: ask.streaming,
            labels: &labels,
            states: &self.states,
            attempts: &self.attempts,
            in_flight: &ask.in_flight,
            preferred: ask.preferred,
            emergency: ask.emergency,
            attempts_left: ask.attempts_left,
            retries_left: ask.retries_left,
            elapsed_ms: ask.elapsed_ms,
            remaining_ms: ask.remaining_ms,
            note: &ask.note,
            extras: &[],
        })
    }
}

/// Has the roster as the contract words it passed on.
pub(super) fn with_roster<T>(roster: &[RosterTarget], pass: impl FnOnce(&[wit::Target<'_>]) -> T) -> T {
    let labels: Vec<_> = roster.iter().map(|target| pairs(&target.labels)).collect();
    let targets: Vec<_> = roster.iter().zip(&labels).map(|(target, labels)| roster_target(target, labels)).collect();
    pass(&targets)
}

fn roster_target<'a>(target: &'a RosterTarget, labels: &'a [(&'a str, &'a str)]) -> wit::Target<'a> {
    wit::Target {
        provider: &target.name.provider,
        model: &target.name.model,
        priority: target.priority,
        local: target.local,
        input_price: target.price.map(|price| price.rates.input_per_mtok.as_dollars()),
        output_price: target.price.map(|price| price.rates.output_per_mtok.as_dollars()),
        context_window: target.context_window,
        tools: target.tools,
        json: target.json,
        vision: target.vision,
        labels,
        extras: &[],
    }
}

/// Has an outcome as the contract words it passed on.
pub(super) fn with_outcome<T>(outcome: &types::Observation, pass: impl FnOnce(told::Outcome<'_>) -> T) -> T {
    pass(told::Outcome {
        sequence: outcome.sequence,
        entropy: outcome.entropy,
        now_ms: outcome.now_ms,
        target: outcome.target,
        end: end(outcome.end),
        took_ms: outcome.took_ms,
        first_token_ms: outcome.first_token_ms,
        cost: outcome.cost.map(NanoUsd::as_dollars),
        input_tokens: outcome.usage.map(|usage| usage.input),
        output_tokens: outcome.usage.map(|usage| usage.output),
        streaming: outcome.streaming,
        labels: &pairs(&outcome.labels),
        extras: &[],
    })
}

fn end(end: types::ObservedEnd) -> told::End {
    match end {
        types::ObservedEnd::Served => told::End::Served,
        types::ObservedEnd::Failed(kind) => told::End::Failed(failure(kind)),
        types::ObservedEnd::Outrun => told::End::Outrun,
        types::ObservedEnd::Abandoned => told::End::Abandoned,
    }
}

fn pairs(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn state(state: &types::State) -> wit::State {
    wit::State {
        standing: standing(state.standing),
        estimated_cost: state.estimated_cost.map(NanoUsd::as_dollars),
        in_flight: state.in_flight,
        consecutive_failures: state.consecutive_failures,
        success_rate: state.success_rate,
        first_token_ms: state.first_token_ms,
        quota_left: state.quota_left,
    }
}

fn standing(standing: types::Standing) -> wit::Standing {
    match standing {
        types::Standing::Ready => wit::Standing::Ready,
        types::Standing::CoolingDown(ms) => wit::Standing::CoolingDown(ms),
        types::Standing::Tripped(ms) => wit::Standing::Tripped(ms),
        types::Standing::Probing => wit::Standing::Probing,
        types::Standing::Limited(ms) => wit::Standing::Limited(ms),
        types::Standing::OutOfQuota(ms) => wit::Standing::OutOfQuota(ms),
        types::Standing::OverBudget => wit::Standing::OverBudget,
        types::Standing::Unsupported => wit::Standing::Unsupported,
        types::Standing::Spent => wit::Standing::Spent,
        types::Standing::Disabled => wit::Standing::Disabled,
    }
}

fn past_attempt(past: &types::PastAttempt) -> wit::PastAttempt {
    wit::PastAttempt {
        target: past.target,
        failure: failure(past.failure),
        took_ms: past.took_ms,
        retry_after_ms: past.retry_after_ms,
    }
}

fn failure(kind: FailureKind) -> wit::Failure {
    match kind {
        FailureKind::RateLimited => wit::Failure::RateLimited,
        FailureKind::QuotaExhausted => wit::Failure::QuotaExhausted,
        FailureKind::Overloaded => wit::Failure::Overloaded,
        FailureKind::ServerError => wit::Failure::ServerError,
        FailureKind::Timeout => wit::Failure::Timeout,
        FailureKind::Connection => wit::Failure::Connection,
        FailureKind::Interrupted => wit::Failure::Interrupted,
        FailureKind::MalformedReply => wit::Failure::MalformedReply,
        FailureKind::Authentication => wit::Failure::Authentication,
        FailureKind::Permission => wit::Failure::Permission,
        FailureKind::ModelNotFound => wit::Failure::ModelNotFound,
        FailureKind::ContextLength => wit::Failure::ContextLength,
        FailureKind::ContentFiltered => wit::Failure::ContentFiltered,
        FailureKind::InvalidRequest => wit::Failure::InvalidRequest,
    }
}

/// Takes over an answer as it came; whether it makes sense is another question.
pub(super) fn decision(decision: wit::Decision) -> types::Decision {
    types::Decision { verdict: verdict(decision.verdict), reason: decision.reason, note: decision.note }
}

fn verdict(verdict: wit::Verdict) -> types::Verdict {
    match verdict {
        wit::Verdict::Attempt(plan) => types::Verdict::Attempt(AttemptPlan {
            target: plan.target,
            after_ms: plan.after_ms,
            timeout_ms: plan.timeout_ms,
            hedge_after_ms: plan.hedge_after_ms,
        }),
        wit::Verdict::Hold => types::Verdict::Hold,
        wit::Verdict::GiveUp => types::Verdict::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::strategy::test_guests::ask_of;
    use crate::types::{PastAttempt, Price, Standing, TargetName};

    use super::*;

    #[test]
    fn shows_a_guest_each_target_under_its_own_name_and_price() {
        let price = Price::new(NanoUsd::DOLLAR, NanoUsd::from_nanos(2_500_000_000));
        let target = RosterTarget {
            name: TargetName::new("groq", "llama"),
            priority: -3,
            local: false,
            price: Some(price),
            context_window: Some(8_192),
            tools: true,
            json: false,
            vision: false,
            labels: vec![("tier".to_owned(), "premium".to_owned())],
        };

        with_roster(&[target], |targets| {
            let shown = &targets[0];
            assert_eq!((shown.provider, shown.model, shown.priority), ("groq", "llama", -3));
            assert_eq!((shown.input_price, shown.output_price), (Some(1.0), Some(2.5)));
            assert_eq!(shown.labels, [("tier", "premium")]);
        });
    }

    #[test]
    fn names_every_failure_as_the_contract_does() {
        let told = FailureKind::ALL.map(|kind| format!("{:?}", failure(kind)).to_lowercase());
        let named = FailureKind::ALL.map(|kind| format!("failure::{}", kind.name().replace('-', "")));

        assert_eq!(told, named);
    }

    #[test]
    fn forgets_the_previous_question() {
        let mut scratch = Scratch::default();
        let past = PastAttempt { target: 0, failure: FailureKind::Timeout, took_ms: 1, retry_after_ms: None };
        let long = types::Ask { attempts: vec![past], ..ask_of(&[Standing::Ready; 3]) };

        scratch.with_ask(&long, |_| ());
        scratch.with_ask(&ask_of(&[Standing::Spent]), |ask| {
            assert_eq!((ask.states.len(), ask.attempts.len()), (1, 0));
            assert!(matches!(ask.states[0].standing, wit::Standing::Spent));
        });
    }

    proptest! {
        #[test]
        fn takes_any_answer_over_unchanged(
            target in any::<u32>(),
            after_ms in any::<u32>(),
            timeout_ms in any::<Option<u32>>(),
            reason in proptest::option::of(".*"),
            note in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let plan = wit::Attempt { target, after_ms, timeout_ms, hedge_after_ms: None };
            let answer = wit::Decision { verdict: wit::Verdict::Attempt(plan), reason: reason.clone(), note: note.clone() };

            let plan = AttemptPlan { target, after_ms, timeout_ms, hedge_after_ms: None };
            let expected = types::Decision { verdict: types::Verdict::Attempt(plan), reason, note };
            prop_assert_eq!(decision(answer), expected);
        }
    }
}
