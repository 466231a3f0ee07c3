//! What strategies learn: the notebooks they keep, and the outcomes they are still to be told. Outlives configurations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::accounting::{Archive, Exchange, NotebookName};

use super::notebook::Notebook;
use super::outcomes::{End, Outcomes};
use super::supervised::Supervised;

/// What the strategies of one host learn.
#[derive(Default)]
pub struct Learning {
    archive: Option<Arc<dyn Archive>>,
    exchange: Option<Arc<dyn Exchange>>,
    /// Whether outcomes are told by whoever has them.
    is_told_at_once: bool,
    notebooks: Mutex<HashMap<NotebookName, Arc<Notebook>>>,
    listening: Mutex<Vec<Listener>>,
}

/// A strategy that is told outcomes, until nobody can add any and all of them are told.
struct Listener {
    outcomes: Weak<Outcomes>,
    end: Arc<End>,
}

impl Learning {
    /// Nothing is learnt yet, and what will be is gone with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// What was learnt is found in an archive, and goes there.
    #[must_use]
    pub fn kept_in(archive: Arc<dyn Archive>) -> Self {
        Self { archive: Some(archive), ..Self::default() }
    }

    /// What is learnt is shared with other instances, too.
    #[must_use]
    pub fn shared_by(self, exchange: Arc<dyn Exchange>) -> Self {
        Self { exchange: Some(exchange), ..self }
    }

    /// Strategies are told of outcomes by whoever has them, before anything else happens. For simulations on one thread, which then
    /// go the same way each time.
    #[must_use]
    pub fn told_at_once(self) -> Self {
        Self { is_told_at_once: true, ..self }
    }

    /// Waits until strategies have been told of all that has ended so far. Blocks: not for a thread that serves requests. A process
    /// calls it before it closes its archive, tests before they look.
    pub fn settle(&self) {
        let all: Vec<_> =
            lock(&self.listening).iter().map(|one| (one.outcomes.upgrade(), Arc::clone(&one.end))).collect();
        for (outcomes, end) in all {
            match outcomes {
                Some(outcomes) => outcomes.settle(),
                // It decides no more, and is told the rest.
                None => end.wait(),
            }
        }
    }

    /// The notebook of a strategy on a route; the same for all who ask. Blocks where it is opened.
    pub(super) fn notebook(&self, route: &str, strategy: &Arc<str>) -> Arc<Notebook> {
        let name = NotebookName { route: route.into(), strategy: Arc::clone(strategy) };
        let open = || Notebook::open(name.clone(), self.archive.clone(), self.exchange.as_deref());
        Arc::clone(lock(&self.notebooks).entry(name.clone()).or_insert_with(open))
    }

    /// Where a strategy is told outcomes; `None` where it does not want them, or the system has no thread left.
    pub(crate) fn outcomes(&self, strategy: &Arc<Supervised>) -> Option<Arc<Outcomes>> {
        if !strategy.strategy().observes() {
            return None;
        }
        if self.is_told_at_once {
            return Some(Outcomes::at_once(strategy));
        }
        let (outcomes, end) = Outcomes::behind(strategy)?;
        let mut listening = lock(&self.listening);
        listening.retain(|Listener { end, .. }| !end.has_come());
        listening.push(Listener { outcomes: Arc::downgrade(&outcomes), end: Arc::new(end) });
        Some(outcomes)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
