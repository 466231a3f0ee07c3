//! Why the gateway itself does not take a request: nothing has been sent anywhere for it.

use serde_json::{Value, json};
use thiserror::Error;

use crate::types::ParseRequestError;

use super::admin::AdminError;
use super::keys::Denied;
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
    #[error(transparent)]
    Denied(#[from] Denied),
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
    #[error(transparent)]
    Admin(Box<AdminError>),
    #[error("Idempotency-Key must be 1 to 255 characters of ASCII")]
    BadIdempotencyKey,
    #[error("this Idempotency-Key was used for another body")]
    OtherBody,
    #[error("a request under this Idempotency-Key is still under way")]
    UnderWay,
    #[error("the gateway is answering {limit} requests, which is all it takes at once")]
    Busy { limit: usize },
    #[error("the gateway is stopping")]
    Stopping,
    #[error("something went wrong inside the gateway; its log says more")]
    Panicked,
}

impl Refusal {
    /// The refusal in the shape of OpenAI's errors.
    pub(super) fn to_json(&self) -> Value {
        let mut error = json!({
            "message": self.to_string(),
            "type": self.kind(),
            "code": self.code(),
            "param": self.param(),
            "attempts": [],
        });
        let problems = self.problems();
        if let (false, Some(fields)) = (problems.is_empty(), error.as_object_mut()) {
            fields.insert("problems".to_owned(), problems.into());
        }
        json!({"error": error})
    }

    /// Everything that is wrong with a configuration that is refused.
    fn problems(&self) -> Vec<String> {
        match self {
            Self::Admin(error) => error.problems(),
            _ => Vec::new(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Panicked | Self::Stopping | Self::Busy { .. } => "server_error",
            Self::Denied(denied) => kind_of_denied(denied),
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
            | Self::Admin(_)
            | Self::BadIdempotencyKey
            | Self::OtherBody
            | Self::UnderWay
            | Self::NotAMessage(_)
            | Self::Wish { .. } => "invalid_request_error",
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "unknown_url",
            Self::WrongMethod { .. } => "method_not_allowed",
            Self::ForeignPage => "foreign_origin",
            Self::Denied(denied) => code_of_denied(denied),
            Self::NotJson | Self::Compressed => "unsupported_content",
            Self::TooLong { .. } => "request_too_large",
            Self::TooSlow => "request_timeout",
            Self::BrokeOff(_) => "incomplete_body",
            Self::Unsound(_) => "invalid_json",
            Self::NotARequest(_) | Self::NotAMessage(_) | Self::Wish { .. } => "invalid_request",
            Self::Admin(error) => error.code(),
            Self::BadIdempotencyKey => "invalid_request",
            Self::OtherBody => "idempotency_key_reused",
            Self::UnderWay => "idempotency_key_in_use",
            Self::Busy { .. } => "overloaded",
            Self::Stopping => "stopping",
            Self::Panicked => "internal_error",
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::NotARequest(ParseRequestError::NoMessages) => Some("messages"),
            Self::NotARequest(ParseRequestError::WrongType { field, .. }) => Some(field),
            Self::Wish { field, .. } => Some(field),
            Self::Admin(error) => error.param(),
            Self::NotAMessage(fault) => Some(&fault.place),
            Self::NotARequest(ParseRequestError::NotAnObject(_))
            | Self::NoSuchPath
            | Self::WrongMethod { .. }
            | Self::ForeignPage
            | Self::Denied(_)
            | Self::NotJson
            | Self::Compressed
            | Self::TooLong { .. }
            | Self::TooSlow
            | Self::BrokeOff(_)
            | Self::Unsound(_)
            | Self::BadIdempotencyKey
            | Self::OtherBody
            | Self::UnderWay
            | Self::Busy { .. }
            | Self::Stopping
            | Self::Panicked => None,
        }
    }
}

fn kind_of_denied(denied: &Denied) -> &'static str {
    match denied {
        Denied::NoKey | Denied::UnknownKey | Denied::Expired | Denied::Revoked => "authentication_error",
        Denied::SeveralKeys => "invalid_request_error",
        Denied::NotAdmin | Denied::Route { .. } => "permission_error",
        Denied::Limited { .. } => "rate_limit_error",
    }
}

fn code_of_denied(denied: &Denied) -> &'static str {
    match denied {
        Denied::NoKey | Denied::UnknownKey | Denied::Expired | Denied::Revoked => "invalid_api_key",
        Denied::SeveralKeys => "ambiguous_api_key",
        Denied::NotAdmin => "admin_required",
        Denied::Route { .. } => "route_not_allowed",
        Denied::Limited { .. } => "rate_limit_exceeded",
    }
}
