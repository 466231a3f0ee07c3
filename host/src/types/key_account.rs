//! The gateway's key that a request comes with, as far as money goes.

use std::sync::Arc;

use super::NanoUsd;

/// Whose key a request came with, and what may be spent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAccount {
    /// The key's name.
    pub name: Arc<str>,
    /// What may be spent with it in one day.
    pub daily: Option<NanoUsd>,
    /// What may be spent with it in one month.
    pub monthly: Option<NanoUsd>,
}
