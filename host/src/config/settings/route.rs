//! A route: who may be asked, who decides, and within which bounds.

use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use super::budget::SpendLimits;
use super::oci_reference::OciReference;

/// One route.
#[derive(Debug, Clone)]
pub struct RouteConfig {
    /// Who may be asked, in declared order; never empty in a checked configuration.
    pub targets: Vec<TargetRef>,
    /// Who decides.
    pub strategy: StrategyRef,
    /// The strategy's own table.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// SHA-256 of the only component that is let decide, in hexadecimal; `None` is any.
    pub digest: Option<String>,
    /// A strategy that is asked the same, and decides nothing.
    pub shadow: Option<StrategyRef>,
    /// Its own table.
    pub shadow_options: serde_json::Map<String, serde_json::Value>,
    /// Attempts for one request at most; `None` is one for every target and one more, and no less than 4.
    pub max_attempts: Option<u32>,
    /// How long a request may take in all. 120 s.
    pub deadline: Duration,
    /// What becomes of a stream that breaks after part of it reached the caller.
    pub on_interrupt: OnInterrupt,
    /// How much of a stream is held back at first, so that a break within it is nobody's loss.
    pub hold_back: HoldBack,
    /// Whether targets that are left alone may be tried when nothing else is left.
    pub emergency: bool,
    /// How long the target that served last is shown to the strategy as preferred; zero is never.
    pub prefer_for: Duration,
    /// Whether a refusal on grounds of content may be taken to the next target.
    pub content_filter_falls_back: bool,
    /// The text to answer with, marked as degraded, when every provider failed.
    pub fallback_text: Option<String>,
    /// What its requests may spend, within what everybody may.
    pub budget: SpendLimits,
}

/// A target as a route names it: `provider` (all its models) or `provider/model`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetRef {
    /// A provider of the configuration.
    pub provider: String,
    /// One of its models.
    pub model: Option<String>,
}

/// Which strategy decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StrategyRef {
    /// One of those built in, by its own name: `smart`, `cost`, `quality`, `round-robin`, `fail-fast`, `by-task`,
    /// `bandit`, `hedge`, `quota-aware`.
    BuiltIn(&'static str),
    /// A component or core module on disk.
    File(PathBuf),
    /// A component in a registry.
    Registry(Arc<OciReference>),
}

/// How much of a stream is held back at first: until so many tokens are here, or so long after the first, whichever comes
/// first. Nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HoldBack {
    /// Tokens, counted as events that carry any.
    pub tokens: u32,
    /// Since the first token; `None` is as long as the tokens take.
    pub time: Option<Duration>,
}

/// What becomes of a stream that breaks after part of it reached the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// Another target goes on where it broke, where one can; else `Restart`.
    Continue,
    /// Ask afresh and suppress what was already sent; else `Fail`.
    Restart,
    /// An error with the original cause.
    Fail,
}

impl StrategyRef {
    /// Whether both are the same. Of a file it is the file that counts, by whatever path it is named.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other || place(one) == place(other),
            _ => self == other,
        }
    }

    /// The name for logs and records.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::BuiltIn(name) => (*name).into(),
            Self::File(path) => path.display().to_string().into(),
            Self::Registry(reference) => reference.to_string().into(),
        }
    }
}

/// Where a file is, without links and detours; one that is not there is taken by its path.
fn place(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| absolute(path)).unwrap_or_else(|_| path.to_owned())
}

impl Default for RouteConfig {
    /// Every target in declared order (an empty list until the configuration is checked), decided by `smart`.
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            strategy: StrategyRef::BuiltIn("smart"),
            options: serde_json::Map::new(),
            digest: None,
            shadow: None,
            shadow_options: serde_json::Map::new(),
            max_attempts: None,
            deadline: Duration::from_secs(120),
            on_interrupt: OnInterrupt::Continue,
            hold_back: HoldBack::default(),
            emergency: false,
            prefer_for: Duration::ZERO,
            content_filter_falls_back: false,
            fallback_text: None,
            budget: SpendLimits::default(),
        }
    }
}
