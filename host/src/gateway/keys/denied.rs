//! Why a key does not open a door.

use std::time::Duration;

use thiserror::Error;

/// A request that goes no further for its key's sake. Worded for the client who sent it; none repeats the key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// It brings no key.
    #[error("this gateway asks for a key: send it as `authorization: Bearer bsk_...` or as `x-api-key: bsk_...`")]
    NoKey,
    /// It brings more than one.
    #[error("the request brings more than one key, in `authorization` or `x-api-key`; send one")]
    SeveralKeys,
    /// It brings one that is none of this gateway's.
    #[error("the key is none of this gateway's")]
    UnknownKey,
    /// The key's time is up.
    #[error("the key has expired")]
    Expired,
    /// The key was revoked.
    #[error("the key has been revoked")]
    Revoked,
    /// The path is for those who run the gateway.
    #[error("this needs a key with admin rights (backstop keys create NAME --admin)")]
    NotAdmin,
    /// The key is for other routes.
    #[error("the key may not use route {route:?}; it may use {allowed}")]
    Route {
        /// The route the request would take.
        route: String,
        /// Those it may use, in words.
        allowed: String,
    },
    /// The key has asked as much as it may.
    #[error("the key's limit is reached ({limits})")]
    Limited {
        /// All its limits, in words.
        limits: String,
        /// How long until the request may come again, if no other comes first.
        wait: Duration,
        /// Whether other gateways have just been asked for what they do not use of the limit.
        are_others_asked: bool,
    },
}
