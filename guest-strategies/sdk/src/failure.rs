//! Why an attempt did not serve the request.

/// Why an attempt did not serve the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Failure {
    /// Too many requests or tokens for now; the same target serves again soon.
    RateLimited,
    /// An account, day or month is used up; waiting a moment does not help.
    QuotaExhausted,
    /// The provider has no capacity at present.
    Overloaded,
    /// The provider broke.
    ServerError,
    /// No connection, first token, next token or end within the time allowed.
    Timeout,
    /// Nothing answered: refused, reset, TLS or DNS trouble.
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
    /// The request itself is at fault; every provider would say the same.
    InvalidRequest,
}

impl Failure {
    /// All of them, in the contract's order.
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

    /// Whether the same target may well serve the same request a moment later. A timeout is not of this kind: it has
    /// cost the caller enough already.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Overloaded | Self::ServerError | Self::Connection | Self::Interrupted | Self::MalformedReply => true,
            Self::RateLimited
            | Self::QuotaExhausted
            | Self::Timeout
            | Self::Authentication
            | Self::Permission
            | Self::ModelNotFound
            | Self::ContextLength
            | Self::ContentFiltered
            | Self::InvalidRequest => false,
        }
    }

    /// Whether it tells of the request and not of the target, so that every other target would say the same.
    #[must_use]
    pub const fn would_repeat_elsewhere(self) -> bool {
        matches!(self, Self::InvalidRequest)
    }

    /// The failure with its article, as it stands in a sentence: `a rate limit`.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::RateLimited => "a rate limit",
            Self::QuotaExhausted => "a used-up quota",
            Self::Overloaded => "an overload",
            Self::ServerError => "a server error",
            Self::Timeout => "a timeout",
            Self::Connection => "a connection failure",
            Self::Interrupted => "an interrupted stream",
            Self::MalformedReply => "a malformed reply",
            Self::Authentication => "a rejected key",
            Self::Permission => "a missing permission",
            Self::ModelNotFound => "an unknown model",
            Self::ContextLength => "a request too long for it",
            Self::ContentFiltered => "a content filter",
            Self::InvalidRequest => "an invalid request",
        }
    }

    /// The failure at this place in the contract's list. The host sends no other; were it to, this is the least harmful.
    #[doc(hidden)]
    #[must_use]
    pub fn _lift(place: u8) -> Self {
        Self::ALL.get(usize::from(place)).copied().unwrap_or(Self::ServerError)
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn lists_failures_in_the_order_of_their_numbers() {
        for (place, failure) in (0..).zip(Failure::ALL) {
            assert_eq!(failure as u8, place);
            assert_eq!(Failure::_lift(place), failure);
        }
    }
}
