//! The outcomes a strategy is still to be told: a bounded queue, and a thread that tells them one at a time.
//!
//! Off the requests' way, so that no request waits for what a strategy makes of another; one at a time, so that a strategy that
//! reads, adds and writes loses nothing; on a thread of its own, since a guest's call may take a second at the worst, for which no
//! worker of the runtime should stand still. Strategies that are told nothing have neither queue nor thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::types::Observation;

use super::Supervised;

/// Outcomes that may wait: a few seconds' worth of a busy gateway.
const WAITING: usize = 4_096;

/// How long is waited for a strategy to have been told everything, when a process ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one strategy is still to be told. Dropped, it lets the thread end with what is in the queue.
pub struct Outcomes {
    queue: SyncSender<Note>,
    left_out: AtomicU64,
}

enum Note {
    Outcome(Box<Observation>),
    /// Somebody waits until all that came before has been told.
    Settle(SyncSender<()>),
}

impl Outcomes {
    /// Starts to tell a strategy outcomes; `None` where it does not want them, or the system has no thread left.
    pub fn of(strategy: &Arc<Supervised>) -> Option<Arc<Self>> {
        if !strategy.strategy().observes() {
            return None;
        }
        let (queue, notes) = sync_channel(WAITING);
        let told = Arc::clone(strategy);
        let thread = thread::Builder::new().name("strategy-outcomes".to_owned()).spawn(move || tell_all(&told, &notes));
        match thread {
            Ok(_) => Some(Arc::new(Self { queue, left_out: AtomicU64::new(0) })),
            Err(error) => {
                tracing::error!(strategy = strategy.strategy().name(), %error, "the strategy is told no outcomes");
                None
            }
        }
    }

    /// Has the strategy told of an outcome. Returns at once; what does not fit is left out and counted.
    pub fn tell(&self, outcome: Observation) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Note::Outcome(Box::new(outcome))) {
            let left_out = self.left_out.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            // Told at once and then ever more rarely: whoever is overrun is not helped by a line for each.
            if left_out.is_power_of_two() {
                tracing::warn!(left_out, "a strategy is too slow to be told every outcome");
            }
        }
    }

    /// Waits until all that was told so far has reached the strategy, for a while at most.
    pub(super) fn settle(&self) {
        let (done, is_done) = sync_channel(1);
        if self.queue.send(Note::Settle(done)).is_ok() {
            let _ = is_done.recv_timeout(PATIENCE);
        }
    }
}

fn tell_all(strategy: &Supervised, notes: &Receiver<Note>) {
    while let Ok(note) = notes.recv() {
        match note {
            Note::Outcome(outcome) => strategy.observe(&outcome),
            Note::Settle(done) => drop(done.try_send(())),
        }
    }
}
