//! Who is preferred for a while: the target that served a route last, and the provider an operator forces.

use crate::clock::Moment;
use crate::types::TargetId;

/// At most one preferred target for each route, and at most one forced provider.
#[derive(Debug, Clone)]
pub(super) struct Preference {
    routes: Vec<Option<(TargetId, Moment)>>,
    forced: Option<(usize, Moment)>,
}

impl Preference {
    /// Nobody is preferred.
    pub(super) fn new(routes: usize) -> Self {
        Self { routes: vec![None; routes], forced: None }
    }

    /// Prefers a target on a route until then.
    pub(super) fn prefer(&mut self, route: usize, target: TargetId, until: Moment) {
        if let Some(place) = self.routes.get_mut(route) {
            *place = Some((target, until));
        }
    }

    /// Who is preferred on a route.
    pub(super) fn preferred(&self, route: usize, now: Moment) -> Option<TargetId> {
        self.routes.get(route).copied().flatten().filter(|(_, until)| *until > now).map(|(target, _)| target)
    }

    /// Forces a provider until then.
    pub(super) fn force(&mut self, provider: usize, until: Moment) {
        self.forced = Some((provider, until));
    }

    /// Which provider is forced, and until when.
    pub(super) fn forced(&self, now: Moment) -> Option<(usize, Moment)> {
        self.forced.filter(|(_, until)| *until > now)
    }

    /// Who is preferred on a route, and until when.
    pub(super) fn of_route(&self, route: usize) -> Option<(TargetId, Moment)> {
        self.routes.get(route).copied().flatten()
    }

    /// Which provider was forced last, and until when; that may be over.
    pub(super) fn forced_last(&self) -> Option<(usize, Moment)> {
        self.forced
    }

    /// Prefers and forces nobody any more.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.routes.len());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn prefers_a_target_on_its_own_route_until_the_time_is_up() {
        let mut preference = Preference::new(2);

        preference.prefer(1, TargetId(7), at(10));

        assert_eq!(preference.preferred(1, at(9)), Some(TargetId(7)));
        assert_eq!(preference.preferred(1, at(10)), None);
        assert_eq!(preference.preferred(0, at(0)), None);
    }

    #[test]
    fn forgets_the_preferred_and_the_forced_when_cleared() {
        let mut preference = Preference::new(1);
        preference.prefer(0, TargetId(7), at(10));
        preference.force(3, at(10));
        assert_eq!(preference.forced(at(0)), Some((3, at(10))));

        preference.clear();

        assert_eq!((preference.preferred(0, at(0)), preference.forced(at(0))), (None, None));
    }

    #[test]
    fn passes_over_a_route_that_does_not_exist() {
        let mut preference = Preference::new(1);

        preference.prefer(9, TargetId(7), at(10));

        assert_eq!(preference.preferred(9, at(0)), None);
    }
}
