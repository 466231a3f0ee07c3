//! From the configuration and the flags to a [`Backstop`] that is ready to be asked.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use backstop::accounting::ledger::{Ledger, LedgerError, LedgerPlace};
use backstop::accounting::recording::{RecordError, Recorder};
use backstop::accounting::store::{Keep, Store, StoreError};
use backstop::cache::SharedReplies;
use backstop::client::{Backstop, BuildError};
use backstop::clock::SystemClock;
use backstop::config::{self, Config, SandboxConfig, Sources, StoreConfig, StrategyRef, strategy_named};
use backstop::fleet::{Membership, SharedNotes};
use backstop::shared::SharedError;
use backstop::strategy::{Learning, inspect};
use serde_json::{Map, Value};

use super::args::{RetryArgs, WishArgs};
use super::retries::{self, Said, Unsaid};

/// Tokens an answer to a question at the terminal may have where nobody says anything.
const MAX_TOKENS: u32 = 500;

/// A backstop, and what is to be told about how it was set up.
pub(crate) struct Ready {
    pub(crate) backstop: Backstop,
    /// Flags that have no effect, in words.
    pub(crate) notes: Vec<String>,
    /// Held for their drop, behind the backstop's.
    _ledger: Option<Open<Ledger>>,
    _learning: OpenLearning,
    _store: Option<Open<Store>>,
}

/// What the strategies of a command learn. To be dropped before the store it is kept in: what the last requests taught is told then.
pub(crate) struct OpenLearning {
    learning: Arc<Learning>,
    /// Held for its drop.
    _notes: Option<Open<SharedNotes>>,
}

impl OpenLearning {
    /// A reference for those who learn.
    pub(crate) fn share(&self) -> Arc<Learning> {
        Arc::clone(&self.learning)
    }
}

impl Drop for OpenLearning {
    fn drop(&mut self) {
        self.learning.settle();
    }
}

/// What a command opened to write to, and closes at its end, whoever else still has a reference: what it was told is on disk when this
/// has been dropped, and what was lent to a ledger's holders has gone back.
pub(crate) struct Open<T: Close>(Arc<T>);

impl<T: Close> Open<T> {
    /// A reference for those who use it.
    pub(crate) fn share(&self) -> Arc<T> {
        Arc::clone(&self.0)
    }
}

impl<T: Close> Drop for Open<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What has a last word to write.
pub(crate) trait Close {
    /// Writes it.
    fn close(&self);
}

impl Close for Store {
    fn close(&self) {
        Self::close(self);
    }
}

impl Close for Ledger {
    fn close(&self) {
        Self::close(self);
    }
}

impl Close for SharedNotes {
    fn close(&self) {
        Self::close(self);
    }
}

impl Close for Recorder {
    fn close(&self) {
        Self::close(self);
    }
}

/// Whom the answers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody at a terminal: an answer without a bound of its own has 500 tokens.
    Person,
    /// A program, which sends what it wants to have sent.
    Program,
}

/// Reads file and environment.
pub(crate) fn load(file: Option<PathBuf>) -> Result<config::Loaded, config::ConfigError> {
    config::load(&Sources { file, ..Sources::from_process() })
}

/// How guests run, as the configuration says; a broken one is no reason not to look at a strategy.
pub(crate) fn sandbox(file: Option<PathBuf>) -> SandboxConfig {
    load(file).map_or_else(|_| SandboxConfig::default(), |loaded| loaded.config.sandbox)
}

/// Reads the configuration, adapts it to the flags, and builds.
///
/// # Errors
/// When the configuration is at fault, no provider has a key, or the strategy cannot be loaded.
pub(crate) async fn ready(
    file: Option<PathBuf>,
    wish: &WishArgs,
    retry: &RetryArgs,
    unsaid: Unsaid,
    reader: Reader,
) -> anyhow::Result<Ready> {
    let loaded = load(file)?;
    loaded.require_provider()?;
    let route = wish.route.as_deref().unwrap_or(Config::DEFAULT_ROUTE);
    let said = Said::of(&loaded.origins, route);
    let mut config = loaded.config;
    if reader == Reader::Person {
        config.defaults.max_tokens.get_or_insert(MAX_TOKENS);
    }
    if let Some(strategy) = &wish.strategy {
        choose_strategy(&mut config, route, strategy, wish.options.as_ref())?;
    }
    let known = known_options(&config, route).await?;
    let notes = retries::apply(&mut config, route, retry, &known, unsaid, said);
    let mut notes = notes;
    let mut builder = Backstop::builder();
    // An answer is worth more than its record.
    let store = store(&config).unwrap_or_else(|error| {
        notes.push(format!("no record is kept: {error}"));
        None
    });
    let learning = learning(&config, store.as_ref())?;
    builder = builder.learning(learning.share());
    if let Some(store) = &store {
        builder = builder.record_sink(store.share());
    }
    let ledger = match ledger(&config) {
        // An answer is worth more than its record, but not more than the limits of what may be spent.
        Err(error) if !is_limited(&config) => {
            notes.push(format!("no costs are kept: {error}"));
            None
        }
        opened => opened?,
    };
    if let Some(ledger) = &ledger {
        builder = builder.treasury(ledger.share());
    }
    if let Some(replies) = replies(&config)? {
        builder = builder.shared_replies(replies);
    }
    if let Some(fleet) = fleet(&config)? {
        builder = builder.fleet(fleet);
    }
    let backstop = builder.config(config).build().await?;
    Ok(Ready { backstop, notes, _ledger: ledger, _learning: learning, _store: store })
}

