//! Why the gateway itself does not take a request: nothing has been sent anywhere for it.

use serde_json::{Value, json};
use thiserror::Error;

use crate::types::ParseRequestError;

use super::messages::Fault;

/// A request that goes no further. Worded for the client who sent it.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("there is nothing at this path; chat completions are at /v1/chat/completions")]
    NoSuchPath,
    #[error("this path takes {allowed}")]
    WrongMethod {
        /// As the header `allow` has it.
        allowed: &'static str,
    },
    #[error("a web page of another origin may not use this gateway")]
    ForeignPage,
    #[error("the body must be JSON, and `content-type` must say so: application/json")]
    NotJson,
    #[error("the body must not be compressed")]
    Compressed,
    #[error("the body is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the body did not come in time")]
    TooSlow,
    #[error("the body broke off: {0}")]
    BrokeOff(hyper::Error),
    #[error("the body is not sound JSON: {0}")]
    Unsound(serde_json::Error),
    #[error(transparent)]
    NotARequest(#[from] ParseRequestError),
    #[error("{field}: {fault}")]
    Wish {
        /// The field, or the header.
        field: String,
        /// What is wrong with it.
        fault: String,
    },
    #[error(transparent)]
    NotAMessage(#[from] Fault),
    #[error("the gateway is stopping")]
    Stopping,
    #[error("something went wrong inside the gateway; its log says more")]
    Panicked,
}

impl Refusal {
    /// The refusal in the shape of OpenAI's errors.
    pub(super) fn to_json(&self) -> Value {
        json!({"error": {
            "message": self.to_string(),
            "type": self.kind(),
            "code": self.code(),
            "param": self.param(),
            "attempts": [],
        }})
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Panicked | Self::Stopping => "server_error",
            Self::NoSuchPath
            | Self::WrongMethod { .. }
            | Self::ForeignPage
            | Self::NotJson
            | Self::Compressed
            | Self::TooLong { .. }
            | Self::TooSlow
            | Self::BrokeOff(_)
            | Self::Unsound(_)
            | Self::NotARequest(_)
            | Self::NotAMessage(_)
            | Self::Wish { .. } => "invalid_request_error",
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "unknown_url",
            Self::WrongMethod { .. } => "method_not_allowed",
            Self::ForeignPage => "foreign_origin",
            Self::NotJson | Self::Compressed => "unsupported_content",
            Self::TooLong { .. } => "request_too_large",
            Self::TooSlow => "request_timeout",
            Self::BrokeOff(_) => "incomplete_body",
            Self::Unsound(_) => "invalid_json",
            Self::NotARequest(_) | Self::NotAMessage(_) | Self::Wish { .. } => "invalid_request",
            Self::Stopping => "stopping",
            Self::Panicked => "internal_error",
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::NotARequest(ParseRequestError::NoMessages) => Some("messages"),
            Self::NotARequest(ParseRequestError::WrongType { field, .. }) => Some(field),
            Self::Wish { field, .. } => Some(field),
            Self::NotAMessage(fault) => Some(&fault.place),
            Self::NotARequest(ParseRequestError::NotAnObject(_))
            | Self::NoSuchPath
            | Self::WrongMethod { .. }
            | Self::ForeignPage
            | Self::NotJson
            | Self::Compressed
            | Self::TooLong { .. }
            | Self::TooSlow
            | Self::BrokeOff(_)
            | Self::Unsound(_)
            | Self::Stopping
            | Self::Panicked => None,
        }
    }
}
