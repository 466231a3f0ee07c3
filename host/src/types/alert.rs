//! Something an operator should know of at once.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is wrong, or right again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Every target of a route has failed a request.
    EveryProviderDown,
    /// A route answers again after that.
    Recovered,
    /// A budget has reached the share at which the operator wants to know.
    Budget,
    /// The ledger of what is spent cannot be written, or is damaged: nothing may be spent that a budget limits.
    LedgerUnavailable,
    /// The store that instances share does not answer: each goes by its own part of what they share.
    SharedStoreLost,
    /// The store that instances share answers again.
    SharedStoreBack,
    /// A provider has rejected a key, which is not used any more.
    KeyRejected,
    /// A provider does not know a model, which is not asked any more.
    ModelUnknown,
    /// A strategy has failed so often in a row that it is not asked any more.
    StrategyQuarantined,
    /// A changed configuration or strategy is at fault: the one before it is kept.
    ReloadRefused,
}

impl AlertKind {
    /// The kind in a word, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EveryProviderDown => "every-provider-down",
            Self::Recovered => "recovered",
            Self::Budget => "budget",
            Self::LedgerUnavailable => "ledger-unavailable",
            Self::SharedStoreLost => "shared-store-lost",
            Self::SharedStoreBack => "shared-store-back",
            Self::KeyRejected => "key-rejected",
            Self::ModelUnknown => "model-unknown",
            Self::StrategyQuarantined => "strategy-quarantined",
            Self::ReloadRefused => "reload-refused",
        }
    }
}

/// An alert: kept for a while, logged, and told to whoever listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// When it was raised.
    pub at: Timestamp,
    /// What about.
    pub kind: AlertKind,
    /// In words. Never holds a key.
    pub message: String,
    /// The provider it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Arc<str>>,
    /// The route it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Arc<str>>,
}
