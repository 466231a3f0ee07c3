//! The order that decides when no strategy can: the roster's own, and nothing more.

use crate::types::{Again, Ask, AttemptPlan, Elsewhere, Standing, Verdict};

/// The verdict of declared order: the first ready target the request has not tried, then the first ready one that may have
/// it again; in an emergency one whose pause is only assumed; else the result of another request's probe or the
/// shortest wait that ends before the deadline; else none.
pub(super) fn decide(ask: &Ask) -> Verdict {
    if !ask.in_flight.is_empty() {
        // A second attempt beside a running one is a choice, and this order makes none.
        return Verdict::Hold;
    }
    if ask.attempts_left == 0 || ask.attempts.iter().any(|past| past.failure.elsewhere() == Elsewhere::Nowhere) {
        return Verdict::GiveUp;
    }
    let plan = first(ask, |standing| standing == Standing::Ready)
        .or_else(|| first(ask, |standing| ask.emergency && is_overridable(standing)))
        .or_else(|| first(ask, |standing| standing == Standing::Probing))
        .map(AttemptPlan::now)
        .or_else(|| shortest_wait(ask));
    plan.map_or(Verdict::GiveUp, Verdict::Attempt)
}

fn is_overridable(standing: Standing) -> bool {
    matches!(standing, Standing::CoolingDown(0) | Standing::Tripped(0))
}

/// The first target of such a standing: an untried one before one that would be a retry.
fn first(ask: &Ask, fits: impl Fn(Standing) -> bool) -> Option<u32> {
    let of_turn = |turn| places(ask).find(|&(place, standing)| fits(standing) && turn_of(ask, place) == turn);
    of_turn(Turn::First).or_else(|| of_turn(Turn::Again)).map(|(place, _)| place)
}

fn shortest_wait(ask: &Ask) -> Option<AttemptPlan> {
    let within = |ms: u32| ask.remaining_ms.is_none_or(|left| ms <= left);
    let waits = places(ask).filter_map(|(place, standing)| match standing {
        Standing::CoolingDown(ms) | Standing::Limited(ms) => {
            (within(ms) && turn_of(ask, place) != Turn::Over).then_some((ms, place))
        }
        Standing::Ready
        | Standing::Tripped(_)
        | Standing::Probing
        | Standing::OutOfQuota(_)
        | Standing::OverBudget
        | Standing::Unsupported
        | Standing::Spent
        | Standing::Disabled => None,
    });
    waits.min().map(|(after_ms, target)| AttemptPlan { after_ms, ..AttemptPlan::now(target) })
}

/// Whether a target has had its turn in this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Again,
    Over,
}

fn turn_of(ask: &Ask, place: u32) -> Turn {
    match ask.attempts.iter().rfind(|past| past.target == place).map(|past| past.failure.again()) {
        None => Turn::First,
        Some(Again::Retry) if ask.retries_left > 0 => Turn::Again,
        Some(Again::Retry | Again::OtherKey | Again::Never) => Turn::Over,
    }
}

fn places(ask: &Ask) -> impl Iterator<Item = (u32, Standing)> {
    (0..).zip(ask.states.iter().map(|state| state.standing))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::strategy::test_guests::ask_of;
    use crate::types::{FailureKind, PastAttempt};

    use super::*;

    fn failed(target: u32, failure: FailureKind) -> PastAttempt {
        PastAttempt { target, failure, took_ms: 10, retry_after_ms: None }
    }

    fn now(target: u32) -> Verdict {
        Verdict::Attempt(AttemptPlan::now(target))
    }

    #[test]
    fn takes_the_first_ready_target() {
        let ask = ask_of(&[Standing::Disabled, Standing::Ready, Standing::Ready]);

        assert_eq!(decide(&ask), now(1));
    }

    #[test]
    fn goes_on_to_the_next_before_it_retries() {
        let ask = Ask { attempts: vec![failed(0, FailureKind::ServerError)], ..ask_of(&[Standing::Ready; 2]) };

        assert_eq!(decide(&ask), now(1));
    }

    #[test]
    fn retries_what_may_pass_while_retries_are_left() {
        let tried = vec![failed(0, FailureKind::Timeout), failed(1, FailureKind::Overloaded)];
        let ask = Ask { attempts: tried, ..ask_of(&[Standing::Ready; 2]) };
        let broke = Ask { retries_left: 0, ..ask.clone() };

        assert_eq!(decide(&ask), now(1));
        assert_eq!(decide(&broke), Verdict::GiveUp);
    }

    #[test]
    fn gives_up_on_what_every_provider_would_refuse() {
        let ask = Ask { attempts: vec![failed(0, FailureKind::InvalidRequest)], ..ask_of(&[Standing::Ready; 2]) };

        assert_eq!(decide(&ask), Verdict::GiveUp);
    }

    #[test]
    fn overrides_assumed_pauses_in_an_emergency_only() {
        let calm = ask_of(&[Standing::Tripped(500), Standing::Tripped(0)]);
        let emergency = Ask { emergency: true, ..calm.clone() };

        assert_eq!(decide(&calm), Verdict::GiveUp);
        assert_eq!(decide(&emergency), now(1));
    }

    #[test]
    fn waits_for_the_soonest_limit_within_the_deadline() {
        let ask = ask_of(&[Standing::CoolingDown(900), Standing::Limited(200), Standing::Tripped(1)]);
        let hurried = Ask { remaining_ms: Some(199), ..ask.clone() };

        assert_eq!(decide(&ask), Verdict::Attempt(AttemptPlan { after_ms: 200, ..AttemptPlan::now(1) }));
        assert_eq!(decide(&hurried), Verdict::GiveUp);
    }

    #[test]
    fn holds_while_something_is_in_flight() {
        let ask = Ask { in_flight: vec![0], ..ask_of(&[Standing::Ready; 2]) };

        assert_eq!(decide(&ask), Verdict::Hold);
    }

    #[test]
    fn ends_when_no_attempts_are_left() {
        let ask = Ask { attempts_left: 0, ..ask_of(&[Standing::Ready]) };

        assert_eq!(decide(&ask), Verdict::GiveUp);
    }

    fn standings() -> impl Strategy<Value = Vec<Standing>> {
        let one = prop_oneof![
            Just(Standing::Ready),
            (0_u32..5_000).prop_map(Standing::CoolingDown),
            (0_u32..5_000).prop_map(Standing::Tripped),
            (0_u32..5_000).prop_map(Standing::Limited),
            Just(Standing::Probing),
            Just(Standing::Spent),
        ];
        proptest::collection::vec(one, 0..9)
    }

    proptest! {
        #[test]
        fn always_makes_sense(
            standings in standings(),
            tried in proptest::collection::vec((0_u32..9, 0_usize..14), 0..5),
            remaining_ms in proptest::option::of(0_u32..5_000),
            emergency in any::<bool>(),
        ) {
            let attempts = tried.iter().map(|&(target, kind)| failed(target, FailureKind::ALL[kind])).collect();
            let ask = Ask { attempts, remaining_ms, emergency, ..ask_of(&standings) };

            let decision = crate::types::Decision { verdict: decide(&ask), reason: None, note: Vec::new() };

            prop_assert!(crate::strategy::nonsense::check(decision, &ask).is_ok());
        }
    }
}
