//! Why an attempt did not serve the request, and what follows from it: the table every stage goes by.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::as_json::maybe_millis;

/// The kinds of failure, told apart because something different follows from each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Too many requests or tokens for now.
    RateLimited,
    /// An account, day or month is used up.
    QuotaExhausted,
    /// The provider has no capacity at present.
    Overloaded,
    /// The provider broke.
    ServerError,
    /// A time limit passed: connect, first token, idle or total.
    Timeout,
    /// Nothing answered: refused, reset, TLS, DNS.
    Connection,
    /// The stream ended before its end was announced.
    Interrupted,
    /// A reply that is not a completion.
    MalformedReply,
    /// The key was not accepted.
    Authentication,
    /// The key may not do this.
    Permission,
    /// The provider does not have the model.
    ModelNotFound,
    /// The request is longer than the model takes.
    ContextLength,
    /// The provider declined to answer this content.
    ContentFiltered,
    /// The request itself is at fault.
    InvalidRequest,
}

/// Whether the same target may have the same request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No: it would fail the same way.
    Never,
    /// As often as the strategy and the retry budget allow: the failure may have passed by then.
    Retry,
    /// Only with another of the provider's keys.
    OtherKey,
}

/// Whether another target may have the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// Any other.
    Any,
    /// Only one whose context window is known to be larger.
    LargerWindow,
    /// None, unless the route says that a refusal may be taken elsewhere.
    IfRouteAllows,
    /// None: every provider would say the same.
    Nowhere,
}

/// What the failure does to the target for the requests that come after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Left alone until the reset it named, else for the rate-limit cooldown.
    CoolDown,
    /// Left alone until the reset it named, else for the quota cooldown.
    OutOfQuota,
    /// Counts towards the breaker.
    Counts,
    /// The key leaves the rotation.
    DropKey,
    /// The model is out until the configuration is loaded anew.
    DropModel,
    /// None: not the target's fault.
    Nothing,
}

impl FailureKind {
    /// All kinds, in the order of the contract's enum.
    pub const ALL: [Self; 14] = [
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::Overloaded,
        Self::ServerError,
        Self::Timeout,
        Self::Connection,
        Self::Interrupted,
        Self::MalformedReply,
        Self::Authentication,
        Self::Permission,
        Self::ModelNotFound,
        Self::ContextLength,
        Self::ContentFiltered,
        Self::InvalidRequest,
    ];

    /// The kind's name in the contract, in records and in the errors clients see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::QuotaExhausted => "quota-exhausted",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server-error",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Interrupted => "interrupted",
            Self::MalformedReply => "malformed-reply",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::ModelNotFound => "model-not-found",
            Self::ContextLength => "context-length",
            Self::ContentFiltered => "content-filtered",
            Self::InvalidRequest => "invalid-request",
        }
    }

    /// Whether the same target may have the request again.
    #[must_use]
    pub fn again(self) -> Again {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::ServerError
            | Self::Connection
            | Self::Interrupted
            | Self::MalformedReply => Again::Retry,
            Self::Authentication | Self::Permission | Self::QuotaExhausted => Again::OtherKey,
            Self::Timeout
            | Self::ModelNotFound
            | Self::ContextLength
            | Self::ContentFiltered
            | Self::InvalidRequest => Again::Never,
        }
    }

    /// Whether another target may have the request.
    #[must_use]
    pub fn elsewhere(self) -> Elsewhere {
        match self {
            Self::ContextLength => Elsewhere::LargerWindow,
            Self::ContentFiltered => Elsewhere::IfRouteAllows,
            Self::InvalidRequest => Elsewhere::Nowhere,
            Self::RateLimited
            | Self::QuotaExhausted
            | Self::Overloaded
            | Self::ServerError
            | Self::Timeout
            | Self::Connection
            | Self::Interrupted
            | Self::MalformedReply
            | Self::Authentication
            | Self::Permission
            | Self::ModelNotFound => Elsewhere::Any,
        }
    }

    /// What the failure does to the target for later requests.
    #[must_use]
    pub fn effect(self) -> Effect {
        match self {
            Self::RateLimited => Effect::CoolDown,
            Self::QuotaExhausted => Effect::OutOfQuota,
            Self::Overloaded
            | Self::ServerError
            | Self::Timeout
            | Self::Connection
            | Self::Interrupted
            | Self::MalformedReply => Effect::Counts,
            Self::Authentication | Self::Permission => Effect::DropKey,
            Self::ModelNotFound => Effect::DropModel,
            Self::ContextLength | Self::ContentFiltered | Self::InvalidRequest => Effect::Nothing,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failed attempt: data for the strategy and for the record, not an error of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What follows from it.
    pub kind: FailureKind,
    /// The provider's own words where it had any, at most 2,000 characters; never a key.
    pub message: String,
    /// The HTTP status of the reply, where there was a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider's own code for it, such as `context_length_exceeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The wait the reply asked for, counted from its arrival.
    #[serde(rename = "retry_after_ms", with = "maybe_millis", default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// The reply's body, for a client who is to see the provider's own error. Bounded, and in no log.
    #[serde(skip)]
    pub body: Option<Bytes>,
}

impl Failure {
    /// The longest message that is kept, in characters.
    pub const MAX_MESSAGE: usize = 2_000;

    /// A failure known by kind and words alone, such as one of the connection.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if let Some((end, _)) = message.char_indices().nth(Self::MAX_MESSAGE) {
            message.truncate(end);
        }
        Self { kind, message, status: None, code: None, retry_after: None, body: None }
    }

    /// Adds the HTTP status of the reply.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        write!(f, ": {}", self.message)
    }
}
