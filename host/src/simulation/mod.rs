//! Strategies tried on a virtual clock: the real loop, guard and components, providers that behave as a scenario says.
//!
//! The way of a request: `arrivals` says when it comes and `question` what it asks, `stage` lets it travel through a
//! real [`Backstop`](crate::Backstop) to `transport`, where a `provider` decides what becomes of each call, and `tally`
//! enters its record. Nothing waits for anything: when no request can go on, `clock` leaps to the next moment at which
//! one can.

mod library;
mod arrivals;
mod question;
mod stage;
mod tasks;
mod clock;
mod transport;
mod provider;
mod reply;
mod tally;
mod outcome;
mod spread;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use thiserror::Error;

use crate::client::BuildError;
use crate::config::scenario::{Contender, Scenario};

pub use library::{LibraryScenario, SCENARIOS};
pub use outcome::{Outcome, Recovery, Slice};
pub use spread::Spread;

/// Why a strategy was not simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// It could not be loaded, or does not take its options.
    #[error("strategy {name}: {source}")]
    Build {
        /// The name it is shown by.
        name: String,
        /// Why not.
        source: Box<BuildError>,
    },
    /// The system has no thread, or no runtime, to give.
    #[error("the system has no thread to give: {0}")]
    NoThread(#[from] std::io::Error),
    /// The thread of a strategy ended before its simulation.
    #[error("the simulation was interrupted")]
    Interrupted,
}

/// Simulates a scenario with each of some strategies, on so many threads. All meet the same requests at the same
/// moments, and the same seed brings the same outcomes to the bit, on however many threads.
///
/// # Errors
/// When a strategy cannot be loaded: the first one's error in the order given.
pub fn simulate(
    scenario: &Scenario,
    contenders: &[Contender],
    seed: u64,
    threads: NonZeroUsize,
) -> Result<Vec<Outcome>, SimulateError> {
    let next = AtomicUsize::new(0);
    let outcomes: Vec<_> = contenders.iter().map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        let work = || {
            while let Some((contender, place)) = take(&next, contenders, &outcomes) {
                let outcome = stage::run(scenario, contender, seed);
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            }
        };
        for _ in 0..threads.get().min(contenders.len()) {
            thread::Builder::new().name("backstop-simulate".to_owned()).spawn_scoped(scope, work)?;
        }
        Ok::<(), std::io::Error>(())
    })?;
    let taken = outcomes.into_iter().map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner));
    taken.map(|outcome| outcome.unwrap_or(Err(SimulateError::Interrupted))).collect()
}

/// The next strategy that nobody has taken, and where its outcome belongs.
fn take<'a, T>(next: &AtomicUsize, contenders: &'a [Contender], outcomes: &'a [T]) -> Option<(&'a Contender, &'a T)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    contenders.get(place).zip(outcomes.get(place))
}
