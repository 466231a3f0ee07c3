//! A route: who may be asked, who decides, and within which bounds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::config::{HoldBack, OnInterrupt, RouteConfig};
use crate::types::{Observation, TargetId};

use super::decider::{Decider, Stamp};
use super::seat::Seat;
use super::shadow::Shadow;

/// One route, ready to use.
pub struct Route {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Who may be asked: the strategy's roster, in declared order.
    pub roster: Vec<Seat>,
    /// Who decides, until another takes its place. Locked to read or swap one pointer.
    decider: RwLock<Arc<Decider>>,
    /// Who was replaced last.
    former: Mutex<Former>,
    /// A strategy that is asked the same and decides nothing.
    shadow: RwLock<Option<Arc<Shadow>>>,
    /// The target that comes first: the one the operator's `primary` names, else the first in declared order.
    pub primary: Option<TargetId>,
    /// Attempts for one request at most.
    pub max_attempts: u32,
    /// How long a request may take.
    pub deadline: Duration,
    /// Whether resting targets may be tried when nothing else is left.
    pub emergency: bool,
    /// How long the target that served last is preferred.
    pub prefer_for: Duration,
    /// Whether a refusal on grounds of content may be taken elsewhere.
    pub content_filter_falls_back: bool,
    /// What becomes of a stream that breaks after part of it reached the caller.
    pub on_interrupt: OnInterrupt,
    /// How much of a stream is held back at first.
    pub hold_back: HoldBack,
    /// The text to answer with when every provider failed.
    pub fallback_text: Option<String>,
    /// Whether the latest request that could have been answered was not.
    is_down: AtomicBool,
}

/// What a strategy that has been replaced leaves behind.
#[derive(Default)]
struct Former {
    /// Itself, to go back to.
    decider: Option<Arc<Decider>>,
    /// The state of a strategy's file that was gone back from: it is not taken up again.
    left: Option<Stamp>,
}

impl Route {
    /// Decisions a strategy may be asked for within one request: enough for every attempt to be preceded by a few waits
    /// and denials, and an end to a strategy that never comes to the point.
    #[must_use]
    pub fn max_decisions(&self) -> u32 {
        self.max_attempts.saturating_mul(4).saturating_add(16)
    }

    /// Who decides now.
    #[must_use]
    pub fn decider(&self) -> Arc<Decider> {
        Arc::clone(&self.decider.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets another decide from now on: requests under way ask it, too, from their next decision on. A newer component of the
    /// strategy that decides takes nobody else's place, so that the strategy before it stays the one to go back to.
    pub fn set_decider(&self, decider: Decider) {
        let decider = Arc::new(decider);
        let mut former = self.former();
        let older = self.swap_decider(Arc::clone(&decider));
        let is_same = |other: &Decider| other.named == decider.named;
        let is_unchanged = older.digest() == decider.digest();
        let stays = is_same(&older) && (is_unchanged || former.decider.as_deref().is_some_and(|kept| !is_same(kept)));
        *former = Former { decider: if stays { former.decider.take() } else { Some(older) }, left: None };
    }

    /// The strategy that was replaced last, by its name.
    pub(crate) fn former_name(&self) -> Option<Arc<str>> {
        self.former().decider.as_ref().map(|decider| Arc::clone(&decider.name))
    }

    /// Lets the strategy decide again that was replaced last, as it was; whether there is one. Done twice, it changes nothing.
    pub fn go_back(&self) -> bool {
        let mut former = self.former();
        let Some(decider) = former.decider.take() else { return false };
        let left = self.swap_decider(decider);
        *former = Former { left: left.stamp, decider: Some(left) };
        true
    }

    /// The state of the strategy's file that was gone back from, and is not to be taken up again.
    #[must_use]
    pub fn left(&self) -> Option<Stamp> {
        self.former().left
    }

    /// The strategy that is asked the same and decides nothing, where there is one.
    #[must_use]
    pub fn shadow(&self) -> Option<Arc<Shadow>> {
        self.shadow.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has another strategy asked the same, or none.
    pub fn set_shadow(&self, shadow: Option<Shadow>) {
        *self.shadow.write().unwrap_or_else(PoisonError::into_inner) = shadow.map(Arc::new);
    }

    /// Whether the strategy that decides, or the one in its shadow, is told what becomes of attempts.
    pub(super) fn observes(&self) -> bool {
        self.decider().observes() || self.shadow().is_some_and(|shadow| shadow.decider().observes())
    }

    /// Has them told what became of an attempt.
    pub(super) fn tell(&self, outcome: Observation) {
        if let Some(shadow) = self.shadow().filter(|shadow| shadow.decider().observes()) {
            shadow.decider().tell(outcome.clone());
        }
        self.decider().tell(outcome);
    }

    fn swap_decider(&self, decider: Arc<Decider>) -> Arc<Decider> {
        std::mem::replace(&mut self.decider.write().unwrap_or_else(PoisonError::into_inner), decider)
    }

    fn former(&self) -> MutexGuard<'_, Former> {
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every target has failed a request: whether that is news.
    pub(super) fn went_down(&self) -> bool {
        !self.is_down.swap(true, Ordering::Relaxed)
    }

    /// A request was answered: whether that is news.
    pub(super) fn came_back(&self) -> bool {
        // Read before it is written: this is on every request's way.
        self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::Relaxed)
    }

    /// Joins a route's configuration with its roster and its loaded strategy.
    #[must_use]
    pub fn new(name: &str, config: &RouteConfig, roster: Vec<Seat>, decider: Decider) -> Self {
        let enough_for_all = u32::try_from(roster.len()).unwrap_or(u32::MAX).saturating_add(1).max(4);
        Self {
            name: name.into(),
            decider: RwLock::new(Arc::new(decider)),
            former: Mutex::default(),
            shadow: RwLock::default(),
            primary: primary(&roster, config.options.get("primary").and_then(serde_json::Value::as_str)),
            max_attempts: config.max_attempts.unwrap_or(enough_for_all),
            deadline: config.deadline,
            emergency: config.emergency,
            prefer_for: config.prefer_for,
            content_filter_falls_back: config.content_filter_falls_back,
            on_interrupt: config.on_interrupt,
            hold_back: config.hold_back,
            fallback_text: config.fallback_text.clone(),
            is_down: AtomicBool::new(false),
            roster,
        }
    }
}

/// The seat that the operator's `primary`, a provider or `provider/model`, names first; else the first there is.
fn primary(roster: &[Seat], named: Option<&str>) -> Option<TargetId> {
    let is_named =
        |seat: &&Seat| named.is_some_and(|name| *seat.name.provider == *name || seat.name.to_string() == name);
    roster.iter().find(is_named).or(roster.first()).map(|seat| seat.target)
}
