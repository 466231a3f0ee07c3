//! What a strategy read of its state for one decision: kept in the record, so that the decision can be explained and replayed.

use serde::{Deserialize, Serialize};

/// What was read, in the order it was first asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateRead {
    /// Each key with its value.
    pub entries: Vec<StateEntry>,
    /// More was read than a record has room for: the decision cannot be replayed from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// One key of a strategy's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEntry {
    /// The key.
    pub key: String,
    /// The value's bytes, in hexadecimal; `None` where there was none.
    pub value: Option<String>,
}
