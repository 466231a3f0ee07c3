//! What the guard keeps of one provider: one lock around its keys, breakers, cooldowns, limits and health.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use url::Url;

use super::denied::{Denied, Disabled};
use super::health::Health;
use super::keys::KeyRing;
use super::limits::{Ahead, Allowance};
use super::line::{Line, Rank};
use super::part::{Holding, Lot};
use super::shares::{Shares, Used};
use super::slot::{Slot, Turns};
use super::turn::Urgency;
use crate::clock::Moment;
use crate::config::{ApiKey, BreakerConfig, BreakerScope, Config, CooldownConfig, Credentials, Limits, ProviderConfig};

/// One provider of the configuration.
#[derive(Debug)]
pub(super) struct Provider {
    /// Its name.
    pub(super) name: Arc<str>,
    /// Whether it can be used at all.
    pub(super) access: Access,
    /// Its keys; empty where it needs none.
    pub(super) keys: Vec<ApiKey>,
    /// Its models' ids.
    pub(super) models: Vec<Arc<str>>,
    /// What its book goes by.
    pub(super) rules: Rules,
    /// Told when a probe ends: one for each lane.
    probes: Vec<Notify>,
    book: Mutex<Book>,
}

/// Whether a provider can be used at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    Open,
    SwitchedOff,
    /// Why it has no key, in words.
    NotInitialised(String),
}

/// The settings a provider's book goes by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) base_url: Url,
    pub(super) limits: Limits,
    pub(super) limits_of_models: Vec<Limits>,
    breaker: BreakerConfig,
    cooldown: CooldownConfig,
}

/// What changes from request to request.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) keys: KeyRing,
    /// For each lane, one for each key. A lane is a model, or the whole provider where its models rest together.
    slots: Vec<Slot>,
    places: usize,
    scope: BreakerScope,
    pub(super) models: Vec<ModelBook>,
    pub(super) health: Health,
    limits: Allowance,
    /// Those who wait for their turn within the limits.
    pub(super) line: Line,
}

/// What is kept of one model.
#[derive(Debug, Clone)]
pub(super) struct ModelBook {
    /// The provider said it does not have it.
    pub(super) is_unknown: bool,
    pub(super) in_flight: u32,
    pub(super) health: Health,
    limits: Allowance,
}

/// The key a request would be sent with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) key: usize,
    /// The rest that the emergency overrules, where there is one.
    pub(super) overruled: Option<Denied>,
}

impl Provider {
    pub(super) fn new(name: &str, settings: &ProviderConfig, config: &Config) -> Self {
        let keys = match &settings.credentials {
            Credentials::Keys(keys) => keys.clone(),
            Credentials::NotNeeded | Credentials::Missing { .. } => Vec::new(),
        };
        let lanes = match config.breaker.scope {
            BreakerScope::Model => settings.model_ids().count(),
            BreakerScope::Provider => 1,
        };
        let chat = settings.models.iter().map(|model| model.limits);
        let limits_of_models: Vec<Limits> =
            chat.chain(settings.embedding_models.iter().map(|_| Limits::default())).collect();
        let queue_size = settings.limits.queue_size.unwrap_or(Limits::QUEUE_SIZE);
        let ring = KeyRing::new(keys.len());
        let places = keys.len().max(1);
        let book = Book {
            keys: ring,
            slots: vec![Slot::new(config.breaker, config.cooldown); lanes * places],
            places,
            scope: config.breaker.scope,
            models: limits_of_models.iter().map(ModelBook::new).collect(),
            health: Health::default(),
            limits: Allowance::of_provider(&settings.limits),
            line: Line::new(usize::try_from(queue_size).unwrap_or(usize::MAX)),
        };
        Self {
            name: name.into(),
            access: Access::of(settings),
            keys,
            models: settings.model_ids().map(Into::into).collect(),
            rules: Rules {
                base_url: settings.base_url.clone(),
                limits: settings.limits,
                limits_of_models,
                breaker: config.breaker,
                cooldown: config.cooldown,
            },
            probes: (0..lanes).map(|_| Notify::new()).collect(),
            book: Mutex::new(book),
        }
    }

