//! Errors in the shape of OpenAI's: what the gateway answers and what commands print with `--json`.

use serde_json::{Value, json};

use crate::types::{AttemptRecord, Failure};

use super::{RouteError, StreamError};

impl RouteError {
    /// The error as `{"error": {message, type, code, param, attempts, backstop_id}}`. What a provider said of the request
    /// itself is repeated in its own words.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Words { kind, code, param } = words(self);
        let attempts: Vec<Value> = self.attempts().iter().map(attempt).collect();
        let message = match self {
            Self::Rejected { failure, .. } => failure.message.clone(),
            Self::UnknownModel { .. }
            | Self::UnknownProvider { .. }
            | Self::UnknownPurpose { .. }
            | Self::AllFailed { .. }
            | Self::Unavailable { .. }
            | Self::DeadlineExceeded { .. }
            | Self::BudgetExceeded { .. }
            | Self::LedgerUnavailable { .. } => self.to_string(),
        };
        let mut error = json!({"message": message, "type": kind, "code": code, "param": param, "attempts": attempts});
        if let (Some(id), Value::Object(fields)) = (self.id(), &mut error) {
            fields.insert("backstop_id".to_owned(), json!(id));
        }
        json!({"error": error})
    }
}

impl StreamError {
    /// The error as a stream's last event carries it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"error": {
            "message": self.to_string(),
            "type": "provider_error",
            "code": "stream_interrupted",
            "param": null,
            "failure": self.failure.kind.name(),
            "backstop_id": self.id,
        }})
    }
}

/// The words by which programs tell errors apart.
struct Words {
    kind: String,
    code: Option<String>,
    param: Option<String>,
}

impl Words {
    fn new(kind: &str, code: &str) -> Self {
        Self { kind: kind.to_owned(), code: Some(code.to_owned()), param: None }
    }
}

fn words(error: &RouteError) -> Words {
    match error {
        RouteError::UnknownModel { .. } => {
            Words { param: Some("model".to_owned()), ..Words::new("invalid_request_error", "model_not_found") }
        }
        RouteError::UnknownProvider { .. } => Words::new("invalid_request_error", "provider_not_found"),
        RouteError::UnknownPurpose { .. } => Words::new("invalid_request_error", "purpose_not_found"),
        RouteError::Rejected { failure, .. } => words_of_provider(failure),
        RouteError::AllFailed { .. } => Words::new("provider_error", "all_providers_failed"),
        RouteError::Unavailable { .. } => Words::new("provider_error", "no_provider_available"),
        RouteError::DeadlineExceeded { .. } => Words::new("provider_error", "deadline_exceeded"),
        RouteError::BudgetExceeded { .. } => Words::new("budget_error", "budget_exceeded"),
        RouteError::LedgerUnavailable { .. } => Words::new("server_error", "ledger_unavailable"),
    }
}

/// The words of a provider that refused the request; ours where it has none.
fn words_of_provider(failure: &Failure) -> Words {
    let body: Value = failure.body.as_ref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let said = |field: &str| body.get("error")?.get(field)?.as_str().map(str::to_owned);
    Words {
        kind: said("type").unwrap_or_else(|| "invalid_request_error".to_owned()),
        code: failure.code.clone().or_else(|| Some(failure.kind.name().to_owned())),
        param: said("param"),
    }
}

/// One HTTP call.
fn attempt(attempt: &AttemptRecord) -> Value {
    let failure = attempt.failure();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;

    use crate::types::{AttemptEnd, FailureKind, RequestId, TargetName};

    use super::*;

    #[test]
    fn lists_each_providers_own_error() {
        let failure = Failure::new(FailureKind::Overloaded, "try later").with_status(503);
        let attempts = vec![AttemptRecord {
            target: Arc::new(TargetName::new("groq", "llama")),
            end: AttemptEnd::Failed(failure),
            took: Duration::from_millis(12),
        }];
        let error = RouteError::AllFailed { id: RequestId(7), attempts, retry_after: None };

        let body = error.to_json();

        let told = json!({
            "provider": "groq", "model": "llama", "failure": "overloaded", "status": 503, "code": null,
            "message": "try later", "retry_after_seconds": null, "took_ms": 12,
        });
        assert_eq!(
            body["error"],
            json!({
                "message": "every provider failed:\n  groq/llama: overloaded (HTTP 503): try later",
                "type": "provider_error", "code": "all_providers_failed", "param": null, "attempts": [told],
                "backstop_id": "bs-00000000000000000000000000000007",
            })
        );
    }

    #[test]
    fn repeats_what_a_provider_said_of_the_request() {
        let body = r#"{"error":{"message":"too hot","type":"invalid_value","param":"temperature","code":null}}"#;
        let mut failure = Failure::new(FailureKind::InvalidRequest, "too hot").with_status(400);
        failure.body = Some(Bytes::from_static(body.as_bytes()));
        let target = Arc::new(TargetName::new("openai", "gpt"));
        let error = RouteError::Rejected { id: RequestId(7), target, failure: Box::new(failure), attempts: Vec::new() };

        let body = error.to_json();

        let said = ["message", "type", "param", "code"].map(|field| body["error"][field].as_str());
        assert_eq!(said, ["too hot", "invalid_value", "temperature", "invalid-request"].map(Some));
    }
}
