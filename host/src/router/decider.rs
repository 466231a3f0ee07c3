//! Who decides on a route, and where it came from.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::config::{SandboxConfig, StrategyRef};
use crate::strategy::{LoadStrategyError, Ruling, Strategy, StrategyHealth, Supervised};
use crate::types::Ask;

use super::seat::Seat;

/// A loaded strategy with the word that named it and the options it was given.
#[derive(Debug)]
pub struct Decider {
    /// Its name, for records.
    pub name: Arc<str>,
    /// The built-in strategy or the file.
    pub source: StrategyRef,
    /// Its own options.
    pub options: Map<String, Value>,
    /// The state of its file when it was read, where it is one.
    pub stamp: Option<Stamp>,
    supervised: Supervised,
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
    /// Loads a strategy for a roster. Reads, compiles and proves: not for a thread that serves requests.
    ///
    /// # Errors
    /// When it cannot be loaded, or refuses its options or its roster.
    pub fn load(
        source: StrategyRef,
        options: Map<String, Value>,
        roster: &[Seat],
        sandbox: &SandboxConfig,
    ) -> Result<Self, LoadStrategyError> {
        // Taken before the file is read: one that is replaced meanwhile is noticed.
        let stamp = match &source {
            StrategyRef::BuiltIn(_) => None,
            StrategyRef::File(file) => Stamp::of(file),
        };
        let targets: Vec<_> = roster.iter().map(|seat| seat.roster.clone()).collect();
        let strategy = Strategy::load(&source, &targets, &options, sandbox)?;
        Ok(Self { name: source.name(), source, options, stamp, supervised: Supervised::new(strategy) })
    }

    /// Loads the same strategy as it is now. Not for a thread that serves requests.
    ///
    /// # Errors
    /// As [`Decider::load`].
    pub fn load_again(&self, roster: &[Seat], sandbox: &SandboxConfig) -> Result<Self, LoadStrategyError> {
        Self::load(self.source.clone(), self.options.clone(), roster, sandbox)
    }

    /// Asks it who is next. Never fails: see [`Supervised::decide`].
    pub fn decide(&self, ask: &Ask) -> Ruling {
        self.supervised.decide(ask)
    }

    /// How it has behaved since it was loaded.
    #[must_use]
    pub fn health(&self) -> StrategyHealth {
        self.supervised.health()
    }

    /// SHA-256 of its component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.supervised.strategy().digest()
    }
}
