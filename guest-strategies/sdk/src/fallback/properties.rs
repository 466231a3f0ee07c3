//! What holds of the policy in every situation.

use proptest::prelude::*;

use super::tests::InOrder;
use crate::testing::Situation;
use crate::{Failure, Standing, Verdict};

fn any_standing() -> impl Strategy<Value = Standing> {
    let ms = prop_oneof![Just(0), 0..3_000_u32, any::<u32>()];
    prop_oneof![
        4 => Just(Standing::Ready),
        1 => ms.clone().prop_map(Standing::CoolingDown),
        1 => ms.clone().prop_map(Standing::Tripped),
        1 => Just(Standing::Probing),
        1 => ms.clone().prop_map(Standing::Limited),
        1 => ms.prop_map(Standing::OutOfQuota),
        1 => Just(Standing::OverBudget),
        1 => Just(Standing::Unsupported),
        1 => Just(Standing::Spent),
        1 => Just(Standing::Disabled),
    ]
}

/// The options that change most, in every combination that makes sense.
fn any_options() -> impl Strategy<Value = String> {
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    (0..6_u32, 0..6_u32, 0..5_000_u32, 0..3_000_u32, 0.0..=1.0, switches).prop_map(
        |(attempts, retries, patience, base, jitter, (sticky, wary, leaving))| {
            format!(
                r#"{{"attempts": {attempts}, "retries": {retries}, "patience": "{patience}ms", "jitter": {jitter},
                "base_delay": "{base}ms", "sticky": {sticky}, "avoid_trouble": {wary}, "leave_provider": {leaving}}}"#
            )
        },
    )
}

prop_compose! {
    fn any_situation()(
        standings in prop::collection::vec(any_standing(), 1..6),
        past in prop::collection::vec((any::<prop::sample::Index>(), 0..14_usize), 0..6),
        (entropy, sequence, emergency) in any::<(u64, u64, bool)>(),
        remaining in prop::option::of(prop_oneof![0..5_000_u32, any::<u32>()]),
        (attempts_left, retries_left) in (0..5_u32, 0..3_u32),
        options in any_options(),
        preferred in prop::option::of(any::<prop::sample::Index>()),
    ) -> Situation {
        let names: Vec<String> = (0..standings.len()).map(|n| format!("p{}/m{n}", n / 2)).collect();
        let mut situation = Situation::new().entropy(entropy).sequence(sequence).options(&options);
        situation = situation.attempts_left(attempts_left).retries_left(retries_left);
        for (name, standing) in names.iter().zip(standings) {
            situation = situation.target(name).standing(standing);
        }
        for (target, failure) in past {
            situation = situation.failed(&names[target.index(names.len())], Failure::ALL[failure]);
        }
        if let Some(ms) = remaining {
            situation = situation.remaining_ms(ms);
        }
        if let Some(place) = preferred {
            situation = situation.preferred(&names[place.index(names.len())]);
        }
        if emergency { situation.emergency() } else { situation }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn chooses_only_what_the_host_would_admit(situation in any_situation()) {
        let decision = situation.decide::<InOrder>();

        let question = situation.question();
        if let Verdict::Attempt(attempt) = decision.verdict {
            let standing = question.states[attempt.target as usize].standing;
            let is_admissible = match standing {
                Standing::Ready | Standing::Probing => true,
                Standing::CoolingDown(ms) | Standing::Limited(ms) | Standing::OutOfQuota(ms) => attempt.after_ms >= ms,
                Standing::Tripped(ms) => question.emergency && ms == 0,
                Standing::OverBudget | Standing::Unsupported | Standing::Spent | Standing::Disabled => false,
            };
            let is_retry = question.attempts.iter().any(|past| past.target == attempt.target);
            prop_assert!(is_admissible, "{standing:?} {attempt:?}");
            prop_assert!(question.attempts_left > 0);
            prop_assert!(!is_retry || question.retries_left > 0);
        }
    }

    #[test]
    fn adds_at_most_one_ready_target_to_what_is_under_way(
        situation in any_situation(),
        under_way in any::<prop::sample::Index>(),
        hedges in any::<bool>(),
    ) {
        let place = under_way.index(situation.question().states.len());
        let hedge = if hedges { r#"{"hedge": "1s"}"# } else { "{}" };
        let situation = situation.under_way_at(&format!("p{}/m{place}", place / 2)).options(hedge);

        let decision = situation.decide::<InOrder>();

        let question = situation.question();
        match decision.verdict {
            Verdict::Attempt(attempt) => {
                prop_assert!(hedges && question.attempts_left > 0);
                prop_assert!(question.states[attempt.target as usize].standing.is_ready());
                prop_assert!(!question.in_flight.contains(&attempt.target));
                prop_assert_eq!((attempt.after_ms, attempt.hedge_after_ms), (0, None));
            }
            Verdict::Hold => {}
            Verdict::GiveUp => prop_assert!(false, "gave up what is under way"),
        }
    }

    #[test]
    fn never_waits_past_the_deadline(situation in any_situation()) {
        let decision = situation.decide::<InOrder>();

        if let (Verdict::Attempt(attempt), Some(remaining)) = (decision.verdict, situation.question().remaining_ms) {
            prop_assert!(attempt.after_ms <= remaining);
        }
    }

    #[test]
    fn answers_the_same_question_the_same_way(situation in any_situation()) {
        prop_assert_eq!(situation.decide::<InOrder>(), situation.decide::<InOrder>());
    }

    #[test]
    fn goes_to_something_ready_and_untried_whenever_there_is_one(situation in any_situation()) {
        let question = situation.question();
        let ask_of = |index: u32| question.attempts.iter().all(|past| past.target != index);
        let fresh = (0..).zip(&question.states).any(|(index, state)| state.standing.is_ready() && ask_of(index));
        let is_refused = question.attempts.last().is_some_and(|past| past.failure == Failure::InvalidRequest);

        let verdict = situation.decide::<InOrder>().verdict;

        if fresh && !is_refused && question.attempts_left > 0 {
            prop_assert!(matches!(verdict, Verdict::Attempt(_)), "{verdict:?}");
        }
    }

    #[test]
    fn says_in_few_words_why(situation in any_situation()) {
        let reason = situation.decide::<InOrder>().reason;

        prop_assert!(reason.is_some_and(|reason| !reason.is_empty() && reason.len() < 100));
    }
}
