//! Changes while requests run: another configuration, another strategy. What is new is proven first; requests under way go on.

use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::config::{Config, StrategyRef};
use crate::router::{Decider, Route};
use crate::strategy::LoadStrategyError;

use super::Backstop;
use super::builder::{Before, BuildError, Lasting, Made, checked, strategy_named};
use super::route_status::StrategyStatus;

/// Why a strategy was not changed: the one before it goes on deciding.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// No route has the name.
    #[error("no route is called {0:?}")]
    UnknownRoute(String),
    /// The strategy named is neither built in nor a path.
    #[error(transparent)]
    UnknownStrategy(#[from] BuildError),
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
        self.change_strategy(route, |old| (old.source.clone(), old.options.clone())).await
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
        self.change_strategy(route, |_| (source, options)).await
    }

    async fn change_strategy(
        &self,
        route: &str,
        chosen: impl FnOnce(&Decider) -> (StrategyRef, Map<String, Value>),
    ) -> Result<StrategyStatus, ChangeError> {
        let live = self.stand.live();
        let found: Option<&Arc<Route>> = live.router.routes.get(route);
        let route = Arc::clone(found.ok_or_else(|| ChangeError::UnknownRoute(route.to_owned()))?);
        let (source, options) = chosen(&route.decider());
        let (stand, sandbox) = (Arc::clone(&self.stand), live.config.sandbox.clone());
        let changed = tokio::task::spawn_blocking(move || {
            let _changing = stand.change();
            let name = source.name();
            let decider = Decider::load(source, options, &route.roster, &sandbox)
                .map_err(|source| ChangeError::Load { strategy: name.to_string(), source })?;
            tracing::info!(route = %route.name, strategy = %decider.name, digest = decider.digest(), "strategy replaced");
            route.set_decider(decider);
            Ok(StrategyStatus::of(&route))
        });
        changed.await.map_err(|_| ChangeError::Interrupted)?
    }
}
