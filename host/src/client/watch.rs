//! Strategy files that are replaced while requests run: the new one is proven first, then takes over between two decisions.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_blocking};

use crate::clock::Clock;
use crate::config::SandboxConfig;
use crate::router::{Route, Stamp, Surroundings};
use crate::strategy::Learning;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// A route, whose strategy may be a file.
pub(super) struct Watched {
    route: Arc<Route>,
    /// A state of the file that did not load, and is not tried again.
    refused: Option<Stamp>,
}

/// Looks at strategy files until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    task: AbortHandle,
}

impl Watched {
    pub(super) fn of(route: &Arc<Route>) -> Self {
        Self { route: Arc::clone(route), refused: None }
    }

    fn is_file(&self) -> bool {
        self.route.decider().file().is_some()
    }

    /// Loads the file anew where it has changed. One that does not load leaves the old strategy where it is.
    fn look(&mut self, sandbox: &SandboxConfig, learning: &Learning) {
        let decider = self.route.decider();
        let Some(file) = decider.file() else { return };
        let now = Stamp::of(file);
        if now.is_none() || [decider.stamp, self.refused, self.route.left()].contains(&now) {
            return;
        }
        let file = file.display();
        let (route, roster) = (&*self.route.name, &*self.route.roster);
        match decider.load_again(&Surroundings { route, roster, sandbox, learning }) {
            Ok(decider) => {
                tracing::info!(route = %self.route.name, %file, digest = decider.digest(), "strategy replaced");
                self.route.set_decider(decider);
            }
            Err(error) => {
                self.refused = now;
                tracing::warn!(route = %self.route.name, %file, "the changed strategy is not used: {error}");
            }
        }
    }
}

impl Watch {
    /// Looks at the files every half second. Files are read and compiled off the runtime's workers.
    pub(super) fn start(
        mut watched: Vec<Watched>,
        sandbox: SandboxConfig,
        learning: Arc<Learning>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let task = tokio::spawn(async move {
            loop {
                clock.sleep_until(clock.now() + EVERY).await;
                if !watched.iter().any(Watched::is_file) {
                    continue;
                }
                let (sandbox, learning) = (sandbox.clone(), Arc::clone(&learning));
                let looked = spawn_blocking(move || {
                    watched.iter_mut().for_each(|one| one.look(&sandbox, &learning));
                    watched
                });
                let Ok(back) = looked.await else { return };
                watched = back;
            }
        });
        Self { task: task.abort_handle() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