    /// Its book. Held for a few hundred nanoseconds, never across an await; what a panic left behind is still consistent
    /// enough to be cautious by.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those that wait for a probe of the model.
    pub(super) fn tell_probe_ended(&self, model: usize) {
        if let Some(probe) = self.probe(model) {
            probe.notify_waiters();
        }
    }

    /// Wakes those that wait for any probe.
    pub(super) fn tell_all_probes_ended(&self) {
        self.probes.iter().for_each(Notify::notify_waiters);
    }

    /// Tells when a probe of the model ends.
    pub(super) fn probe(&self, model: usize) -> Option<&Notify> {
        // With one lane for all models there is one notice for all of them.
        self.probes.get(model).or_else(|| self.probes.first())
    }
}

impl ModelBook {
    /// Goes on with what was used of the same limits.
    pub(super) fn take_over_limits(&mut self, before: &Self) {
        self.limits = before.limits.taken_over();
    }

    fn new(limits: &Limits) -> Self {
        Self { is_unknown: false, in_flight: 0, health: Health::default(), limits: Allowance::of_provider(limits) }
    }
}

impl Access {
    fn of(settings: &ProviderConfig) -> Self {
        match &settings.credentials {
            _ if !settings.enabled => Self::SwitchedOff,
            Credentials::NotNeeded => Self::Open,
            Credentials::Keys(keys) if !keys.is_empty() => Self::Open,
            Credentials::Keys(_) => Self::NotInitialised("it has no key".to_owned()),
            Credentials::Missing { placeholder: Some(variable), .. } => {
                Self::NotInitialised(format!("{variable} holds a placeholder and no key"))
            }
            Credentials::Missing { variables, placeholder: None } => {
                Self::NotInitialised(format!("no key: set {}", variables.join(" or ")))
            }
        }
    }

    /// Why it cannot be used, where it cannot.
    pub(super) fn denied(&self) -> Option<Disabled> {
        match self {
            Self::Open => None,
            Self::SwitchedOff => Some(Disabled::SwitchedOff),
            Self::NotInitialised(_) => Some(Disabled::NotInitialised),
        }
    }
}

impl Book {
    /// The slot of a model and a key.
    pub(super) fn slot(&self, model: usize, key: usize) -> Option<&Slot> {
        self.slots.get(self.place(model, key))
    }

    /// The slot of a model and a key, to change it.
    pub(super) fn slot_mut(&mut self, model: usize, key: usize) -> Option<&mut Slot> {
        let place = self.place(model, key);
        self.slots.get_mut(place)
    }

