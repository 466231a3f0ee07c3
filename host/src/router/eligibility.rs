//! What one request may ask of each target, whatever the guard would say: pure, and known only within the request.

use crate::types::{Again, Elsewhere, Failure, Needs, RosterTarget, Standing};

use super::choice::Named;

/// Each seat's standing within one request.
#[derive(Debug)]
pub(super) struct Eligibility {
    seats: Vec<Place>,
    named: Named,
    /// The largest context window that was found too small.
    too_small: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// May be asked, as far as the request goes.
    Open,
    /// Asking again is of no use.
    Spent,
    /// Lacks what the request needs: this.
    Unfit(String),
}

impl Eligibility {
    /// Looks at what each target of the roster is capable of. With each comes what its protocol could not be asked for.
    pub(super) fn new<'t>(
        roster: impl Iterator<Item = (&'t RosterTarget, Option<String>)>,
        needs: &Needs,
        named: Named,
    ) -> Self {
        let place = |(target, shortfall): (&RosterTarget, Option<String>)| {
            lacking(target, needs).map(str::to_owned).or(shortfall).map_or(Place::Open, Place::Unfit)
        };
        Self { seats: roster.map(place).collect(), named, too_small: None }
    }

    /// What the request itself says of a seat; `None` leaves the word to the guard.
    pub(super) fn standing(&self, seat: usize, target: &RosterTarget) -> Option<Standing> {
        let outgrown = self.too_small.is_some_and(|window| target.context_window.is_none_or(|own| own <= window));
        match (self.seats.get(seat), &self.named) {
            (Some(Place::Spent), _) => Some(Standing::Spent),
            (Some(Place::Unfit(_)) | None, _) => Some(Standing::Unsupported),
            (Some(Place::Open), Named::Only(only)) if only.get(seat) != Some(&true) => Some(Standing::Disabled),
            (Some(Place::Open), _) if outgrown => Some(Standing::Unsupported),
            (Some(Place::Open), _) => None,
        }
    }

    /// What a seat lacks that the request needs.
    pub(super) fn shortfall(&self, seat: usize) -> Option<&str> {
        match self.seats.get(seat)? {
            Place::Unfit(what) => Some(what),
            Place::Open | Place::Spent => None,
        }
    }

    /// Whether a seat comes before the others because the request names it.
    pub(super) fn is_named_first(&self, seat: usize) -> bool {
        matches!(&self.named, Named::First(first) if first.get(seat) == Some(&true))
    }

    /// Takes in what an attempt came to.
    pub(super) fn learn(&mut self, seat: usize, target: &RosterTarget, failure: &Failure) {
        if failure.kind.elsewhere() == Elsewhere::LargerWindow {
            self.too_small = self.too_small.max(Some(target.context_window.unwrap_or(0)));
        }
        if failure.kind.again() == Again::Never
            && let Some(place) = self.seats.get_mut(seat)
        {
            *place = Place::Spent;
        }
    }
}

/// What a target lacks to serve such a request. A window that is not known is taken to be large enough.
fn lacking(target: &RosterTarget, needs: &Needs) -> Option<&'static str> {
    // The count of input tokens is an estimate from above, so a target is ruled out only by a third more than its window.
    let window = target.context_window.unwrap_or(u32::MAX);
    match () {
        () if needs.tools && !target.tools => Some("it takes no tools"),
        () if needs.json && !target.json => Some("it cannot be held to JSON"),
        () if needs.vision && !target.vision => Some("it sees no images"),
        () if u64::from(needs.input_tokens) > u64::from(window) * 4 / 3 => Some("its context window is too small"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::types::{FailureKind, TargetName};

    use super::*;

    fn target(model: &str, context_window: Option<u32>) -> RosterTarget {
        RosterTarget {
            name: TargetName::new("p", model),
            priority: 0,
            local: false,
            price: None,
            context_window,
            tools: true,
            json: true,
            vision: false,
            labels: Vec::new(),
        }
    }

    fn eligibility(roster: &[RosterTarget], needs: &Needs) -> Eligibility {
        Eligibility::new(roster.iter().map(|target| (target, None)), needs, Named::Nobody)
    }

    #[test]
    fn rules_out_a_target_that_lacks_what_the_request_needs() {
        let roster = [target("blind", None), RosterTarget { vision: true, ..target("seeing", None) }];

        let eligibility = eligibility(&roster, &Needs { vision: true, ..Needs::default() });

        assert_eq!(eligibility.standing(0, &roster[0]), Some(Standing::Unsupported));
        assert_eq!(eligibility.standing(1, &roster[1]), None);
    }

    #[test]
    fn rules_out_a_target_whose_protocol_could_not_be_asked_and_says_why() {
        let roster = [target("a", None), target("b", None)];
        let shortfalls = [Some("several answers at once".to_owned()), None];

        let eligibility = Eligibility::new(roster.iter().zip(shortfalls), &Needs::default(), Named::Nobody);

        assert_eq!(eligibility.standing(0, &roster[0]), Some(Standing::Unsupported));
        assert_eq!(eligibility.shortfall(0), Some("several answers at once"));
        assert_eq!(eligibility.standing(1, &roster[1]), None);
    }

    #[test]
    fn after_a_context_overflow_leaves_only_targets_with_a_larger_window() {
        let roster = [target("a", Some(8_000)), target("b", Some(8_000)), target("c", None), target("d", Some(16_000))];
        let mut eligibility = eligibility(&roster, &Needs::default());

        eligibility.learn(0, &roster[0], &Failure::new(FailureKind::ContextLength, "too long"));

        let standings: Vec<_> = (0..4).map(|seat| eligibility.standing(seat, &roster[seat])).collect();
        let unfit = Some(Standing::Unsupported);
        assert_eq!(standings, [Some(Standing::Spent), unfit, unfit, None]);
    }

    #[test]
    fn spends_a_target_whose_failure_would_repeat_itself() {
        let roster = [target("a", None)];

        for kind in FailureKind::ALL {
            let mut eligibility = eligibility(&roster, &Needs::default());
            eligibility.learn(0, &roster[0], &Failure::new(kind, ""));
            let is_spent = eligibility.standing(0, &roster[0]) == Some(Standing::Spent);
            assert_eq!(is_spent, kind.again() == Again::Never, "{kind}");
        }
    }

    #[test]
    fn leaves_only_the_seats_a_request_insists_on() {
        let roster = [target("a", None), target("b", None)];

        let eligibility = {
            let roster = roster.iter().map(|target| (target, None));
            Eligibility::new(roster, &Needs::default(), Named::Only(vec![false, true]))
        };

        assert_eq!(eligibility.standing(0, &roster[0]), Some(Standing::Disabled));
        assert_eq!(eligibility.standing(1, &roster[1]), None);
    }
}
