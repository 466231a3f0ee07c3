//! Situations that every strategy must cope with, and what is wrong with an answer to one.

use std::sync::Arc;

use backstop::types::{
    Ask, Decision, FailureKind, NanoUsd, PastAttempt, Price, RosterTarget, Standing, State, TargetName, Verdict,
};

/// One situation: a name for the report, and the question it comes to.
pub(super) struct Situation {
    pub(super) name: &'static str,
    pub(super) ask: Ask,
}

/// The sizes of roster that a strategy is put before, besides the usual one.
pub(super) const SIZES: [usize; 4] = [1, 8, 64, 256];

/// The usual size of roster.
pub(super) const USUAL: usize = 3;

/// A roster of so many targets: priorities, prices and places differ, so that every order has something to go by.
pub(super) fn roster(size: usize) -> Vec<RosterTarget> {
    (0..size).map(target).collect()
}

fn target(place: usize) -> RosterTarget {
    let number = u32::try_from(place).unwrap_or(u32::MAX);
    let price = NanoUsd::from_nanos(u64::from(number % 7) * 100_000_000);
    RosterTarget {
        name: TargetName::new(&format!("provider-{}", place / 2), &format!("model-{place}")),
        priority: i32::try_from(place % 5).unwrap_or(0),
        local: place % 3 == 2,
        price: (place % 4 != 3).then_some(Price::new(price, price)),
        context_window: Some(8_192),
        tools: true,
        json: true,
        vision: place.is_multiple_of(2),
        labels: Vec::new(),
    }
}

/// What can be asked about a usual roster.
pub(super) fn situations() -> Vec<Situation> {
    let ready = || ask(&[Standing::Ready; USUAL]);
    let resting = |standing| ask(&[standing; USUAL]);
    let failed = |target, failure| PastAttempt { target, failure, took_ms: 20, retry_after_ms: None };
    let after = |attempts: Vec<PastAttempt>| Ask { attempts_left: 2, attempts, ..ready() };
    let is = |name, ask| Situation { name, ask };
    vec![
        is("all ready", ready()),
        is("one cooling down", ask(&[Standing::CoolingDown(30_000), Standing::Ready, Standing::Ready])),
        is("one ready", ask(&[Standing::Tripped(5_000), Standing::Disabled, Standing::Ready])),
        is("all cooling down", resting(Standing::CoolingDown(30_000))),
        is("all tripped", resting(Standing::Tripped(5_000))),
        is("all disabled", resting(Standing::Disabled)),
        is("all out of quota", resting(Standing::OutOfQuota(3_600_000))),
        is("all over budget", resting(Standing::OverBudget)),
        is("one probing", ask(&[Standing::Probing, Standing::Tripped(4_000), Standing::Tripped(5_000)])),
        is("emergency", Ask { emergency: true, ..resting(Standing::Tripped(0)) }),
        is("after a rate limit", after(vec![failed(0, FailureKind::RateLimited)])),
        is("after two failures", after(vec![failed(0, FailureKind::ServerError), failed(1, FailureKind::Timeout)])),
        is("no retries left", Ask { retries_left: 0, ..after(vec![failed(0, FailureKind::Overloaded)]) }),
        is("one millisecond left", Ask { remaining_ms: Some(1), ..ready() }),
    ]
}

/// The question that everything is ready.
pub(super) fn all_ready(size: usize) -> Ask {
    ask(&vec![Standing::Ready; size])
}

fn ask(standings: &[Standing]) -> Ask {
    let states = standings.iter().map(|&standing| State {
        standing,
        estimated_cost: Some(NanoUsd::from_nanos(1_000_000)),
        in_flight: 0,
        consecutive_failures: 0,
        success_rate: 1.0,
        first_token_ms: Some(250.0),
        quota_left: None,
    });
    Ask {
        sequence: 7,
        entropy: 0x5eed_5eed_5eed_5eed,
        now_ms: 1_760_000_000_000,
        input_tokens: 200,
        max_output_tokens: 500,
        streaming: true,
        labels: Arc::new([]),
        states: states.collect(),
        attempts: Vec::new(),
        in_flight: Vec::new(),
        preferred: None,
        emergency: false,
        attempts_left: 4,
        retries_left: 4,
        elapsed_ms: 40,
        remaining_ms: Some(60_000),
        note: Vec::new(),
    }
}

/// What is wrong with a decision, where something is. The host would cope with each of these; the request would be slower,
/// or would fail where it need not.
pub(super) fn fault_of(ask: &Ask, decision: &Decision) -> Option<String> {
    match decision.verdict {
        Verdict::Attempt(plan) => {
            let standing = ask.states.get(plan.target as usize)?.standing;
            match standing {
                Standing::Ready | Standing::Probing => None,
                Standing::CoolingDown(ms)
                | Standing::Tripped(ms)
                | Standing::Limited(ms)
                | Standing::OutOfQuota(ms) => (plan.after_ms < ms).then(|| {
                    format!(
                        "chose target {} after {} ms, which is {} for {ms} ms",
                        plan.target,
                        plan.after_ms,
                        standing.name()
                    )
                }),
                Standing::OverBudget | Standing::Unsupported | Standing::Spent | Standing::Disabled => {
                    Some(format!("chose target {}, which is {}", plan.target, standing.name()))
                }
            }
        }
        Verdict::Hold => Some("holds while nothing is in flight".to_owned()),
        Verdict::GiveUp => {
            let has_fresh = ask.attempts.is_empty() && ask.states.iter().any(|state| state.standing == Standing::Ready);
            has_fresh.then(|| "gives up although a target is ready and nothing was tried".to_owned())
        }
    }
}

/// A decision in words.
pub(super) fn in_words(decision: &Decision) -> String {
    match decision.verdict {
        Verdict::Attempt(plan) if plan.after_ms > 0 => format!("target {} after {} ms", plan.target, plan.after_ms),
        Verdict::Attempt(plan) => format!("target {}", plan.target),
        Verdict::Hold => "hold".to_owned(),
        Verdict::GiveUp => "give up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use backstop::types::AttemptPlan;

    use super::*;

    fn decided(verdict: Verdict) -> Decision {
        Decision { verdict, reason: None, note: Vec::new() }
    }

    #[test]
    fn has_a_state_for_every_target() {
        assert!(situations().iter().all(|situation| situation.ask.states.len() == USUAL));
        for size in SIZES {
            assert_eq!((roster(size).len(), all_ready(size).states.len()), (size, size));
        }
    }

    #[test]
    fn finds_fault_with_targets_the_host_would_not_admit() {
        let resting = ask(&[Standing::CoolingDown(100), Standing::Disabled]);
        let early = decided(Verdict::Attempt(AttemptPlan::now(0)));
        let patient = decided(Verdict::Attempt(AttemptPlan { after_ms: 100, ..AttemptPlan::now(0) }));
        let hopeless = decided(Verdict::Attempt(AttemptPlan::now(1)));

        assert_eq!(fault_of(&resting, &early).unwrap(), "chose target 0 after 0 ms, which is cooling down for 100 ms");
        assert_eq!(fault_of(&resting, &patient), None);
        assert_eq!(fault_of(&resting, &hopeless).unwrap(), "chose target 1, which is disabled");
    }

    #[test]
    fn finds_fault_with_giving_up_too_soon() {
        let ready = all_ready(1);
        let resting = ask(&[Standing::Tripped(100)]);

        assert!(fault_of(&ready, &decided(Verdict::GiveUp)).is_some());
        assert_eq!(fault_of(&resting, &decided(Verdict::GiveUp)), None);
    }
}
