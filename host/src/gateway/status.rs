//! The one place that chooses HTTP statuses, and when a client may come again.

use std::time::Duration;

use http::StatusCode;

use crate::router::RouteError;
use crate::types::{AttemptRecord, Effect};

use super::admin::AdminError;
use super::keys::Denied;
use super::refusal::Refusal;

/// The status of a request that nobody could serve.
pub(super) fn of_route(error: &RouteError) -> StatusCode {
    match error {
        RouteError::UnknownModel { .. } | RouteError::UnknownProvider { .. } | RouteError::UnknownPurpose { .. } => {
            StatusCode::NOT_FOUND
        }
        RouteError::Rejected { failure, .. } => {
            let own = failure.status.and_then(|status| StatusCode::from_u16(status).ok());
            own.filter(StatusCode::is_client_error).unwrap_or(StatusCode::BAD_REQUEST)
        }
        RouteError::AllFailed { .. } if retry_after(error).is_some() => StatusCode::SERVICE_UNAVAILABLE,
        RouteError::AllFailed { .. } => StatusCode::BAD_GATEWAY,
        RouteError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        RouteError::DeadlineExceeded { .. } => StatusCode::GATEWAY_TIMEOUT,
        RouteError::BudgetExceeded { .. } => StatusCode::PAYMENT_REQUIRED,
        RouteError::LedgerUnavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The status a request that nobody could serve is answered with, as a number: for whoever writes such answers down.
#[must_use]
pub fn status_of(error: &RouteError) -> u16 {
    of_route(error).as_u16()
}

/// The status of a request that the gateway does not take.
pub(super) fn of_refusal(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NoSuchPath => StatusCode::NOT_FOUND,
        Refusal::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::ForeignPage => StatusCode::FORBIDDEN,
        Refusal::Denied(denied) => of_denied(denied),
        Refusal::NotJson | Refusal::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Refusal::BrokeOff(_)
        | Refusal::Unsound(_)
        | Refusal::NotARequest(_)
        | Refusal::NotAMessage(_)
        | Refusal::Wish { .. } => StatusCode::BAD_REQUEST,
        Refusal::Admin(error) => of_admin(error),
        Refusal::BadIdempotencyKey => StatusCode::BAD_REQUEST,
        Refusal::OtherBody => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::UnderWay => StatusCode::CONFLICT,
        Refusal::Busy { .. } | Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn of_admin(error: &AdminError) -> StatusCode {
    match error {
        AdminError::NotFound { .. } => StatusCode::NOT_FOUND,
        AdminError::Invalid { .. } => StatusCode::BAD_REQUEST,
        AdminError::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        AdminError::NoSource => StatusCode::CONFLICT,
        AdminError::Refused(_) | AdminError::Change(_) => StatusCode::UNPROCESSABLE_ENTITY,
        AdminError::Store(_) | AdminError::Unwritable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        AdminError::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn of_denied(denied: &Denied) -> StatusCode {
    match denied {
        Denied::NoKey | Denied::UnknownKey | Denied::Expired | Denied::Revoked => StatusCode::UNAUTHORIZED,
        Denied::SeveralKeys => StatusCode::BAD_REQUEST,
        Denied::NotAdmin | Denied::Route { .. } => StatusCode::FORBIDDEN,
        Denied::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// In how many seconds a request that is kept out by its key's limits, or by all the others, may come again.
pub(super) fn retry_after_refusal(refusal: &Refusal) -> Option<u64> {
    match refusal {
        Refusal::Denied(Denied::Limited { wait, .. }) => Some(whole_seconds(*wait)),
        Refusal::Busy { .. } => Some(1),
        _ => None,
    }
}

/// In how many seconds trying again may help: told where all there is to do is to wait. A provider that is broken may be back
/// at any time.
pub(super) fn retry_after(error: &RouteError) -> Option<u64> {
    let wait = match error {
        RouteError::Unavailable { retry_after, .. } => *retry_after,
        RouteError::AllFailed { retry_after, attempts, .. } => {
            retry_after.filter(|_| attempts.iter().all(asks_to_wait))
        }
        RouteError::UnknownModel { .. }
        | RouteError::UnknownProvider { .. }
        | RouteError::UnknownPurpose { .. }
        | RouteError::Rejected { .. }
        | RouteError::DeadlineExceeded { .. }
        | RouteError::BudgetExceeded { .. }
        | RouteError::LedgerUnavailable { .. } => None,
    };
    wait.map(whole_seconds)
}

fn asks_to_wait(attempt: &AttemptRecord) -> bool {
    let effect = attempt.failure().map(|failure| failure.kind.effect());
    matches!(effect, Some(Effect::CoolDown | Effect::OutOfQuota))
}

/// Rounded up: who comes back then must not come too early.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::types::{AttemptEnd, Failure, FailureKind, RequestId, TargetName};

    use super::*;

    fn all_failed(kinds: &[FailureKind]) -> RouteError {
        let attempts = kinds.iter().map(|kind| AttemptRecord {
            target: Arc::new(TargetName::new("groq", "llama")),
            end: AttemptEnd::Failed(Failure::new(*kind, "no")),
            took: Duration::ZERO,
        });
        let retry_after = Some(Duration::from_millis(1_200));
        RouteError::AllFailed { id: RequestId(1), attempts: attempts.collect(), retry_after }
    }

    fn rejected(status: Option<u16>) -> RouteError {
        let failure = Box::new(Failure { status, ..Failure::new(FailureKind::InvalidRequest, "no") });
        let target = Arc::new(TargetName::new("groq", "llama"));
        RouteError::Rejected { id: RequestId(1), target, failure, attempts: Vec::new() }
    }

    #[test]
    fn asks_to_come_again_where_every_provider_asked_for_it() {
        let waiting = all_failed(&[FailureKind::RateLimited, FailureKind::QuotaExhausted]);
        let broken = all_failed(&[FailureKind::RateLimited, FailureKind::ServerError]);

        assert_eq!((of_route(&waiting).as_u16(), retry_after(&waiting)), (503, Some(2)));
        assert_eq!((of_route(&broken).as_u16(), retry_after(&broken)), (502, None));
    }

    #[test]
    fn passes_on_the_status_of_a_provider_that_blames_the_request() {
        let statuses = [Some(422), Some(404), Some(200), None].map(|status| of_route(&rejected(status)).as_u16());

        assert_eq!(statuses, [422, 404, 400, 400]);
    }
}