    /// Every slot there is.
    pub(super) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }

    /// The key a request to the model would go with: of those that may be used now, the one whose turn it is.
    ///
    /// # Errors
    /// Where none may, what stands in the way of the one that may soonest.
    pub(super) fn choose_key(&self, model: usize, now: Moment, urgency: Urgency) -> Result<Choice, Denied> {
        let mut overruled = None;
        let mut soonest: Option<Denied> = None;
        for key in self.keys.in_turn() {
            let Some(slot) = self.slot(model, key) else { continue };
            match slot.look(now, urgency) {
                Ok(()) => return Ok(Choice { key, overruled: None }),
                Err(denied) if denied.is_overruled() => {
                    overruled = overruled.or(Some(Choice { key, overruled: Some(denied) }));
                }
                // A probe has no wait of its own and comes before every wait: its result is here soon.
                Err(denied) if soonest.is_none_or(|other| denied.wait() < other.wait()) => soonest = Some(denied),
                Err(_) => {}
            }
        }
        overruled.ok_or(soonest.unwrap_or(Denied::Disabled(Disabled::KeysRejected)))
    }

    /// How long until the limits let a request to the model through; `None` is now. A request in line waits for those before it,
    /// any other one for all who are in line.
    pub(super) fn wait(&mut self, model: usize, tokens: u64, place: Option<Rank>, now: Moment) -> Option<Duration> {
        let ahead = match place {
            _ if self.line.len() == 0 => Ahead::default(),
            None => self.line.all(),
            Some(rank) => {
                let models = &mut self.models;
                let mut is_held_up = |other: usize| {
                    let limits = models.get_mut(other).filter(|_| other != model).map(|book| &mut book.limits);
                    limits.is_some_and(|limits| limits.wait_behind(Ahead::default(), 1, now).is_some())
                };
                self.line.ahead_of(rank, &mut is_held_up)
            }
        };
        let of_model =
            self.models.get_mut(model).and_then(|book| book.limits.wait_behind(Ahead::default(), tokens, now));
        self.limits.wait_behind(ahead, tokens, now).max(of_model)
    }

    /// How long a newcomer would have to wait in line at the least.
    pub(super) fn wait_for_sure(&mut self, model: usize, now: Moment) -> Option<Duration> {
        let of_model = self.models.get_mut(model).and_then(|book| book.limits.wait_for_sure(Ahead::default(), now));
        self.limits.wait_for_sure(Ahead::default(), now).max(of_model)
    }

    /// Lets a request in that has chosen its key.
    pub(super) fn enter(&mut self, model: usize, key: usize, tokens: u64, now: Moment) -> (Turns, Shares) {
        self.keys.taken(key);
        let of_model = self.models.get_mut(model).map(|book| {
            book.in_flight = book.in_flight.saturating_add(1);
            book.limits.take(tokens, now)
        });
        // A key that was chosen has a slot; without one there would be nobody to wait for.
        let turns = self.slot_mut(model, key).map(Slot::enter).unwrap_or_default();
        (turns, Shares { of_provider: self.limits.take(tokens, now), of_model })
    }

    /// A request that was let in has ended.
    pub(super) fn end(&mut self, model: usize, shares: Shares, used: Used, now: Moment) {
        used.end(&mut self.limits, shares.of_provider, now);
        if let Some(book) = self.models.get_mut(model) {
            book.in_flight = book.in_flight.saturating_sub(1);
            shares.of_model.into_iter().for_each(|share| used.end(&mut book.limits, share, now));
        }
    }

    /// Goes on with what was used of the same limits.
    pub(super) fn take_over_limits(&mut self, before: &Self) {
        self.limits = before.limits.taken_over();
    }

    /// Has the limits shared with other instances, of which nothing is known yet.
    pub(super) fn share_limits(&mut self, rules: &Rules) {
        self.limits = Allowance::shared(&rules.limits);
        for (model, limits) in self.models.iter_mut().zip(&rules.limits_of_models) {
            model.limits = Allowance::shared(limits);
        }
    }

    /// What is held of each limit of the provider, and of its models by their places.
    pub(super) fn holdings(&mut self, now: Moment) -> Vec<(Option<usize>, Holding)> {
        let mut holdings = Vec::new();
        for (model, limits) in self.allowances() {
            holdings.extend(limits.holdings(now).into_iter().map(|holding| (model, holding)));
        }
        holdings
    }

    /// Takes what other instances leave of each limit.
    pub(super) fn put(&mut self, lot: impl Fn(Option<usize>, &str) -> Option<Lot>, now: Moment) {
        for (model, limits) in self.allowances() {
            limits.put(|limit| lot(model, limit), now);
        }
    }

    /// No other instance was heard of for so long, of so many.
    pub(super) fn alone(&mut self, of: u32, silent_for: Duration) {
        self.allowances().for_each(|(_, limits)| limits.alone(of, silent_for));
    }

    /// Gives up its parts of limits that are shared: another book goes on with them.
    pub(super) fn give_up_parts(&mut self) {
        self.allowances().for_each(|(_, limits)| limits.give_up());
    }

    fn allowances(&mut self) -> impl Iterator<Item = (Option<usize>, &mut Allowance)> {
        let models = self.models.iter_mut().enumerate().map(|(model, book)| (Some(model), &mut book.limits));
        std::iter::once((None, &mut self.limits)).chain(models)
    }

    /// Rejected keys and unknown models may be tried again.
    pub(super) fn give_another_chance(&mut self) {
        self.keys.forgive();
        self.models.iter_mut().for_each(|model| model.is_unknown = false);
    }

    /// Whether a probe is under way at the model.
    pub(super) fn is_probing(&self, model: usize) -> bool {
        (0..self.places).filter_map(|key| self.slot(model, key)).any(Slot::is_probing)
    }

    fn place(&self, model: usize, key: usize) -> usize {
        let lane = match self.scope {
            BreakerScope::Model => model,
            BreakerScope::Provider => 0,
        };
        lane * self.places + key
    }
}
