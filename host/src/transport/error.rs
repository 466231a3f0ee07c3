//! Why a call brought no reply, or only part of one, in one sentence that names no key.

use std::error::Error as StdError;
use std::io;

use thiserror::Error;
use url::Url;

use super::connector::TooLate;
use crate::types::{Failure, FailureKind};

/// Why a call failed on the way. Each says where and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransportError {
    /// No connection: refused, unreachable, no such host.
    #[error("could not connect to {place}: {why}")]
    Connect {
        /// Host and port.
        place: String,
        /// What was wrong.
        why: String,
    },
    /// A connection, but no trust: a bad certificate, no TLS at all.
    #[error("no secure connection to {place}: {why}")]
    Tls {
        /// Host and port.
        place: String,
        /// What was wrong.
        why: String,
    },
    /// The connection was not open in time.
    #[error("could not connect to {place} within the time allowed")]
    ConnectTimeout {
        /// Host and port.
        place: String,
    },
    /// The connection broke, or spoke no HTTP, before the head of a reply was complete.
    #[error("no reply from {place}: {why}")]
    NoReply {
        /// Host and port.
        place: String,
        /// What was wrong.
        why: String,
    },
    /// The connection broke in the middle of a reply.
    #[error("the reply of {place} broke off: {why}")]
    BrokenOff {
        /// Host and port.
        place: String,
        /// What was wrong.
        why: String,
    },
    /// The reply is longer than anyone may send.
    #[error("a reply of more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

impl TransportError {
    /// The failure as data for the strategy.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let kind = match self {
            Self::Connect { .. } | Self::Tls { .. } | Self::NoReply { .. } => FailureKind::Connection,
            Self::ConnectTimeout { .. } => FailureKind::Timeout,
            Self::BrokenOff { .. } => FailureKind::Interrupted,
            Self::TooLarge { .. } => FailureKind::MalformedReply,
        };
        Failure::new(kind, self.to_string())
    }

    /// Whether any of the request may have reached the provider.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Tls { .. } | Self::ConnectTimeout { .. } => false,
            Self::NoReply { .. } | Self::BrokenOff { .. } | Self::TooLarge { .. } => true,
        }
    }

    /// An error on the way to the head of a reply.
    pub(super) fn before_reply(url: &Url, error: &hyper_util::client::legacy::Error) -> Self {
        let place = place(url);
        match why(error) {
            Why::Tls(why) => Self::Tls { place, why },
            Why::TooLate => Self::ConnectTimeout { place },
            Why::Other(why) if error.is_connect() => Self::Connect { place, why },
            Why::Other(why) => Self::NoReply { place, why },
        }
    }

    /// An error in the body of a reply.
    pub(super) fn within_reply(url: &Url, error: &hyper::Error) -> Self {
        let why = match why(error) {
            Why::Tls(why) | Why::Other(why) => why,
            Why::TooLate => TooLate.to_string(),
        };
        Self::BrokenOff { place: place(url), why }
    }
}

/// Host and port: path, query and password are nobody's business.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("nowhere");
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

enum Why {
    Tls(String),
    TooLate,
    Other(String),
}

/// The innermost cause, which is the one that says what happened.
fn why(error: &(dyn StdError + 'static)) -> Why {
    let mut cause = error;
    while let Some(inner) = inner(cause) {
        cause = inner;
    }
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Why::Tls(tls.to_string());
    }
    if cause.is::<TooLate>() {
        return Why::TooLate;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(io) if io.raw_os_error().is_some() => Why::Other(io.kind().to_string()),
        Some(_) | None => Why::Other(cause.to_string()),
    }
}

/// `source` passes over what an `io::Error` wraps; here that is TLS.
fn inner<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_host_and_port_alone() {
        let url = Url::parse("https://user:secret@api.example.com/v1/x?key=secret").unwrap();

        assert_eq!(place(&url), "api.example.com:443");
    }

    #[test]
    fn every_error_is_a_failure_of_its_kind() {
        let (place, why) = ("h:1".to_owned(), "w".to_owned());
        let broken = TransportError::BrokenOff { place: place.clone(), why: why.clone() };
        let refused = TransportError::Connect { place: place.clone(), why };

        assert_eq!(refused.failure(), Failure::new(FailureKind::Connection, "could not connect to h:1: w"));
        assert_eq!(broken.failure().kind, FailureKind::Interrupted);
        assert_eq!(TransportError::ConnectTimeout { place }.failure().kind, FailureKind::Timeout);
        assert_eq!(TransportError::TooLarge { limit: 1 }.failure().kind, FailureKind::MalformedReply);
    }

    #[test]
    fn finds_the_tls_error_within_an_io_error() {
        let error = io::Error::other(rustls::Error::HandshakeNotComplete);

        assert!(matches!(why(&error), Why::Tls(why) if why == "handshake not complete"));
    }
}
