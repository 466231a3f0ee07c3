//! How a [`Backstop`] is made: a configuration, and perhaps a transport and a clock of the caller's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::accounting::recording::Recorder;
use crate::accounting::{Accounts, RecordSink, Treasury};
use crate::cache::ReplyCache;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ProviderConfig, RouteConfig, SandboxConfig, Sources, strategy_named};
use crate::guard::{Fleet, Guard, Sharer, Target};
use crate::random::Random;
use crate::router::{Decider, Endpoint, Route, Router, Seat, Shadow, Surroundings, seat};
use crate::strategy::{Learning, Named};
use crate::telemetry::RequestLog;
use crate::transport::{HttpTransport, Transport};

use super::Backstop;
use super::build_error::BuildError;
use super::live::{Live, Stand};
use super::watch::{Watch, Watched};

/// How many records of the latest requests are kept in memory.
const KEPT_RECORDS: usize = 1_000;

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
    kept_records: Option<usize>,
    treasury: Option<Arc<dyn Treasury>>,
    fleet: Option<Arc<dyn Fleet>>,
    replies: Replies,
    recorder: Option<Arc<Recorder>>,
    learning: Option<Arc<Learning>>,
}

/// What a configuration needs to become a router, and what outlives it.
pub(super) struct Lasting {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<Random>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) sequence: Arc<AtomicU64>,
    pub(super) fleet: Option<Arc<dyn Fleet>>,
    pub(super) replies: Replies,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) learning: Arc<Learning>,
}

/// Replies that instances share, where they do.
#[cfg(feature = "store")]
pub(super) type Replies = Option<Arc<crate::cache::SharedReplies>>;
#[cfg(not(feature = "store"))]
pub(super) type Replies = ();

/// What was there before a router: another one's guard, who knows the ledger, or nothing but perhaps a ledger.
pub(super) enum Before<'a> {
    Guard(&'a Arc<Guard>),
    Nothing(Option<Arc<dyn Treasury>>),
}

/// A router that is not live yet, and the strategy files to look at when it is.
pub(super) struct Made {
    pub(super) router: Router,
    pub(super) config: Config,
    fleet: Option<Arc<dyn Fleet>>,
    replies: Replies,
    learning: Arc<Learning>,
    pub(super) watched: Vec<Watched>,
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

    /// How many records of the latest requests are kept in memory, to be asked for: 1,000 where nothing is said.
    #[must_use]
    pub fn kept_records(mut self, count: usize) -> Self {
        self.kept_records = Some(count);
        self
    }

    /// Has budgets lent by a ledger, and every cost entered there: they outlive the process, and hold for all processes that share
    /// it. Without one they are in memory and gone with it. Whoever opens a ledger closes it when all is done.
    #[must_use]
    pub fn treasury(mut self, treasury: Arc<dyn Treasury>) -> Self {
        self.treasury = Some(treasury);
        self
    }

    /// Lets strategies go on with what they have learnt, and remember what they learn: where it is kept in an archive, beyond the
    /// process. Without it they remember for as long as this [`Backstop`] lives.
    #[must_use]
    pub fn learning(mut self, learning: Arc<Learning>) -> Self {
        self.learning = Some(learning);
        self
    }

    /// Shares limits with other instances, and tells them what this one learns of providers. Without it they are this one's alone.
    #[must_use]
    pub fn fleet(mut self, fleet: Arc<dyn Fleet>) -> Self {
        self.fleet = Some(fleet);
        self
    }

    /// Writes every decision down, and how each request ended. Whoever opens a recorder closes it when all is done.
    #[must_use]
    pub fn recorder(mut self, recorder: Arc<Recorder>) -> Self {
        self.sinks.push(Arc::clone(&recorder) as Arc<dyn RecordSink>);
        self.recorder = Some(recorder);
        self
    }

