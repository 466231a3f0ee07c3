//! A call as the scripted provider received it.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::time::Instant;

/// One request that arrived whole.
#[derive(Debug, Clone)]
pub struct ReceivedCall {
    /// Which call to this provider it was, from 1.
    pub number: usize,
    /// When its last byte was read; comparable between providers of one test.
    pub at: Instant,
    /// The method, such as `POST`.
    pub method: String,
    /// The path with its query, such as `/v1/chat/completions`.
    pub path: String,
    /// The headers. Those whose name or value HTTP does not allow are left out.
    pub headers: HeaderMap,
    /// The body as JSON; `null` where it is not JSON.
    pub body: Value,
    /// The body's bytes, chunked coding undone.
    pub raw: Bytes,
}

impl ReceivedCall {
    /// A header's value, where it came and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The key of `Authorization: Bearer KEY`.
    #[must_use]
    pub fn bearer_key(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The model that was asked for.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.body.get("model")?.as_str()
    }

    /// Whether a stream was asked for.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        self.body.get("stream").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether a stream is to end with the usage.
    #[must_use]
    pub fn wants_usage_in_stream(&self) -> bool {
        self.body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false)
    }
}

#[cfg(test)]
impl ReceivedCall {
    /// A call with this body, for tests of what answers it.
    pub(super) fn with_body(body: Value) -> Self {
        Self {
            number: 1,
            at: Instant::now(),
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            headers: HeaderMap::new(),
            raw: Bytes::from(body.to_string()),
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_what_was_asked_for() {
        let call = ReceivedCall::with_body(
            json!({"model": "gpt-4o", "stream": true, "stream_options": {"include_usage": true}}),
        );

        assert_eq!(call.model(), Some("gpt-4o"));
        assert!(call.wants_stream() && call.wants_usage_in_stream());
    }

    #[test]
    fn asks_for_nothing_when_the_body_is_not_json() {
        let call = ReceivedCall::with_body(Value::Null);

        assert_eq!(call.model(), None);
        assert!(!call.wants_stream() && !call.wants_usage_in_stream());
    }
}
