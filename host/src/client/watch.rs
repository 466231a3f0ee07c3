//! Strategy files that are replaced while requests run: the new one is proven first, then takes over between two decisions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::{AbortHandle, spawn_blocking};

use crate::clock::Clock;
use crate::config::{SandboxConfig, StrategyRef};
use crate::router::Route;
use crate::strategy::{LoadStrategyError, Strategy, Supervised};
use crate::types::RosterTarget;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// One strategy file, and the route that goes by it.
pub(super) struct Watched {
    route: Arc<Route>,
    file: PathBuf,
    options: serde_json::Map<String, serde_json::Value>,
    seen: Option<Stamp>,
}

/// Looks at strategy files until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    task: AbortHandle,
}

/// What tells one state of a file from another without reading it.
type Stamp = (SystemTime, u64);

impl Watched {
    /// A route's strategy file as it is now; `None` for a strategy that is built in.
    pub(super) fn of(
        route: &Arc<Route>,
        strategy: &StrategyRef,
        options: &serde_json::Map<String, serde_json::Value>,
    ) -> Option<Self> {
        let StrategyRef::File(file) = strategy else { return None };
        Some(Self { route: Arc::clone(route), file: file.clone(), options: options.clone(), seen: stamp(file) })
    }

    /// Loads the file anew where it has changed. One that does not load leaves the old strategy where it is.
    fn look(&mut self, sandbox: &SandboxConfig) {
        let now = stamp(&self.file);
        if now.is_none() || now == self.seen {
            return;
        }
        self.seen = now;
        let file = self.file.display();
        match self.load(sandbox) {
            Ok(strategy) => {
                tracing::info!(route = %self.route.name, %file, digest = strategy.digest(), "strategy replaced");
                self.route.set_strategy(Arc::new(Supervised::new(strategy)));
            }
            Err(error) => {
                tracing::warn!(route = %self.route.name, %file, "the changed strategy is not used: {error}");
            }
        }
    }

    fn load(&self, sandbox: &SandboxConfig) -> Result<Strategy, LoadStrategyError> {
        let roster: Vec<RosterTarget> = self.route.roster.iter().map(|seat| seat.roster.clone()).collect();
        Strategy::load(&StrategyRef::File(self.file.clone()), &roster, &self.options, sandbox)
    }
}

impl Watch {
    /// Looks at the files every half second; `None` where there are none. Files are read and compiled off the runtime's workers.
    pub(super) fn start(mut watched: Vec<Watched>, sandbox: SandboxConfig, clock: Arc<dyn Clock>) -> Option<Self> {
        if watched.is_empty() {
            return None;
        }
        let task = tokio::spawn(async move {
            loop {
                clock.sleep_until(clock.now() + EVERY).await;
                let sandbox = sandbox.clone();
                let looked = spawn_blocking(move || {
                    watched.iter_mut().for_each(|one| one.look(&sandbox));
                    watched
                });
                let Ok(back) = looked.await else { return };
                watched = back;
            }
        });
        Some(Self { task: task.abort_handle() })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = file.metadata().ok()?;
    Some((about.modified().ok()?, about.len()))
}
