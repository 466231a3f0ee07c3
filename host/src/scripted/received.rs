//! A call as the scripted provider received it.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::time::Instant;

use crate::config::Protocol;

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

    /// The key, in the header that the protocol has for it.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self.protocol() {
            Protocol::OpenAi | Protocol::Ollama => self.bearer_key(),
            Protocol::Anthropic => self.header("x-api-key"),
            Protocol::Gemini => self.header("x-goog-api-key"),
        }
    }

    /// The protocol whose path was called: `/messages` is Anthropic's, `:generateContent` and `:streamGenerateContent` are
    /// Gemini's, `/api/chat` is Ollama's, and any other counts as OpenAI's.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        let path = self.path_alone();
        if path.ends_with("/messages") {
            Protocol::Anthropic
        } else if matches!(self.gemini_method(), Some("generateContent" | "streamGenerateContent")) {
            Protocol::Gemini
        } else if path.ends_with("/api/chat") {
            Protocol::Ollama
        } else {
            Protocol::OpenAi
        }
    }

    /// The model that was asked for; of Gemini's as it stands in the path, percent signs included.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        match self.protocol() {
            Protocol::OpenAi | Protocol::Anthropic | Protocol::Ollama => self.body.get("model")?.as_str(),
            Protocol::Gemini => Some(self.path_alone().rsplit_once('/')?.1.rsplit_once(':')?.0),
        }
    }

    /// Whether a stream was asked for. Ollama's answers come as streams unless the body says otherwise.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        let said = self.body.get("stream").and_then(Value::as_bool);
        match self.protocol() {
            Protocol::OpenAi | Protocol::Anthropic => said.unwrap_or(false),
            Protocol::Gemini => self.gemini_method() == Some("streamGenerateContent"),
            Protocol::Ollama => said.unwrap_or(true),
        }
    }

    /// Whether embeddings were asked for: the path ends in `/embeddings`.
    #[must_use]
    pub fn wants_embeddings(&self) -> bool {
        self.path_alone().ends_with("/embeddings")
    }

    /// Whether a stream is to end with the usage, which only OpenAI's callers have to ask for.
    #[must_use]
    pub fn wants_usage_in_stream(&self) -> bool {
        match self.protocol() {
            Protocol::OpenAi => {
                self.body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false)
            }
            Protocol::Anthropic | Protocol::Gemini | Protocol::Ollama => true,
        }
    }

    fn path_alone(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    fn gemini_method(&self) -> Option<&str> {
        Some(self.path_alone().rsplit_once(':')?.1)
    }
}

#[cfg(test)]
impl ReceivedCall {
    /// A call of OpenAI's with this body, for tests of what answers it.
    pub(super) fn with_body(body: Value) -> Self {
        Self::to("/v1/chat/completions", body)
    }

    /// A call of a path with this body.
    pub(super) fn to(path: &str, body: Value) -> Self {
        Self {
            number: 1,
            at: Instant::now(),
            method: "POST".to_owned(),
            path: path.to_owned(),
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
    fn understands_each_protocol() {
        let asked = json!({"model": "m"});
        let told = [
            ("/v1/chat/completions", asked.clone()),
            ("/v1/messages?beta=true", json!({"model": "m", "stream": true})),
            ("/v1beta/models/m:generateContent", json!({})),
            ("/v1beta/models/m:streamGenerateContent?alt=sse", json!({})),
            ("/api/chat", asked),
            ("/api/chat", json!({"model": "m", "stream": false})),
        ]
        .map(|(path, body)| {
            let call = ReceivedCall::to(path, body);
            assert_eq!(call.model(), Some("m"), "{path}");
            (call.protocol(), call.wants_stream())
        });

        assert_eq!(
            told,
            [
                (Protocol::OpenAi, false),
                (Protocol::Anthropic, true),
                (Protocol::Gemini, false),
                (Protocol::Gemini, true),
                (Protocol::Ollama, true),
                (Protocol::Ollama, false),
            ]
        );
    }

    #[test]
    fn asks_for_nothing_when_the_body_is_not_json() {
        let call = ReceivedCall::with_body(Value::Null);

        assert_eq!(call.model(), None);
        assert!(!call.wants_stream() && !call.wants_usage_in_stream());
    }
}
