//! Who decides on a route, and where it came from.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use crate::accounting::recording::Panel;
use crate::config::{SandboxConfig, StrategyRef};
use crate::strategy::{Learning, LoadStrategyError, Named, Outcomes, Ruling, Strategy, StrategyHealth, Supervised};
use crate::types::{Ask, ChatRequest, Observation};

use super::seat::Seat;

/// A loaded strategy with the word that named it and the options it was given.
pub struct Decider {
    /// Its name, for records.
    pub name: Arc<str>,
    /// What it was loaded by, and is loaded again by.
    pub named: Named,
    /// The state of its file when it was read, where it is one.
    pub stamp: Option<Stamp>,
    supervised: Arc<Supervised>,
    /// What it is still to be told of attempts, where it wants to be told.
    outcomes: Option<Arc<Outcomes>>,
    /// What recordings tell of it.
    panel: OnceLock<Arc<Panel>>,
}

/// What a strategy is loaded for and with.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Whose state it keeps.
    pub route: &'a str,
    /// Among whom it decides.
    pub roster: &'a [Seat],
    /// How guests run.
    pub sandbox: &'a SandboxConfig,
    /// What strategies have learnt.
    pub learning: &'a Learning,
}

/// What tells one state of a file from another without reading it: when it was written, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(SystemTime, u64);

impl Stamp {
    /// The file's state now; `None` where there is no such file.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        let about = file.metadata().ok()?;
        Some(Self(about.modified().ok()?, about.len()))
    }
}

impl Decider {
    /// Loads a strategy for a route's roster. Reads, compiles and proves: not for a thread that serves requests.
    ///
    /// # Errors
    /// When it cannot be loaded, is another one than it is pinned to, or refuses its options or its roster.
    pub fn load(named: Named, surroundings: &Surroundings<'_>) -> Result<Self, LoadStrategyError> {
        let Surroundings { route, roster, sandbox, learning } = *surroundings;
        // Taken before the file is read: one that is replaced meanwhile is noticed.
        let stamp = match &named.source {
            StrategyRef::BuiltIn(_) | StrategyRef::Registry(_) => None,
            StrategyRef::File(file) => Stamp::of(file),
        };
        let targets: Vec<_> = roster.iter().map(|seat| seat.roster.clone()).collect();
        let strategy = Strategy::load_for(route, &named, &targets, sandbox, learning)?;
        let supervised = Arc::new(Supervised::new(strategy));
        let outcomes = learning.outcomes(&supervised);
        Ok(Self { name: named.source.name(), named, stamp, supervised, outcomes, panel: OnceLock::new() })
    }

    /// Loads the same strategy as it is now. Not for a thread that serves requests.
    ///
    /// # Errors
    /// As [`Decider::load`].
    pub fn load_again(&self, surroundings: &Surroundings<'_>) -> Result<Self, LoadStrategyError> {
        Self::load(self.named.clone(), surroundings)
    }

    /// Asks it who is next about a request. Never fails: see [`Supervised::decide`].
    pub fn decide(&self, ask: &Ask, request: Option<&Arc<ChatRequest>>) -> Ruling {
        self.supervised.decide(ask, request)
    }

    /// Whether it is told what becomes of attempts.
    #[must_use]
    pub fn observes(&self) -> bool {
        self.outcomes.is_some()
    }

    /// Has it told what became of an attempt; returns at once.
    pub fn tell(&self, outcome: Observation) {
        if let Some(outcomes) = &self.outcomes {
            outcomes.tell(outcome);
        }
    }

    /// How it has behaved since it was loaded.
    #[must_use]
    pub fn health(&self) -> StrategyHealth {
        self.supervised.health()
    }

    /// Its file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.named.source {
            StrategyRef::BuiltIn(_) | StrategyRef::Registry(_) => None,
            StrategyRef::File(file) => Some(file),
        }
    }

    /// What recordings tell of it on a route: who decides, among whom.
    pub(super) fn panel(&self, route: &Arc<str>, roster: &[Seat]) -> &Arc<Panel> {
        self.panel.get_or_init(|| {
            Arc::new(Panel {
                route: Arc::clone(route),
                strategy: Arc::clone(&self.name),
                digest: self.digest().to_owned(),
                options: self.named.options.clone(),
                roster: roster.iter().map(|seat| seat.roster.clone()).collect(),
            })
        })
    }

    /// SHA-256 of its component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.supervised.strategy().digest()
    }
}
