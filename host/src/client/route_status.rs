//! How a route stands: who comes first, who served last, who is forced, who decides.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::{Moment, whole_ms};
use crate::router::{Route, Router, ShadowStatus};
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
    /// For how many milliseconds yet.
    pub forced_for_ms: Option<u32>,
}

impl RouteStatus {
    pub(super) fn of(route: &Route, router: &Router, now: Moment) -> Self {
        let name = |id: TargetId| router.guard.targets().get(id.index()).map(|target| Arc::clone(&target.name));
        let others = route.roster.iter().filter(|seat| Some(seat.target) != route.primary);
        let decider = route.decider();
        let forced =
            router.guard.forced_until(now).and_then(|(place, until)| Some((router.endpoints.get(place)?, until)));
        Self {
            route: Arc::clone(&route.name),
            strategy: Arc::clone(&decider.name),
            health: decider.health(),
            primary: route.primary.and_then(name),
            fallbacks: others.map(|seat| Arc::clone(&seat.name)).collect(),
            preferred: router.guard.preferred(&route.name, now).and_then(name),
            forced: forced.map(|(endpoint, _)| Arc::clone(&endpoint.name)),
            forced_for_ms: forced.map(|(_, until)| whole_ms(until.since(now))),
        }
    }
}

/// Who decides on a route, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StrategyStatus {
    /// The route's name in the configuration.
    pub route: Arc<str>,
    /// The strategy's name.
    pub strategy: Arc<str>,
    /// Its file, where it is not built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// SHA-256 of its component, in hexadecimal.
    pub digest: String,
    /// How it fares.
    #[serde(flatten)]
    pub health: StrategyHealth,
    /// The strategy that was replaced last, which can be gone back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<Arc<str>>,
    /// The strategy that is asked the same and decides nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowStatus>,
}

impl StrategyStatus {
    pub(super) fn of(route: &Route) -> Self {
        let decider = route.decider();
        Self {
            route: Arc::clone(&route.name),
            strategy: Arc::clone(&decider.name),
            file: decider.file().map(ToOwned::to_owned),
            digest: decider.digest().to_owned(),
            health: decider.health(),
            former: route.former_name(),
            shadow: route.shadow().map(|shadow| shadow.status()),
        }
    }
}
