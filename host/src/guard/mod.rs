//! The host's own rules: what may be sent, whatever a strategy says.
//!
//! The rules are plain machines that take `now` and wait for nothing; [`Guard`] puts a lock around those of each provider.
//! The way in is [`Guard::admit`]; what it took is given back when the [`Permit`], or the [`InFlight`] it became, ends.

mod target;
mod claim;
mod permit;
mod denied;
mod status;
mod admission;
mod stake;
mod provider;
mod slot;
mod breaker;
mod samples;
mod cooldown;
mod turn;
mod keys;
mod line;
mod place;
mod shares;
mod limits;
mod part;
mod window;
mod pace;
mod span;
mod payer;
mod coffer;
mod budget;
mod scope_book;
mod period;
mod slice;
mod retry_budget;
mod health;
mod preference;
mod succession;
mod commons;
mod reach;
mod news;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexSet;
use jiff::Timestamp;

pub use claim::{AttemptKind, Claim};
pub use commons::{Commons, Fleet, Sharer};
pub use denied::{Denied, Disabled};
#[cfg(feature = "gateway")]
pub(crate) use limits::{Allowance, Share};
pub use news::{News, RestKind, Spot, What};
#[cfg(feature = "gateway")]
pub(crate) use part::ASKED_IN;
pub use part::{Holding, Lot};
pub use payer::Payer;
pub use period::{BudgetAlert, BudgetScope, BudgetStatus, OverBudget, Whose};
pub use permit::{InFlight, Permit};
pub use place::{NoPlace, Place};
pub use reach::SharedStoreStatus;
pub use stake::{Charge, Settled};
pub use status::{HealthStatus, KeyStatus, ModelStatus, ProviderState, ProviderStatus, Verdict};
pub use target::{Target, targets};

use self::budget::Budget;
use self::coffer::Coffer;
use self::preference::Preference;
use self::provider::Provider;
use self::retry_budget::RetryBudget;
use self::scope_book::ScopeId;
use self::slot::Slot;
use crate::accounting::{About, Alarm, Scope, Treasury};
use crate::clock::Moment;
use crate::config::{Config, UnknownPrice};
use crate::types::{AlertKind, FailureKind, KeyAccount, RequestId, TargetId};

/// Breakers, cooldowns, limits, budgets and preferences of one configuration. Shared by all requests.
#[derive(Debug)]
pub struct Guard {
    targets: Vec<Target>,
    providers: Vec<Arc<Provider>>,
    routes: Vec<String>,
    /// Shared with the guards before and after this one, so that what is spent outlives a changed configuration.
    coffer: Arc<Coffer>,
    /// The budget of each provider, where it has one of its own.
    provider_budgets: Vec<Option<ScopeId>>,
    retries: Mutex<RetryBudget>,
    hedges: Mutex<RetryBudget>,
    preference: Mutex<Preference>,
    unknown_price: UnknownPrice,
    alarm: Option<Arc<Alarm>>,
    /// The way to other instances, where there are any.
    commons: Option<Arc<Commons>>,
}

