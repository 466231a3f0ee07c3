//! What a guard has in common with those of other instances: its limits, of which each has a part, and what each has learnt.
//!
//! The guard decides by what it has at hand. Whoever carries its words to the others and back, and waits for a network meanwhile,
//! asks it for its [`Holding`]s and puts [`Lot`]s and [`News`] into its hands.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::news::News;
use super::part::{Holding, Lot};
use super::provider::Provider;
use super::reach::{Reach, SharedStoreStatus, Turn};
use super::{Guard, locked};
use crate::accounting::{About, Alarm};
use crate::clock::{Clock, Moment};
use crate::types::AlertKind;

/// News that nobody could be told yet: more are not kept, and the oldest go first.
const MOST_NEWS: usize = 1_000;

/// The way from a guard to whoever tells the others.
pub struct Commons {
    bell: SyncSender<()>,
    untold: Mutex<VecDeque<News>>,
    reach: Mutex<Reach>,
    alarm: OnceLock<Arc<Alarm>>,
}

impl Commons {
    /// A way to the others. The bell is rung when they should be asked soon; its channel holds one ring at least.
    #[must_use]
    pub fn new(bell: SyncSender<()>) -> Self {
        Self { bell, untold: Mutex::default(), reach: Mutex::default(), alarm: OnceLock::new() }
    }

    /// Has the others asked soon.
    pub fn ring(&self) {
        // Full is rung already; closed is nobody to ask any more.
        let _ = self.bell.try_send(());
    }

    /// What the others have not been told yet.
    #[must_use]
    pub fn untold(&self) -> Vec<News> {
        locked(&self.untold).drain(..).collect()
    }

    /// They could not be told.
    pub fn keep(&self, news: Vec<News>) {
        let mut untold = locked(&self.untold);
        news.into_iter().rev().for_each(|news| untold.push_front(news));
        let too_many = untold.len().saturating_sub(MOST_NEWS);
        untold.drain(..too_many);
    }

    /// Takes note that the store they are reached by has answered, or why not. Whoever looks after it is told when that changes.
    pub fn note(&self, fault: Option<Arc<str>>, now: Moment) {
        let turn = locked(&self.reach).take_in(fault.clone(), now);
        let (kind, message) = match (turn, fault) {
            (Some(Turn::Lost), Some(why)) => (AlertKind::SharedStoreLost, format!("this instance is alone: {why}")),
            (Some(Turn::Back), _) => (AlertKind::SharedStoreBack, "the shared store answers again".to_owned()),
            (Some(Turn::Lost) | None, _) => return,
        };
        if let Some(alarm) = self.alarm.get() {
            alarm.raise(kind, About::Everything, message);
        }
    }

    /// How the store is doing.
    #[must_use]
    pub fn shared_store(&self) -> SharedStoreStatus {
        locked(&self.reach).status()
    }

    /// Has somebody told when the store goes away, and when it is back: whoever is named first.
    fn report_to(&self, alarm: Arc<Alarm>) {
        let _ = self.alarm.set(alarm);
    }

    pub(super) fn tell(&self, news: News) {
        let mut untold = locked(&self.untold);
        if untold.len() == MOST_NEWS {
            untold.pop_front();
        }
        untold.push_back(news);
        drop(untold);
        self.ring();
    }
}

/// The instances that share limits, this one among them.
pub trait Fleet: Send + Sync {
    /// The way to them.
    fn commons(&self) -> Arc<Commons>;

    /// Has somebody's limits shared, and what others learn told to them; in the place of whoever had these before. The clock is
    /// theirs. Blocks until the others were heard of, for half a second at most, where that is the first.
    fn share(&self, sharer: Arc<dyn Sharer>, instead_of: Option<&Arc<dyn Sharer>>, clock: &Arc<dyn Clock>);
}

/// Whoever has limits that instances share. None of its methods waits for anything.
pub trait Sharer: Send + Sync {
    /// What it holds of each limit.
    fn holdings(&self, now: Moment) -> Vec<Holding>;

    /// Takes what the others leave of each limit, by the names of its holdings.
    fn put(&self, lots: &HashMap<String, Lot>, now: Moment);

    /// Nobody was heard of for so long, of so many that share the limits.
    fn alone(&self, of: u32, silent_for: Duration);

    /// Takes in what another has learnt.
    fn hear(&self, news: &News, now: Moment, wall: Timestamp);
}

impl Guard {
    /// Has the limits shared with other instances, and tells them what it learns. Of what is limited nothing can be used until
    /// they have been heard of.
    #[must_use]
    pub fn with_commons(mut self, commons: Arc<Commons>) -> Self {
        for provider in &self.providers {
            provider.book().share_limits(&provider.rules);
        }
        if let Some(alarm) = &self.alarm {
            commons.report_to(Arc::clone(alarm));
        }
        self.commons = Some(commons);
        self
    }
}

impl Sharer for Guard {
    fn holdings(&self, now: Moment) -> Vec<Holding> {
        let mut all = Vec::new();
        for provider in &self.providers {
            let mut book = provider.book();
            let holdings = book.holdings(now);
            drop(book);
            for (model, mut holding) in holdings {
                holding.name = provider.limit_name(model, &holding.name);
                all.push(holding);
            }
        }
        all
    }

    fn put(&self, lots: &HashMap<String, Lot>, now: Moment) {
        for provider in &self.providers {
            let mut book = provider.book();
            book.put(|model, limit| lots.get(&provider.limit_name(model, limit)).copied(), now);
            book.line.call_first();
        }
    }

    fn alone(&self, of: u32, silent_for: Duration) {
        for provider in &self.providers {
            let mut book = provider.book();
            book.alone(of, silent_for);
            book.line.call_first();
        }
    }

    fn hear(&self, news: &News, now: Moment, wall: Timestamp) {
        self.take_in(news, now, wall);
    }
}

impl Provider {
    /// What a limit of it, or of one of its models, is called among instances.
    fn limit_name(&self, model: Option<usize>, limit: &str) -> String {
        match model.and_then(|model| self.models.get(model)) {
            Some(model) => format!("provider:{}/{model}:{limit}", self.name),
            None => format!("provider:{}:{limit}", self.name),
        }
    }
}

impl fmt::Debug for Commons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commons").finish_non_exhaustive()
    }
}