    /// Keeps replies in a store that instances share as well, where the configuration has a cache.
    #[cfg(feature = "store")]
    #[must_use]
    pub fn shared_replies(mut self, replies: Arc<crate::cache::SharedReplies>) -> Self {
        self.replies = Some(replies);
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
            accounts: Arc::new(Accounts::new(
                self.sinks,
                Arc::clone(&clock),
                self.kept_records.unwrap_or(KEPT_RECORDS),
            )),
            sequence: Arc::default(),
            fleet: self.fleet,
            replies: self.replies,
            recorder: self.recorder,
            learning: self.learning.unwrap_or_default(),
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
        let guard = match &lasting.fleet {
            Some(fleet) => guard.with_commons(fleet.commons()),
            None => guard,
        };
        let routes = routes(&config, &guard, &lasting.learning)?;
        let embeddings = embedding_routes(&config, &guard, &lasting.learning)?;
        // As late as can be: what happens meanwhile is told to the guard before.
        let (guard, old) = match before {
            Before::Guard(before) => (guard.succeeding(before), Some(Arc::clone(before) as Arc<dyn Sharer>)),
            Before::Nothing(Some(treasury)) => (guard.with_treasury(treasury, lasting.clock.wall()), None),
            Before::Nothing(None) => (guard, None),
        };
        let guard = Arc::new(guard);
        if let Some(fleet) = &lasting.fleet {
            fleet.share(Arc::clone(&guard) as Arc<dyn Sharer>, old.as_ref(), &lasting.clock);
        }
        let watched = routes.values().chain(embeddings.values()).map(Watched::of).collect();
        let Lasting { transport, clock, random, accounts, sequence, fleet, replies, learning, recorder } = lasting;
        // Anew with each configuration: what another one answered may not be what this one would.
        let cache = reply_cache(&config, replies.clone(), &clock);
        let router = Router {
            transport,
            clock,
            random,
            accounts,
            endpoints: config.providers.iter().map(|(name, provider)| Endpoint::new(name, provider)).collect(),
            purposes: config.purposes.clone(),
            defaults: config.defaults,
            cache,
            recorder,
            sequence,
            guard,
            routes,
            embeddings,
        };
        Ok(Self { router, config, fleet, replies, learning, watched })
    }

    /// Begins to look at the strategy files. Within a runtime.
    pub(super) fn go_live(self) -> Live {
        let watch = Watch::start(
            self.watched,
            self.config.sandbox.clone(),
            Arc::clone(&self.learning),
            Arc::clone(&self.router.clock),
        );
        Live {
            router: Arc::new(self.router),
            config: Arc::new(self.config),
            fleet: self.fleet,
            replies: self.replies,
            learning: self.learning,
            _watch: watch,
        }
    }
}

#[cfg(feature = "store")]
fn reply_cache(config: &Config, replies: Replies, clock: &Arc<dyn Clock>) -> Option<Arc<ReplyCache>> {
    match replies {
        Some(replies) => ReplyCache::shared(&config.cache, replies, config::answers_digest(config), Arc::clone(clock)),
        None => ReplyCache::new(&config.cache),
    }
}

#[cfg(not(feature = "store"))]
fn reply_cache(config: &Config, (): Replies, _: &Arc<dyn Clock>) -> Option<Arc<ReplyCache>> {
    ReplyCache::new(&config.cache)
}

/// Routes by name.
type Routes = IndexMap<String, Arc<Route>>;

fn routes(config: &Config, guard: &Guard, learning: &Learning) -> Result<Routes, BuildError> {
    let mut routes = IndexMap::new();
    for (name, route) in &config.routes {
        routes.insert(name.clone(), load(name, route, roster(guard, route), &config.sandbox, learning)?);
    }
    Ok(routes)
}

/// A route for each embedding model: every target that has it, in declared order, under the default route's strategy and bounds.
fn embedding_routes(config: &Config, guard: &Guard, learning: &Learning) -> Result<Routes, BuildError> {
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
        let name = format!("{}{model}", Config::EMBEDDINGS);
        let loaded = load(&name, &route, seats, &config.sandbox, learning)?;
        routes.insert(model.to_owned(), loaded);
    }
    Ok(routes)
}

/// The default route as it suits embeddings: a text stands in for no vector, and a primary that is a chat model is none of these.
fn route_of_embeddings(default: &RouteConfig, seats: &[Seat]) -> RouteConfig {
    let mut route = RouteConfig { fallback_text: None, shadow: None, ..default.clone() };
    let is_here = |name: &str| seats.iter().any(|seat| *seat.name.provider == *name || seat.name.to_string() == name);
    if route.options.get("primary").and_then(Value::as_str).is_some_and(|name| !is_here(name)) {
        route.options.remove("primary");
    }
    route
}

fn load(
    name: &str,
    route: &RouteConfig,
    seats: Vec<Seat>,
    sandbox: &SandboxConfig,
    learning: &Learning,
) -> Result<Arc<Route>, BuildError> {
    let load = |route: &str, named: Named| {
        let strategy = named.source.name().to_string();
        let decider = Decider::load(named, &Surroundings { route, roster: &seats, sandbox, learning });
        decider.map_err(|source| BuildError::Strategy { route: name.to_owned(), strategy, source })
    };
    let decider = load(name, Named::of_route(route))?;
    // What it notes in a state of its own is never that of the strategy that decides.
    let shadow = Named::of_shadow(route).map(|named| load(&format!("{name} (shadow)"), named)).transpose()?;
    let shadow = shadow.map(|decider| Shadow::start(decider, seats.clone())).transpose().map_err(BuildError::Shadow)?;
    let route = Route::new(name, route, seats, decider);
    route.set_shadow(shadow);
    Ok(Arc::new(route))
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