/// Opens the store that the configuration names, to write to it; `None` where it names none.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn store(config: &Config) -> Result<Option<Open<Store>>, StoreError> {
    let StoreConfig { path, keep_requests, keep, .. } = &config.store;
    let keep = Keep { requests: *keep_requests, time: *keep };
    let Some(path) = path else { return Ok(None) };
    let store = Store::open(path, keep)?;
    let store = match ledger_place(config) {
        Some(ledger) => store.with_ledger(ledger),
        None => store,
    };
    Ok(Some(Open(Arc::new(store))))
}

/// What strategies learn: kept in the store, and shared with other instances, where the configuration names one or the other.
///
/// # Errors
/// When the address of what is shared cannot be one.
pub(crate) fn learning(config: &Config, store: Option<&Open<Store>>) -> Result<OpenLearning, SharedError> {
    let learning = store.map_or_else(Learning::in_memory, |store| Learning::kept_in(store.share()));
    let notes = config.store.shared.as_ref().map(SharedNotes::open).transpose()?;
    let notes = notes.map(|notes| Open(Arc::new(notes)));
    let learning = match &notes {
        Some(notes) => learning.shared_by(notes.share()),
        None => learning,
    };
    Ok(OpenLearning { learning: Arc::new(learning), _notes: notes })
}

/// Where the configuration has the ledger: in the database it names, else beside its store; `None` where it names neither.
pub(crate) fn ledger_place(config: &Config) -> Option<LedgerPlace> {
    let beside = || config.store.path.clone().map(LedgerPlace::Beside);
    config.store.ledger.clone().map(LedgerPlace::Postgres).or_else(beside)
}

/// Opens the ledger that the configuration names; `None` where it names none.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn ledger(config: &Config) -> Result<Option<Open<Ledger>>, LedgerError> {
    let Some(place) = ledger_place(config) else { return Ok(None) };
    let ledger = Ledger::open_at(&place, config.store.shared.as_ref(), Arc::new(SystemClock::start()));
    ledger.map(|ledger| Some(Open(Arc::new(ledger))))
}

/// Begins the recording that the configuration wants; `None` where it wants none.
///
/// # Errors
/// When its folder cannot be written to.
pub(crate) fn recorder(config: &Config) -> Result<Option<Open<Recorder>>, RecordError> {
    let recording = &config.recording;
    let Some(folder) = recording.folder.as_ref().filter(|_| recording.enabled) else { return Ok(None) };
    let most_bytes = u64::try_from(recording.most_bytes).unwrap_or(u64::MAX);
    Recorder::open(folder, most_bytes).map(|recorder| Some(Open(Arc::new(recorder))))
}

/// The replies that the configuration has kept in a store that instances share; `None` where it has none kept, or no such store.
///
/// # Errors
/// When the store's address cannot be one.
pub(crate) fn replies(config: &Config) -> Result<Option<Arc<SharedReplies>>, SharedError> {
    let shared = config.store.shared.as_ref().filter(|_| config.cache.enabled);
    shared.map(|shared| SharedReplies::open(shared).map(Arc::new)).transpose()
}

/// Joins the other instances, where the configuration names a store that they share.
///
/// # Errors
/// When the store's address cannot be one.
pub(crate) fn fleet(config: &Config) -> Result<Option<Arc<Membership>>, SharedError> {
    config.store.shared.as_ref().map(|shared| Membership::new(shared).map(Arc::new)).transpose()
}

/// Whether anything limits what is spent.
fn is_limited(config: &Config) -> bool {
    let budget = &config.budget;
    let routes = config.routes.values().map(|route| route.budget);
    let providers = config.providers.values().map(|provider| provider.budget);
    let mut limits = routes.chain(providers).chain(budget.labels.values().copied()).chain([budget.limits()]);
    limits.any(|limits| !limits.are_none())
}

/// Puts another strategy into a route. Options and pin of the configuration were meant for the one that was there before.
fn choose_strategy(
    config: &mut Config,
    route: &str,
    word: &str,
    options: Option<&Map<String, Value>>,
) -> Result<(), BuildError> {
    let chosen = strategy_named(word)?;
    let Some(route) = config.routes.get_mut(route) else { return Ok(()) };
    if !route.strategy.is_same(&chosen) {
        route.strategy = chosen;
        route.options.clear();
        route.digest = None;
    }
    if let Some(options) = options {
        route.options.clone_from(options);
    }
    Ok(())
}

/// The names of the options a route's strategy takes; none where it does not say.
async fn known_options(config: &Config, route: &str) -> anyhow::Result<BTreeSet<String>> {
    let Some(route) = config.routes.get(route) else { return Ok(BTreeSet::new()) };
    let (strategy, sandbox) = (route.strategy.clone(), config.sandbox.clone());
    let name = strategy.name();
    let inspected = tokio::task::spawn_blocking(move || option_names(&strategy, &sandbox)).await?;
    inspected.with_context(|| format!("could not load strategy {name:?}"))
}

fn option_names(
    strategy: &StrategyRef,
    sandbox: &SandboxConfig,
) -> Result<BTreeSet<String>, backstop::strategy::LoadStrategyError> {
    let schema = inspect(strategy, sandbox)?.description.and_then(|description| description.options_schema);
    let properties = schema.as_ref().and_then(|schema| schema.get("properties")).and_then(|known| known.as_object());
    Ok(properties.into_iter().flat_map(|known| known.keys().cloned()).collect())
}