impl Guard {
    /// A guard of the configuration's targets that has seen no failure yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let providers = config.providers.iter().map(|(name, settings)| Arc::new(Provider::new(name, settings, config)));
        let targets = targets(config);
        let embedding_routes: IndexSet<String> = targets.iter().filter_map(Target::embedding_route).collect();
        let routes: Vec<String> = config.routes.keys().cloned().chain(embedding_routes).collect();
        let budget = Budget::of(config);
        Self {
            targets,
            providers: providers.collect(),
            provider_budgets: config.providers.keys().map(|name| budget.provider(name)).collect(),
            coffer: Arc::new(Coffer::new(budget)),
            preference: Mutex::new(Preference::new(routes.len())),
            routes,
            retries: Mutex::new(RetryBudget::new(config.retries.ratio, config.retries.floor)),
            hedges: Mutex::new(RetryBudget::new(config.retries.hedges, 0)),
            unknown_price: config.budget.unknown_price,
            alarm: None,
            commons: None,
        }
    }

    /// Has alerts raised somewhere.
    #[must_use]
    pub fn with_alarm(mut self, alarm: Arc<Alarm>) -> Self {
        self.coffer.report_to(Arc::clone(&alarm));
        self.alarm = Some(alarm);
        self
    }

    /// Has the money of all budgets lent by a ledger, which enters what is spent: it outlives the process, and the limits hold
    /// for all processes that share it. Waits until the ledger has told how the accounts stand.
    #[must_use]
    pub fn with_treasury(self, treasury: Arc<dyn Treasury>, wall: Timestamp) -> Self {
        self.coffer.lend_from(treasury, wall);
        self
    }

    /// Whose budgets a request draws on: looked up once, when it begins.
    #[must_use]
    pub fn payer(
        &self,
        request: RequestId,
        route: &Arc<str>,
        key: Option<&KeyAccount>,
        labels: &Arc<[(String, String)]>,
    ) -> Arc<Payer> {
        let scopes = self.coffer.budget().scopes(route, key, labels);
        let (route, labels, key) = (Arc::clone(route), Arc::clone(labels), key.map(|key| Arc::clone(&key.name)));
        Arc::new(Payer { request, route, key, labels, scopes })
    }

    /// All targets, each at its id's place.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// A request begins: it adds its share to the retry budget.
    pub fn begin(&self, now: Moment) {
        locked(&self.retries).fill(now);
        locked(&self.hedges).fill(now);
    }

    /// Same-target retries that all requests together have left.
    pub fn retries_left(&self, now: Moment) -> u32 {
        locked(&self.retries).left(now)
    }

    /// Ends when a probe that is under way at the target has ended; at once where none is.
    pub async fn probe_ended(&self, target: TargetId) {
        let Some((target, provider)) = self.find(target) else { return };
        let Some(probe) = provider.probe(target.model) else { return };
        // Made before looking: a probe that ends in between is not missed.
        let ended = probe.notified();
        let is_probing = provider.book().is_probing(target.model);
        if is_probing {
            ended.await;
        }
    }

    /// The target that is preferred on a route, while that lasts.
    #[must_use]
    pub fn preferred(&self, route: &str, now: Moment) -> Option<TargetId> {
        locked(&self.preference).preferred(self.route(route)?, now)
    }

    /// Prefers a target on a route for so long from now; for no time at all does nothing.
    pub fn prefer(&self, route: &str, target: TargetId, length: Duration, now: Moment) {
        let Some(place) = self.route(route).filter(|_| !length.is_zero()) else { return };
        let mut preference = locked(&self.preference);
        // Others are told when it is somebody else, and again before it is over.
        let is_known = preference
            .of_route(place)
            .is_some_and(|(before, until)| before == target && until.since(now) > length - length / 4);
        if !is_known || self.commons.is_none() {
            preference.prefer(place, target, now + length);
        }
        drop(preference);
        if let (false, Some(found)) = (is_known, self.targets.get(target.index())) {
            self.tell_preferred(route, &found.name, length, now);
        }
    }

    /// Forces all requests to a provider (its place in the configuration) until then.
    pub fn force(&self, provider: usize, until: Moment) {
        locked(&self.preference).force(provider, until);
        self.tell_of(provider, What::Forced, Some(until));
    }

    /// The provider that is forced, while that lasts.
    #[must_use]
    pub fn forced(&self, now: Moment) -> Option<usize> {
        self.forced_until(now).map(|(provider, _)| provider)
    }

    /// The provider that is forced, and until when.
    #[must_use]
    pub fn forced_until(&self, now: Moment) -> Option<(usize, Moment)> {
        locked(&self.preference).forced(now)
    }

    /// Prefers and forces nobody any more.
    pub fn clear_preference(&self) {
        locked(&self.preference).clear();
        self.tell(What::NobodyPreferred, None);
    }

    /// Somebody else has seen a provider (its place in the configuration) fail: it counts as if one attempt at each of its
    /// models had failed so with each of its keys. A kind that takes keys or models out for good takes nothing out here.
    pub fn report_failure(&self, provider: usize, kind: FailureKind, now: Moment, wall: Timestamp) {
        self.count_failure(provider, kind, now, wall);
        self.tell_of(provider, |provider| What::Failed(provider, kind), Some(now + news::COUNTED_FOR));
    }

    fn count_failure(&self, provider: usize, kind: FailureKind, now: Moment, wall: Timestamp) {
        let Some(provider) = self.providers.get(provider) else { return };
        let mut book = provider.book();
        book.slots_mut().for_each(|slot| slot.failed_elsewhere(kind, now));
        book.health.failed(kind, now, wall);
        book.models.iter_mut().for_each(|model| model.health.failed(kind, now, wall));
        drop(book);
        provider.tell_all_probes_ended();
    }

    /// Somebody else was served by a provider: its breakers close, and only the waits it asked for itself are kept.
    pub fn report_success(&self, provider: usize, now: Moment, wall: Timestamp) {
        self.count_success(provider, now, wall);
        self.tell_of(provider, What::Recovered, None);
    }

    fn count_success(&self, provider: usize, now: Moment, wall: Timestamp) {
        let Some(provider) = self.providers.get(provider) else { return };
        let mut book = provider.book();
        book.slots_mut().for_each(|slot| slot.served_elsewhere(now));
        book.health.served(now, wall);
        book.models.iter_mut().for_each(|model| model.health.served(now, wall));
        drop(book);
        provider.tell_all_probes_ended();
    }

    /// Ends every cooldown and every breaker's pause, also those that providers asked for.
    pub fn clear_cooldowns(&self) {
        (0..self.providers.len()).for_each(|provider| self.clear(provider));
    }

    /// Ends every rest of one provider (its place in the configuration); its rejected keys and unknown models get another
    /// chance.
    pub fn clear(&self, provider: usize) {
        self.clear_here(provider);
        self.tell_of(provider, What::Cleared, None);
    }

    fn clear_here(&self, provider: usize) {
        let Some(provider) = self.providers.get(provider) else { return };
        let mut book = provider.book();
        book.slots_mut().for_each(Slot::clear);
        book.give_another_chance();
        drop(book);
        provider.tell_all_probes_ended();
    }

    /// Leaves a provider (its place in the configuration) alone until then, with all its models and keys.
    pub fn cool_down(&self, provider: usize, until: Moment) {
        self.cool_down_here(provider, until);
        self.tell_of(provider, What::CooledDown, Some(until));
    }

    fn cool_down_here(&self, provider: usize, until: Moment) {
        let Some(provider) = self.providers.get(provider) else { return };
        provider.book().slots_mut().for_each(|slot| slot.rest_until(until));
        provider.tell_all_probes_ended();
    }

    /// How every provider is doing, in declared order.
    #[must_use]
    pub fn status(&self, now: Moment, wall: Timestamp) -> Vec<ProviderStatus> {
        self.providers.iter().map(|provider| status::provider_status(provider, now, wall)).collect()
    }

    /// How the daily and the monthly budget stand, where they are set.
    #[must_use]
    pub fn budgets(&self, wall: Timestamp) -> Vec<BudgetStatus> {
        self.coffer.budget().status(wall)
    }

    /// How the budgets of routes, providers, keys and labels stand.
    #[must_use]
    pub fn scoped_budgets(&self, wall: Timestamp) -> Vec<(Scope, BudgetStatus)> {
        self.coffer.budget().scoped_status(wall)
    }

    /// Why nothing may be spent, where the ledger cannot be written.
    #[must_use]
    pub fn ledger_fault(&self) -> Option<Arc<str>> {
        self.coffer.fault()
    }

    /// How the store is doing that instances share; `None` where there is none.
    #[must_use]
    pub fn shared_store(&self) -> Option<SharedStoreStatus> {
        self.commons.as_ref().map(|commons| commons.shared_store())
    }

    /// Tells other instances of one provider.
    fn tell_of(&self, provider: usize, what: impl FnOnce(String) -> What, until: Option<Moment>) {
        if let Some(provider) = self.providers.get(provider) {
            self.tell(what(provider.name.to_string()), until);
        }
    }

    fn raise(&self, kind: AlertKind, about: About<'_>, message: String) {
        if let Some(alarm) = &self.alarm {
            alarm.raise(kind, about, message);
        }
    }

    fn find(&self, target: TargetId) -> Option<(&Target, &Provider)> {
        let target = self.targets.get(target.index())?;
        Some((target, self.providers.get(target.provider)?))
    }

    fn route(&self, name: &str) -> Option<usize> {
        self.routes.iter().position(|route| route == name)
    }
}

/// A lock that a panicking thread has held is as good as any other here: every change is a few assignments, and what it
/// may have left out is made good by the next outcome.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
