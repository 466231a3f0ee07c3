//! Where a strategy is told outcomes: by way of a bounded queue and a thread that tells them one at a time.
//!
//! Off the requests' way, so that no request waits for what a strategy makes of another; one at a time, so that a strategy that
//! reads, adds and writes loses nothing; on a thread of its own, since a guest's call may take a second at the worst, for which no
//! worker of the runtime should stand still. Strategies that are told nothing have neither queue nor thread.
//! A simulation, which has no thread but its own and must go the same way each time, tells them at once.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::types::Observation;

use super::Supervised;

/// Outcomes that may wait: a few seconds' worth of a busy gateway.
const WAITING: usize = 4_096;

/// How long is waited for a strategy to have been told everything, when a process ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a strategy is told outcomes.
pub struct Outcomes(Way);

enum Way {
    /// By whoever has one to tell, before anything else happens.
    AtOnce(Arc<Supervised>),
    /// By a thread, which ends with what is in the queue when this is dropped.
    Behind { queue: SyncSender<Note>, left_out: AtomicU64 },
}

/// The end of a thread that tells outcomes, which comes when nobody can add any and all of them are told.
pub(super) struct End(Mutex<Receiver<Infallible>>);

enum Note {
    Outcome(Box<Observation>),
    /// Somebody waits until all that came before has been told.
    Settle(SyncSender<()>),
}

impl Outcomes {
    /// Tells a strategy each outcome at once.
    pub(super) fn at_once(strategy: &Arc<Supervised>) -> Arc<Self> {
        Arc::new(Self(Way::AtOnce(Arc::clone(strategy))))
    }

    /// Starts a thread that tells a strategy outcomes; `None` where the system has none left.
    pub(super) fn behind(strategy: &Arc<Supervised>) -> Option<(Arc<Self>, End)> {
        let (queue, notes) = sync_channel(WAITING);
        let (running, end) = channel();
        let told = Arc::clone(strategy);
        let tell = move || tell_all(&told, &notes, running);
        match thread::Builder::new().name("strategy-outcomes".to_owned()).spawn(tell) {
            Ok(_) => Some((Arc::new(Self(Way::Behind { queue, left_out: AtomicU64::new(0) })), End(Mutex::new(end)))),
            Err(error) => {
                tracing::error!(strategy = strategy.strategy().name(), %error, "the strategy is told no outcomes");
                None
            }
        }
    }

    /// Has the strategy told of an outcome. Of what is told behind, what does not fit is left out and counted.
    pub fn tell(&self, outcome: Observation) {
        let (queue, left_out) = match &self.0 {
            Way::AtOnce(strategy) => return strategy.observe(&outcome),
            Way::Behind { queue, left_out } => (queue, left_out),
        };
        if let Err(TrySendError::Full(_)) = queue.try_send(Note::Outcome(Box::new(outcome))) {
            let left_out = left_out.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            // Told at once and then ever more rarely: whoever is overrun is not helped by a line for each.
            if left_out.is_power_of_two() {
                tracing::warn!(left_out, "a strategy is too slow to be told every outcome");
            }
        }
    }

    /// Waits until all that was told so far has reached the strategy, for a while at most.
    pub(super) fn settle(&self) {
        let Way::Behind { queue, .. } = &self.0 else { return };
        let (done, is_done) = sync_channel(1);
        if queue.send(Note::Settle(done)).is_ok() {
            let _ = is_done.recv_timeout(PATIENCE);
        }
    }
}

impl End {
    /// Whether it has come.
    pub(super) fn has_come(&self) -> bool {
        self.receiver().try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits for it, for a while at most.
    pub(super) fn wait(&self) {
        let _ = self.receiver().recv_timeout(PATIENCE);
    }

    fn receiver(&self) -> std::sync::MutexGuard<'_, Receiver<Infallible>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells what comes until nothing more can. `_running` is dropped then.
fn tell_all(strategy: &Supervised, notes: &Receiver<Note>, _running: Sender<Infallible>) {
    while let Ok(note) = notes.recv() {
        match note {
            Note::Outcome(outcome) => strategy.observe(&outcome),
            Note::Settle(done) => drop(done.try_send(())),
        }
    }
}
