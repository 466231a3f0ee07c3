//! What answers requests now, until a changed configuration takes its place between two of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::config::Config;
use crate::guard::Fleet;
use crate::router::Router;
use crate::strategy::Learning;

use super::watch::Watch;

/// The router and all it was made of. Requests under way keep the one they began with.
pub(super) struct Live {
    pub(super) router: Arc<Router>,
    pub(super) config: Arc<Config>,
    /// Other instances, where there are any.
    pub(super) fleet: Option<Arc<dyn Fleet>>,
    pub(super) replies: super::builder::Replies,
    /// What strategies learn: handed on to the next.
    pub(super) learning: Arc<Learning>,
    /// Held for its drop: it ends the looking at strategy files.
    pub(super) _watch: Watch,
}

/// The place where the live one is. Locked to read or swap one pointer.
pub(super) struct Stand {
    live: RwLock<Arc<Live>>,
    /// One change at a time: two at once would both succeed the same router, and one of them be lost.
    changing: Mutex<()>,
}

impl Stand {
    pub(super) fn new(live: Live) -> Self {
        Self { live: RwLock::new(Arc::new(live)), changing: Mutex::new(()) }
    }

    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, live: Live) {
        // What it replaces is dropped outside the lock.
        let live = Arc::new(live);
        let old = std::mem::replace(&mut *self.live.write().unwrap_or_else(PoisonError::into_inner), live);
        drop(old);
    }

    /// Held by whoever changes something. Off the runtime's workers, since changes take their time.
    pub(super) fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
