//! How a [`Backstop`] is made: a configuration, and perhaps a transport and a clock of the caller's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::accounting::{Accounts, RecordSink, Treasury};
use crate::cache::ReplyCache;
use crate::clock::{Clock, SystemClock};
use crate::config::{
    self, Config, ConfigError, Problem, ProviderConfig, RouteConfig, SandboxConfig, Sources, StrategyRef,
};
use crate::guard::{Guard, Target};
use crate::random::Random;
use crate::router::{Decider, Endpoint, Route, Router, Seat, seat};
use crate::strategy::{LoadStrategyError, resolve_name};
use crate::telemetry::RequestLog;
use crate::transport::{HttpTransport, Transport};

use super::Backstop;
use super::live::{Live, Stand};
use super::watch::{Watch, Watched};

/// Makes a [`Backstop`].
#[derive(Default)]
pub struct Builder {
    config: Option<Config>,
    file: Option<PathBuf>,
    strategy: Option<String>,
    options: Option<Map<String, Value>>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    sinks: Vec<Arc<dyn RecordSink>>,
    treasury: Option<Arc<dyn Treasury>>,
}

/// What a configuration needs to become a router, and what outlives it.
pub(super) struct Lasting {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<Random>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) sequence: Arc<AtomicU64>,
}

/// What was there before a router: another one's guard, who knows the ledger, or nothing but perhaps a ledger.
pub(super) enum Before<'a> {
    Guard(&'a Guard),
    Nothing(Option<Arc<dyn Treasury>>),
}

/// A router that is not live yet, and the strategy files to look at when it is.
pub(super) struct Made {
    pub(super) router: Router,
    pub(super) config: Config,
    pub(super) watched: Vec<Watched>,
}

/// Why a [`Backstop`] could not be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The file or the environment is at fault; all problems are listed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration made in code is at fault.
    #[error("the configuration does not hold together:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Problems(Vec<Problem>),
    /// A route's strategy could not be loaded.
    #[error("route {route:?}: could not load strategy {strategy:?}: {source}")]
    Strategy {
        /// The route.
        route: String,
        /// Its strategy.
        strategy: String,
        /// Why not.
        source: LoadStrategyError,
    },
    /// The strategy named is neither built in nor a path.
    #[error(
        "no strategy is called {0:?}; built in are smart, cost, quality, round-robin and fail-fast, and a path ends in .wasm"
    )]
    UnknownStrategy(String),
    /// The task that loads strategies was stopped.
    #[error("loading was interrupted")]
    Interrupted,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes a configuration made in code in place of file and environment.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Reads this file instead of looking for `backstop.toml`.
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Adds a provider made in code. The first one starts an empty configuration: file and environment are not read.
    #[must_use]
    pub fn provider(mut self, name: &str, provider: ProviderConfig) -> Self {
        self.config.get_or_insert_default().providers.insert(name.to_owned(), provider);
        self
    }

    /// Sets the default route's strategy: a built-in name or a path to a component.
    #[must_use]
    pub fn strategy(mut self, strategy: &str) -> Self {
        self.strategy = Some(strategy.to_owned());
        self
    }

    /// Sets the options of the default route's strategy.
    #[must_use]
    pub fn strategy_options(mut self, options: Map<String, Value>) -> Self {
        self.options = Some(options);
        self
    }

    /// Sends requests another way than over HTTP of its own.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Tells the time another way.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Repeats the same randomness in every run: for tests and simulations.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Tells somebody of every request and alert, from now on.
    #[must_use]
    pub fn record_sink(mut self, sink: Arc<dyn RecordSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Has budgets lent by a ledger, and every cost entered there: they outlive the process, and hold for all processes that share
    /// it. Without one they are in memory and gone with it. Whoever opens a ledger closes it when all is done.
    #[must_use]
    pub fn treasury(mut self, treasury: Arc<dyn Treasury>) -> Self {
        self.treasury = Some(treasury);
        self
    }

    /// Checks the configuration, compiles the strategies off the runtime's threads, and puts everything together.
    ///
    /// # Errors
    /// When the configuration is at fault or a strategy cannot be loaded.
    pub async fn build(self) -> Result<Backstop, BuildError> {
        let made = tokio::task::spawn_blocking(move || self.build_now()).await;
        Ok(Backstop { stand: Arc::new(Stand::new(made.map_err(|_| BuildError::Interrupted)??.go_live())) })
    }

    fn build_now(mut self) -> Result<Made, BuildError> {
        let config = self.checked_config()?;
        if config.log_requests {
            self.sinks.push(Arc::new(RequestLog));
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::start()));
        let lasting = Lasting {
            transport: self.transport.unwrap_or_else(|| Arc::new(HttpTransport::new())),
            random: Arc::new(self.seed.map_or_else(Random::from_system, Random::seeded)),
            accounts: Arc::new(Accounts::new(self.sinks, Arc::clone(&clock))),
            sequence: Arc::default(),
            clock,
        };
        Made::of(config, lasting, Before::Nothing(self.treasury))
    }

    fn checked_config(&mut self) -> Result<Config, BuildError> {
        let mut config = match self.config.take() {
            Some(config) => config,
            None => {
                let loaded = config::load(&Sources { file: self.file.take(), ..Sources::from_process() })?;
                loaded.require_provider()?;
                loaded.config
            }
        };
        if let Some(route) = config.routes.get_mut(Config::DEFAULT_ROUTE) {
            if let Some(name) = self.strategy.take() {
                route.strategy = strategy_named(&name)?;
            }
            if let Some(options) = self.options.take() {
                route.options = options;
            }
        }
        let clock = self.clock.get_or_insert_with(|| Arc::new(SystemClock::start()));
        checked(config, &**clock)
    }
}

