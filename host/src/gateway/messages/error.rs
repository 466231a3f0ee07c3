//! Errors in the shape of Anthropic's.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use serde_json::{Value, json};

use crate::router::{RouteError, StreamError};
use crate::types::{FailureKind, RequestId};

use super::stream::put;

/// An error as a reply has it.
pub(in crate::gateway) fn body(status: StatusCode, message: &str, id: RequestId) -> Value {
    told(kind(status), message, id)
}

/// What is said of a request that nobody could serve. What a provider said of the request itself is repeated in its own words.
pub(in crate::gateway) fn message(error: &RouteError) -> String {
    match error {
        RouteError::Rejected { failure, .. } => failure.message.clone(),
        RouteError::UnknownModel { .. }
        | RouteError::UnknownProvider { .. }
        | RouteError::UnknownPurpose { .. }
        | RouteError::AllFailed { .. }
        | RouteError::Unavailable { .. }
        | RouteError::DeadlineExceeded { .. }
        | RouteError::BudgetExceeded { .. }
        | RouteError::LedgerUnavailable { .. } => error.to_string(),
    }
}

/// The error as a stream's last event.
pub(super) fn event(broken: &StreamError) -> Bytes {
    let kind = match broken.failure.kind {
        FailureKind::Overloaded => "overloaded_error",
        FailureKind::RateLimited => "rate_limit_error",
        FailureKind::Timeout => "timeout_error",
        _ => "api_error",
    };
    let mut out = BytesMut::new();
    put(&mut out, &told(kind, &broken.to_string(), broken.id));
    out.freeze()
}

fn told(kind: &str, message: &str, id: RequestId) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": id})
}

/// The type that Anthropic gives errors of a status.
fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_status_the_type_that_clients_look_for() {
        let kinds = [400, 401, 402, 403, 404, 413, 415, 422, 429, 500, 502, 503, 504, 529]
            .map(|status| kind(StatusCode::from_u16(status).unwrap()));

        assert_eq!(
            kinds,
            [
                "invalid_request_error",
                "authentication_error",
                "billing_error",
                "permission_error",
                "not_found_error",
                "request_too_large",
                "invalid_request_error",
                "invalid_request_error",
                "rate_limit_error",
                "api_error",
                "api_error",
                "overloaded_error",
                "timeout_error",
                "overloaded_error",
            ]
        );
    }

    #[test]
    fn has_the_shape_of_anthropics_errors() {
        let body = body(StatusCode::NOT_FOUND, "no such model", RequestId(7));

        assert_eq!(
            body,
            json!({
                "type": "error",
                "error": {"type": "not_found_error", "message": "no such model"},
                "request_id": "bs-00000000000000000000000000000007",
            })
        );
    }
}
