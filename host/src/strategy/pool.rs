//! Warm instances of one strategy, last in first out.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::instance::Instance;

/// Instances that wait for the next question. The lock is held to push or pop, never during a call.
pub(super) struct Pool {
    idle: Mutex<Vec<Instance>>,
    most: usize,
}

impl Pool {
    /// An empty pool that keeps one idle instance for each processor: no more can be at work at once, calls being synchronous.
    pub(super) fn new() -> Self {
        let most = thread::available_parallelism().map_or(4, NonZeroUsize::get);
        Self { idle: Mutex::new(Vec::with_capacity(most)), most }
    }

    /// The instance used last, if one is idle.
    pub(super) fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    /// Gives an instance back. One that is worn, or one too many, is dropped instead.
    pub(super) fn give_back(&self, instance: Instance) {
        if instance.is_worn() {
            return;
        }
        let surplus = {
            let mut idle = self.lock();
            if idle.len() < self.most {
                idle.push(instance);
                None
            } else {
                Some(instance)
            }
        };
        // Unmapping its memory takes a while: after the lock is released.
        drop(surplus);
    }

    /// Drops all that are idle.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.lock());
        drop(idle);
    }

    /// How many are idle.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