/// Fills in what a configuration leaves to others, and holds it to the rules.
pub(super) fn checked(mut config: Config, clock: &dyn Clock) -> Result<Config, BuildError> {
    config::finish(&mut config);
    config::look_up(&mut config, clock.wall());
    let problems = config::check(&config);
    if problems.is_empty() { Ok(config) } else { Err(BuildError::Problems(problems)) }
}

impl Made {
    /// Loads what a checked configuration names. What the guard before it knows is taken over.
    pub(super) fn of(config: Config, lasting: Lasting, before: Before<'_>) -> Result<Self, BuildError> {
        let guard = Guard::new(&config).with_alarm(Arc::clone(lasting.accounts.alarm()));
        let routes = routes(&config, &guard)?;
        let embeddings = embedding_routes(&config, &guard)?;
        // As late as can be: what happens meanwhile is told to the guard before.
        let guard = Arc::new(match before {
            Before::Guard(before) => guard.succeeding(before),
            Before::Nothing(Some(treasury)) => guard.with_treasury(treasury, lasting.clock.wall()),
            Before::Nothing(None) => guard,
        });
        let watched = routes.values().chain(embeddings.values()).map(Watched::of).collect();
        let Lasting { transport, clock, random, accounts, sequence } = lasting;
        let router = Router {
            transport,
            clock,
            random,
            accounts,
            endpoints: config.providers.iter().map(|(name, provider)| Endpoint::new(name, provider)).collect(),
            purposes: config.purposes.clone(),
            defaults: config.defaults,
            // Anew with each configuration: what another one answered may not be what this one would.
            cache: ReplyCache::new(&config.cache),
            sequence,
            guard,
            routes,
            embeddings,
        };
        Ok(Self { router, config, watched })
    }

    /// Begins to look at the strategy files. Within a runtime.
    pub(super) fn go_live(self) -> Live {
        let watch = Watch::start(self.watched, self.config.sandbox.clone(), Arc::clone(&self.router.clock));
        Live { router: Arc::new(self.router), config: Arc::new(self.config), _watch: watch }
    }
}

/// The strategy a word means.
///
/// # Errors
/// When it is neither a built-in name nor a path that ends in `.wasm`.
pub fn strategy_named(name: &str) -> Result<StrategyRef, BuildError> {
    if let Some(built_in) = resolve_name(name) {
        return Ok(StrategyRef::BuiltIn(built_in));
    }
    let is_path = std::path::Path::new(name).extension().is_some_and(|extension| extension == "wasm");
    if is_path { Ok(StrategyRef::File(name.into())) } else { Err(BuildError::UnknownStrategy(name.to_owned())) }
}

/// Routes by name.
type Routes = IndexMap<String, Arc<Route>>;

fn routes(config: &Config, guard: &Guard) -> Result<Routes, BuildError> {
    let mut routes = IndexMap::new();
    for (name, route) in &config.routes {
        routes.insert(name.clone(), load(name, route, roster(guard, route), &config.sandbox)?);
    }
    Ok(routes)
}

/// A route for each embedding model: every target that has it, in declared order, under the default route's strategy and bounds.
fn embedding_routes(config: &Config, guard: &Guard) -> Result<Routes, BuildError> {
    let Some(default) = config.routes.get(Config::DEFAULT_ROUTE) else { return Ok(IndexMap::new()) };
    let mut rosters: IndexMap<&str, Vec<&Target>> = IndexMap::new();
    for target in guard.targets() {
        let is_enabled = config.providers.get_index(target.provider).is_some_and(|(_, provider)| provider.enabled);
        if let (Some(model), true) = (&target.embeds, is_enabled) {
            rosters.entry(model).or_default().push(target);
        }
    }
    let mut routes = IndexMap::new();
    for (model, targets) in rosters {
        let seats = seat(targets);
        let route = route_of_embeddings(default, &seats);
        let loaded = load(&format!("{}{model}", Config::EMBEDDINGS), &route, seats, &config.sandbox)?;
        routes.insert(model.to_owned(), loaded);
    }
    Ok(routes)
}

/// The default route as it suits embeddings: a text stands in for no vector, and a primary that is a chat model is none of these.
fn route_of_embeddings(default: &RouteConfig, seats: &[Seat]) -> RouteConfig {
    let mut route = RouteConfig { fallback_text: None, ..default.clone() };
    let is_here = |name: &str| seats.iter().any(|seat| *seat.name.provider == *name || seat.name.to_string() == name);
    if route.options.get("primary").and_then(Value::as_str).is_some_and(|name| !is_here(name)) {
        route.options.remove("primary");
    }
    route
}

fn load(name: &str, route: &RouteConfig, seats: Vec<Seat>, sandbox: &SandboxConfig) -> Result<Arc<Route>, BuildError> {
    let decider = Decider::load(route.strategy.clone(), route.options.clone(), &seats, sandbox);
    let decider = decider.map_err(|source| BuildError::Strategy {
        route: name.to_owned(),
        strategy: route.strategy.name().to_string(),
        source,
    })?;
    Ok(Arc::new(Route::new(name, route, seats, decider)))
}

/// The chat targets a route names, in its order, each once.
fn roster(guard: &Guard, route: &RouteConfig) -> Vec<Seat> {
    let mut chosen = IndexMap::new();
    for wanted in &route.targets {
        for target in guard.targets().iter().filter(|target| target.embeds.is_none()) {
            let name = &target.name;
            let is_meant =
                *name.provider == *wanted.provider && wanted.model.as_ref().is_none_or(|model| *name.model == **model);
            if is_meant {
                chosen.insert(target.id, target);
            }
        }
    }
    seat(chosen.into_values())
}
