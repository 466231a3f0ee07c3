//! How a route stands: who comes first, who served last, who is forced, who decides.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Moment;
use crate::router::{Route, Router};
use crate::strategy::StrategyHealth;
use crate::types::{TargetId, TargetName};

/// One route at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteStatus {
    /// Its name in the configuration.
    pub route: Arc<str>,
    /// Its strategy's name.
    pub strategy: Arc<str>,
    /// How the strategy fares.
    pub health: StrategyHealth,
    /// The target the operator's `primary` names, else the first in declared order.
    pub primary: Option<Arc<TargetName>>,
    /// All others in declared order.
    pub fallbacks: Vec<Arc<TargetName>>,
    /// The target that served last, while the route's `prefer_for` lasts.
    pub preferred: Option<Arc<TargetName>>,
    /// The provider that is used and no other, while that lasts.
    pub forced: Option<Arc<str>>,
}

impl RouteStatus {
    pub(super) fn of(route: &Route, router: &Router, now: Moment) -> Self {
        let name = |id: TargetId| router.guard.targets().get(id.index()).map(|target| Arc::clone(&target.name));
        let others = route.roster.iter().filter(|seat| Some(seat.target) != route.primary);
        let forced = router.guard.forced(now).and_then(|place| router.endpoints.get(place));
        Self {
            route: Arc::clone(&route.name),
            strategy: Arc::clone(&route.strategy_name),
            health: route.strategy().health(),
            primary: route.primary.and_then(name),
            fallbacks: others.map(|seat| Arc::clone(&seat.name)).collect(),
            preferred: router.guard.preferred(&route.name, now).and_then(name),
            forced: forced.map(|endpoint| Arc::clone(&endpoint.name)),
        }
    }
}
