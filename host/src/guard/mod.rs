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
mod lease;
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
mod window;
mod pace;
mod span;
mod budget;
mod period;
mod retry_budget;
mod health;
mod preference;
mod succession;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexSet;
use jiff::Timestamp;

pub use claim::{AttemptKind, Claim};
pub use denied::{Denied, Disabled};
pub use lease::{Charge, Settled};
#[cfg(feature = "gateway")]
pub(crate) use limits::{Allowance, Share};
pub use period::{BudgetAlert, BudgetScope, BudgetStatus, OverBudget};
pub use permit::{InFlight, Permit};
pub use place::{NoPlace, Place};
pub use status::{HealthStatus, KeyStatus, ModelStatus, ProviderState, ProviderStatus, Verdict};
pub use target::{Target, targets};

use self::budget::{Budget, Reservation};
use self::preference::Preference;
use self::provider::Provider;
use self::retry_budget::RetryBudget;
use self::slot::Slot;
use crate::accounting::{About, Alarm};
use crate::clock::Moment;
use crate::config::{Config, UnknownPrice};
use crate::types::{AlertKind, FailureKind, TargetId};

/// Breakers, cooldowns, limits, budgets and preferences of one configuration. Shared by all requests.
#[derive(Debug)]
pub struct Guard {
    targets: Vec<Target>,
    providers: Vec<Arc<Provider>>,
    routes: Vec<String>,
    budget: Option<Arc<Mutex<Budget>>>,
    retries: Mutex<RetryBudget>,
    hedges: Mutex<RetryBudget>,
    preference: Mutex<Preference>,
    unknown_price: UnknownPrice,
    alarm: Option<Arc<Alarm>>,
}

impl Guard {
    /// A guard of the configuration's targets that has seen no failure yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let providers = config.providers.iter().map(|(name, settings)| Arc::new(Provider::new(name, settings, config)));
        let targets = targets(config);
        let embedding_routes: IndexSet<String> = targets.iter().filter_map(Target::embedding_route).collect();
        let routes: Vec<String> = config.routes.keys().cloned().chain(embedding_routes).collect();
        Self {
            targets,
            providers: providers.collect(),
            preference: Mutex::new(Preference::new(routes.len())),
            routes,
            budget: Budget::new(&config.budget).map(|budget| Arc::new(Mutex::new(budget))),
            retries: Mutex::new(RetryBudget::new(config.retries.ratio, config.retries.floor)),
            hedges: Mutex::new(RetryBudget::new(config.retries.hedges, 0)),
            unknown_price: config.budget.unknown_price,
            alarm: None,
        }
    }

    /// Has alerts raised somewhere.
    #[must_use]
    pub fn with_alarm(mut self, alarm: Arc<Alarm>) -> Self {
        self.alarm = Some(alarm);
        self
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
        if let Some(route) = self.route(route).filter(|_| !length.is_zero()) {
            locked(&self.preference).prefer(route, target, now + length);
        }
    }

    /// Forces all requests to a provider (its place in the configuration) until then.
    pub fn force(&self, provider: usize, until: Moment) {
        locked(&self.preference).force(provider, until);
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
    }

    /// Somebody else has seen a provider (its place in the configuration) fail: it counts as if one attempt at each of its
    /// models had failed so with each of its keys. A kind that takes keys or models out for good takes nothing out here.
    pub fn report_failure(&self, provider: usize, kind: FailureKind, now: Moment, wall: Timestamp) {
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
        let Some(provider) = self.providers.get(provider) else { return };
        let mut book = provider.book();
        book.slots_mut().for_each(Slot::clear);
        book.give_another_chance();
        drop(book);
        provider.tell_all_probes_ended();
    }

    /// Leaves a provider (its place in the configuration) alone until then, with all its models and keys.
    pub fn cool_down(&self, provider: usize, until: Moment) {
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
        self.budget.as_ref().map(|budget| locked(budget).status(wall)).unwrap_or_default()
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

    fn void_reservation(&self, reservation: Option<Reservation>) {
        if let (Some(budget), Some(reservation)) = (&self.budget, reservation) {
            locked(budget).void(reservation);
        }
    }
}

/// A lock that a panicking thread has held is as good as any other here: every change is a few assignments, and what it
/// may have left out is made good by the next outcome.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
