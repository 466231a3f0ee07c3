//! Answers that can be read and make no sense.

use thiserror::Error;

use crate::types::{Ask, AttemptPlan, Decision, Verdict};

use super::plain_text;

/// Most bytes of a note.
pub(super) const NOTE_BYTES: usize = 256;

/// Most characters kept of a reason.
const REASON_CHARS: usize = 200;

/// What made no sense. To choose a target the guard would not admit is not among it: the guard denies that, and asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Nonsense {
    /// A target that is not in the roster.
    #[error("target {target} of {targets}")]
    NoSuchTarget {
        /// The place it named.
        target: u32,
        /// How many there are.
        targets: usize,
    },
    /// A wait beyond the request's deadline.
    #[error("a wait of {after_ms} ms with {remaining_ms} ms left")]
    WaitsTooLong {
        /// The wait it named.
        after_ms: u32,
        /// What is left of the request's time.
        remaining_ms: u32,
    },
    /// To hold, with nothing to hold for.
    #[error("hold with nothing in flight")]
    HoldsForNothing,
    /// A note longer than notes may be.
    #[error("a note of {bytes} bytes (at most {NOTE_BYTES})")]
    LongNote {
        /// Its length.
        bytes: usize,
    },
}

/// Passes on a decision that makes sense, with its reason made fit to be shown.
pub(super) fn check(mut decision: Decision, ask: &Ask) -> Result<Decision, Nonsense> {
    match decision.verdict {
        Verdict::Attempt(plan) => check_plan(plan, ask)?,
        Verdict::Hold if ask.in_flight.is_empty() => return Err(Nonsense::HoldsForNothing),
        Verdict::Hold | Verdict::GiveUp => {}
    }
    if decision.note.len() > NOTE_BYTES {
        return Err(Nonsense::LongNote { bytes: decision.note.len() });
    }
    if let Some(reason) = &decision.reason {
        decision.reason = Some(plain_text::tidy(reason, REASON_CHARS)).filter(|reason| !reason.is_empty());
    }
    Ok(decision)
}

fn check_plan(plan: AttemptPlan, ask: &Ask) -> Result<(), Nonsense> {
    let targets = ask.states.len();
    if plan.target as usize >= targets {
        return Err(Nonsense::NoSuchTarget { target: plan.target, targets });
    }
    match ask.remaining_ms {
        Some(remaining_ms) if plan.after_ms > remaining_ms => {
            Err(Nonsense::WaitsTooLong { after_ms: plan.after_ms, remaining_ms })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::strategy::test_guests::ask_of;
    use crate::types::Standing;

    use super::*;

    fn decision(verdict: Verdict) -> Decision {
        Decision { verdict, reason: None, note: Vec::new() }
    }

    #[test]
    fn takes_a_target_that_is_not_ready_for_the_guard_to_deny() {
        let ask = ask_of(&[Standing::Disabled]);
        let chosen = decision(Verdict::Attempt(AttemptPlan::now(0)));

        assert_eq!(check(chosen.clone(), &ask), Ok(chosen));
    }

    #[test]
    fn refuses_a_target_that_is_not_there() {
        let ask = ask_of(&[Standing::Ready; 2]);

        let checked = check(decision(Verdict::Attempt(AttemptPlan::now(2))), &ask);

        assert_eq!(checked, Err(Nonsense::NoSuchTarget { target: 2, targets: 2 }));
    }

    #[test]
    fn refuses_a_wait_beyond_the_deadline() {
        let ask = Ask { remaining_ms: Some(999), ..ask_of(&[Standing::Ready]) };
        let plan = AttemptPlan { after_ms: 1_000, ..AttemptPlan::now(0) };

        let checked = check(decision(Verdict::Attempt(plan)), &ask);

        assert_eq!(checked, Err(Nonsense::WaitsTooLong { after_ms: 1_000, remaining_ms: 999 }));
    }

    #[test]
    fn holds_only_for_something() {
        let idle = ask_of(&[Standing::Ready]);
        let busy = Ask { in_flight: vec![0], ..idle.clone() };

        assert_eq!(check(decision(Verdict::Hold), &idle), Err(Nonsense::HoldsForNothing));
        assert_eq!(check(decision(Verdict::Hold), &busy), Ok(decision(Verdict::Hold)));
    }

    #[test]
    fn takes_256_bytes_of_note_and_no_more() {
        let ask = ask_of(&[]);
        let noted = |bytes| Decision { note: vec![0; bytes], ..decision(Verdict::GiveUp) };

        assert_eq!(check(noted(256), &ask), Ok(noted(256)));
        assert_eq!(check(noted(257), &ask), Err(Nonsense::LongNote { bytes: 257 }));
    }

    #[test]
    fn makes_a_reason_fit_to_be_shown() {
        let painted = Decision { reason: Some("\u{1b}[31mcheapest".to_owned()), ..decision(Verdict::GiveUp) };
        let hollow = Decision { reason: Some("\u{7}".to_owned()), ..decision(Verdict::GiveUp) };

        assert_eq!(check(painted, &ask_of(&[])).unwrap().reason.as_deref(), Some("cheapest"));
        assert_eq!(check(hollow, &ask_of(&[])).unwrap().reason, None);
    }

    proptest! {
        #[test]
        fn what_passes_can_be_done(
            targets in 0_usize..70,
            target in any::<u32>(),
            after_ms in any::<u32>(),
            remaining_ms in proptest::option::of(any::<u32>()),
            note in 0_usize..600,
            reason in proptest::option::of(".*"),
        ) {
            let ask = Ask { remaining_ms, ..ask_of(&vec![Standing::Ready; targets]) };
            let plan = AttemptPlan { target: target % 100, after_ms, timeout_ms: None, hedge_after_ms: None };
            let answer = Decision { verdict: Verdict::Attempt(plan), reason, note: vec![7; note] };

            if let Ok(decision) = check(answer, &ask) {
                prop_assert!(plan.target < u32::try_from(targets).unwrap());
                prop_assert!(remaining_ms.is_none_or(|left| plan.after_ms <= left));
                prop_assert!(decision.note.len() <= NOTE_BYTES);
                prop_assert!(decision.reason.is_none_or(|reason| reason.chars().count() <= REASON_CHARS));
            }
        }
    }
}
