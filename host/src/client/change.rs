//! Changes while requests run: another configuration, another strategy. What is new is proven first; requests under way go on.

use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::config::{Config, StrategyNameError, strategy_named};
use crate::router::{Decider, Route, Surroundings};
use crate::strategy::{LoadStrategyError, Named};

use super::Backstop;
use super::build_error::BuildError;
use super::builder::{Before, Lasting, Made, checked};
use super::route_status::StrategyStatus;

/// Why a strategy was not changed: the one before it goes on deciding.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// No route has the name.
    #[error("no route is called {0:?}")]
    UnknownRoute(String),
    /// It has no strategy in the shadow that could be promoted.
    #[error(
        "no strategy is in the shadow of route {0:?}: set `shadow` of the route, or name the strategy to promote; one that was promoted is in the shadow again once the configuration is read anew"
    )]
    NoShadow(String),
    /// No strategy of it has been replaced.
    #[error(
        "the strategy of route {0:?} has not been replaced since the configuration was read: there is none to go back to"
    )]
    NoFormer(String),
    /// The word for the strategy names none.
    #[error(transparent)]
    StrategyName(#[from] StrategyNameError),
    /// It cannot be loaded, or does not prove fit.
    #[error("could not load strategy {strategy:?}: {source}")]
    Load {
        /// Its name.
        strategy: String,
        /// Why not.
        source: LoadStrategyError,
    },
    /// The task that loads strategies was stopped.
    #[error("loading was interrupted")]
    Interrupted,
}

impl Backstop {
    /// Lets another configuration take over between two requests. Those under way end as they began; cooldowns, breakers and
    /// what is spent are taken over, rejected keys get another chance, statistics go on.
    ///
    /// # Errors
    /// When the configuration is at fault or a strategy cannot be loaded: then everything stays as it is.
    pub async fn reload(&self, config: Config) -> Result<(), BuildError> {
        let stand = Arc::clone(&self.stand);
        let runtime = tokio::runtime::Handle::current();
        let reloaded = tokio::task::spawn_blocking(move || {
            let _changing = stand.change();
            let old = stand.live();
            let lasting = Lasting {
                transport: Arc::clone(&old.router.transport),
                clock: Arc::clone(&old.router.clock),
                random: Arc::clone(&old.router.random),
                accounts: Arc::clone(&old.router.accounts),
                sequence: Arc::clone(&old.router.sequence),
                fleet: old.fleet.clone(),
                replies: old.replies.clone(),
                recorder: old.router.recorder.clone(),
                learning: Arc::clone(&old.learning),
            };
            let config = checked(config, &*lasting.clock)?;
            let made = Made::of(config, lasting, Before::Guard(&old.router.guard))?;
            let _inside = runtime.enter();
            stand.replace(made.go_live());
            Ok(())
        });
        reloaded.await.map_err(|_| BuildError::Interrupted)?
    }

    /// Loads a route's strategy anew, as its file is now; one that was quarantined is asked again.
    ///
    /// # Errors
    /// When there is no such route, or the strategy cannot be loaded: then the one before it goes on.
    pub async fn reload_strategy(&self, route: &str) -> Result<StrategyStatus, ChangeError> {
        self.change_strategy(route, |route, surroundings| {
            let_decide(route, route.decider().named.clone(), surroundings)
        })
        .await
    }

    /// Lets another strategy decide on a route, a built-in name or a path to a component, until the configuration is loaded
    /// anew. Requests under way ask it, too, from their next decision on.
    ///
    /// # Errors
    /// As [`Backstop::reload_strategy`], and when no strategy has that name.
    pub async fn promote(
        &self,
        route: &str,
        strategy: &str,
        options: Map<String, Value>,
    ) -> Result<StrategyStatus, ChangeError> {
        let source = strategy_named(strategy)?;
        // No line of the configuration is about it, and so no pin.
        let named = Named { source, options, pin: None };
        self.change_strategy(route, |route, surroundings| let_decide(route, named, surroundings)).await
    }

    /// Lets the strategy decide on a route that has been in its shadow, as its file is now; nothing is in the shadow then.
    ///
    /// # Errors
    /// As [`Backstop::reload_strategy`], and when none is in the shadow.
    pub async fn promote_shadow(&self, route: &str) -> Result<StrategyStatus, ChangeError> {
        self.change_strategy(route, |route, surroundings| {
            let shadow = route.shadow().ok_or_else(|| ChangeError::NoShadow(route.name.to_string()))?;
            let_decide(route, shadow.decider().named.clone(), surroundings)?;
            route.set_shadow(None);
            Ok(())
        })
        .await
    }

    /// Lets the strategy decide on a route again that was replaced last, as it was then: its file is not read again. What it takes the
    /// place of is the one to go back to.
    ///
    /// # Errors
    /// When there is no such route, or none was replaced.
    pub async fn roll_back(&self, route: &str) -> Result<StrategyStatus, ChangeError> {
        self.change_strategy(route, |route, _| match route.go_back() {
            true => Ok(()),
            false => Err(ChangeError::NoFormer(route.name.to_string())),
        })
        .await
    }

    async fn change_strategy(
        &self,
        route: &str,
        change: impl FnOnce(&Route, &Surroundings<'_>) -> Result<(), ChangeError> + Send + 'static,
    ) -> Result<StrategyStatus, ChangeError> {
        let live = self.stand.live();
        let found: Option<&Arc<Route>> = live.router.routes.get(route);
        let route = Arc::clone(found.ok_or_else(|| ChangeError::UnknownRoute(route.to_owned()))?);
        let (stand, sandbox) = (Arc::clone(&self.stand), live.config.sandbox.clone());
        let learning = Arc::clone(&live.learning);
        let changed = tokio::task::spawn_blocking(move || {
            let _changing = stand.change();
            change(
                &route,
                &Surroundings { route: &route.name, roster: &route.roster, sandbox: &sandbox, learning: &learning },
            )?;
            let decider = route.decider();
            tracing::info!(route = %route.name, strategy = %decider.name, digest = decider.digest(), "strategy replaced");
            Ok(StrategyStatus::of(&route))
        });
        changed.await.map_err(|_| ChangeError::Interrupted)?
    }
}

/// Proves a strategy and lets it decide on a route.
fn let_decide(route: &Route, named: Named, surroundings: &Surroundings<'_>) -> Result<(), ChangeError> {
    let strategy = named.source.name().to_string();
    let loaded = Decider::load(named, surroundings);
    route.set_decider(loaded.map_err(|source| ChangeError::Load { strategy, source })?);
    Ok(())
}
