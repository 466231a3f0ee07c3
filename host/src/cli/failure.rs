//! How a command says that it failed: a line or more on standard error, or one JSON object.

use std::io::Write;

use backstop::router::RouteError;
use backstop::types::AttemptRecord;
use serde_json::{Value, json};

use super::exit::{Exit, UsageError, is_closed_pipe};
use super::paint::{Tone, harmless, paint};

/// Tells an error on standard error, with its causes. A reader who has read enough is told nothing.
pub(crate) fn tell(error: &anyhow::Error, exit: Exit) {
    if is_closed_pipe(error) {
        return;
    }
    let mut stderr = anstream::stderr().lock();
    // Where standard error is gone, too, the exit code has to say it all.
    let _ = writeln!(stderr, "{} {}", paint(Tone::Bad, "error:"), harmless(&in_words(error)));
    if let Some(hint) = hint(error, exit) {
        let _ = writeln!(stderr, "{}", paint(Tone::Faint, hint));
    }
}

/// The error as an object in the shape of OpenAI's, with every attempt.
pub(crate) fn to_json(error: &anyhow::Error, exit: Exit) -> Value {
    let route = error.chain().find_map(|cause| cause.downcast_ref::<RouteError>());
    let (kind, code) = route.map_or_else(|| kind_of_exit(exit), kind_of_route);
    let attempts: Vec<Value> = route.map(RouteError::attempts).unwrap_or_default().iter().map(attempt).collect();
    let mut body = json!({"message": in_words(error), "type": kind, "code": code, "attempts": attempts});
    if let (Some(id), Value::Object(fields)) = (route.and_then(RouteError::id), &mut body) {
        fields.insert("backstop_id".to_owned(), json!(id));
    }
    json!({"error": body})
}

/// One HTTP call, as reports show it.
pub(crate) fn attempt(attempt: &AttemptRecord) -> Value {
    let failure = attempt.failure.as_ref();
    json!({
        "provider": &*attempt.target.provider,
        "model": &*attempt.target.model,
        "failure": failure.map(|failure| failure.kind.name()),
        "status": failure.and_then(|failure| failure.status),
        "code": failure.and_then(|failure| failure.code.as_deref()),
        "message": failure.map(|failure| failure.message.as_str()),
        "retry_after_seconds": failure.and_then(|failure| failure.retry_after).map(|wait| wait.as_secs_f64()),
        "took_ms": u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
    })
}

/// The error and its causes; a cause that the message before it has told already is not told twice.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.contains(&cause) {
            continue;
        }
        if !words.is_empty() {
            words.push_str(": ");
        }
        words.push_str(&cause);
    }
    words
}

fn kind_of_route(error: &RouteError) -> (&'static str, &str) {
    match error {
        RouteError::UnknownModel { .. } => ("invalid_request_error", "model_not_found"),
        RouteError::UnknownProvider { .. } => ("invalid_request_error", "provider_not_found"),
        RouteError::UnknownPurpose { .. } => ("invalid_request_error", "purpose_not_found"),
        RouteError::Rejected { failure, .. } => {
            ("invalid_request_error", failure.code.as_deref().unwrap_or_else(|| failure.kind.name()))
        }
        RouteError::AllFailed { .. } => ("provider_error", "all_providers_failed"),
        RouteError::Unavailable { .. } => ("provider_error", "no_provider_available"),
        RouteError::DeadlineExceeded { .. } => ("provider_error", "deadline_exceeded"),
        RouteError::BudgetExceeded { .. } => ("budget_error", "budget_exceeded"),
    }
}

fn kind_of_exit(exit: Exit) -> (&'static str, &'static str) {
    match exit {
        Exit::Usage => ("configuration_error", "usage"),
        Exit::NoProvider => ("provider_error", "all_providers_failed"),
        Exit::Budget => ("budget_error", "budget_exceeded"),
        Exit::Done | Exit::Failed | Exit::Interrupted => ("internal_error", "failed"),
    }
}

/// What to try next, where that is not in the message itself.
fn hint(error: &anyhow::Error, exit: Exit) -> Option<&'static str> {
    let is_usage = error.chain().any(|cause| cause.is::<UsageError>());
    match exit {
        Exit::Usage if is_usage => Some("`backstop --help` shows how it is used"),
        Exit::NoProvider => Some("`backstop doctor` shows which providers work"),
        Exit::Usage | Exit::Done | Exit::Failed | Exit::Budget | Exit::Interrupted => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use backstop::types::{Failure, FailureKind, RequestId, TargetName};

    use super::*;

    #[test]
    fn lists_each_providers_own_error() {
        let failure = Failure::new(FailureKind::Overloaded, "try later").with_status(503);
        let attempts = vec![AttemptRecord {
            target: Arc::new(TargetName::new("groq", "llama")),
            failure: Some(failure),
            took: Duration::from_millis(12),
        }];
        let error = anyhow::Error::new(RouteError::AllFailed { id: RequestId(7), attempts, retry_after: None });

        let body = to_json(&error, Exit::of_error(&error));

        assert_eq!(body["error"]["type"], "provider_error");
        assert_eq!(body["error"]["code"], "all_providers_failed");
        assert_eq!(body["error"]["backstop_id"], "bs-00000000000000000000000000000007");
        assert_eq!(
            body["error"]["attempts"][0],
            json!({
                "provider": "groq", "model": "llama", "failure": "overloaded", "status": 503, "code": null,
                "message": "try later", "retry_after_seconds": null, "took_ms": 12,
            })
        );
    }

    #[test]
    fn tells_each_cause_once() {
        let error =
            anyhow::anyhow!("disk full").context("cannot write a.wasm").context("building failed: cannot write a.wasm");

        assert_eq!(in_words(&error), "building failed: cannot write a.wasm: disk full");
    }

    #[test]
    fn says_what_a_usage_error_is() {
        let error = anyhow::Error::new(UsageError("the question is empty".into()));

        let body = to_json(&error, Exit::of_error(&error));

        assert_eq!(
            body["error"],
            json!({
                "message": "the question is empty", "type": "configuration_error", "code": "usage", "attempts": [],
            })
        );
    }
}
