//! The limits of keys where several gateways share them: each has a part of those that are used at present.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::guard::{Allowance, Commons, Holding, Lot, News, Sharer};

/// Keys told of in one word: with more in use than that, each waits for its turn.
const AT_ONCE: usize = 256;

/// What keys may ask of this gateway, while they do.
#[derive(Debug)]
pub(super) struct Divided {
    commons: Arc<Commons>,
    busy: Mutex<VecDeque<Busy>>,
}

/// A key in use. One that is not has no part of its limits: there may be a million of them.
#[derive(Debug)]
struct Busy {
    id: Arc<str>,
    allowance: Arc<Mutex<Allowance>>,
}

impl Divided {
    pub(super) fn new(commons: Arc<Commons>) -> Self {
        Self { commons, busy: Mutex::default() }
    }

    /// A key's limits did not let a request through: the other gateways are asked for what they do not use of them.
    pub(super) fn ask(&self, id: &str, allowance: &Arc<Mutex<Allowance>>) {
        let mut busy = self.busy();
        if !busy.iter().any(|key| Arc::ptr_eq(&key.allowance, allowance)) {
            // What an earlier grant of the same key allowed is of no use any more.
            busy.retain(|key| *key.id != *id);
            busy.push_front(Busy { id: id.into(), allowance: Arc::clone(allowance) });
        }
        drop(busy);
        self.commons.ring();
    }

    fn busy(&self) -> MutexGuard<'_, VecDeque<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Busy {
    fn allowance(&self) -> MutexGuard<'_, Allowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, limit: &str) -> String {
        format!("key:{}:{limit}", self.id)
    }
}

impl Sharer for Divided {
    fn holdings(&self, now: Moment) -> Vec<Holding> {
        let mut busy = self.busy();
        let mut told = Vec::new();
        for _ in 0..busy.len().min(AT_ONCE) {
            let Some(key) = busy.pop_front() else { break };
            let mut allowance = key.allowance();
            let mut holdings = allowance.holdings(now);
            let is_idle = holdings.iter().all(|holding| holding.used == 0 && holding.wanted == 0);
            if is_idle {
                allowance.give_up();
            }
            drop(allowance);
            for holding in &mut holdings {
                holding.name = key.name(&holding.name);
                holding.is_idle = is_idle;
            }
            told.extend(holdings);
            if !is_idle {
                busy.push_back(key);
            }
        }
        told
    }

    fn put(&self, lots: &HashMap<String, Lot>, now: Moment) {
        for key in &*self.busy() {
            key.allowance().put(|limit| lots.get(&key.name(limit)).copied(), now);
        }
    }

    fn alone(&self, of: u32, silent_for: Duration) {
        self.busy().iter().for_each(|key| key.allowance().alone(of, silent_for));
    }

    /// What is learnt of providers is the guard's.
    fn hear(&self, _news: &News, _now: Moment, _wall: Timestamp) {}
}
