//! Wire protocols: a request becomes bytes, bytes become a completion or a failure. Pure, no I/O.

mod head;
mod openai;
mod classify;
mod rules;
mod error_body;
mod wait;
mod span;
mod quota;
mod redact;
#[cfg(test)]
mod fixtures;

use bytes::Bytes;
use http::HeaderMap;
use indexmap::IndexMap;
use secrecy::SecretString;

pub use classify::classify;
pub use head::Head;
pub use openai::{Call, ChunkFacts, Completion, Defaults, EventFault, HeaderError, content_filtered, is_filtered};
pub use quota::quota_left;
pub use redact::redact;
pub use wait::wait_named;

use crate::config::Protocol;
use crate::types::Failure;

/// The headers of a chat request; the key's own is marked sensitive, so that no log shows it.
///
/// # Errors
/// When the key or one of the operator's own headers cannot stand in a header.
pub fn headers(
    protocol: Protocol,
    key: Option<&SecretString>,
    own: &IndexMap<String, String>,
    stream: bool,
) -> Result<HeaderMap, HeaderError> {
    match protocol {
        Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini | Protocol::Ollama => {
            openai::headers(key, own, stream)
        }
    }
}

/// The body of a chat request.
#[must_use]
pub fn encode(protocol: Protocol, call: &Call<'_>) -> Bytes {
    match protocol {
        Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini | Protocol::Ollama => openai::encode(call),
    }
}

/// Reads a whole reply.
///
/// # Errors
/// When the reply is no completion: an error under any status, no JSON, an empty answer.
pub fn decode(protocol: Protocol, head: &Head<'_>, body: &Bytes) -> Result<Completion, Failure> {
    match protocol {
        Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini | Protocol::Ollama => openai::decode(head, body),
    }
}

/// Reads one event of a stream; `name` is that of its `event:` line, where it has one.
///
/// # Errors
/// When the event carries an error, or is no chunk at all.
pub fn decode_event(
    protocol: Protocol,
    head: &Head<'_>,
    name: Option<&str>,
    data: &[u8],
) -> Result<ChunkFacts, EventFault> {
    match protocol {
        Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini | Protocol::Ollama => {
            openai::decode_event(head, name, data)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str = r#"{"model":"m","choices":[{"index":0,"message":{"content":"hi","tool_calls":[{"id":"1"}]},
        "finish_reason":"stop","error":null}],"usage":{"prompt_tokens":3,"completion_tokens":1},"error":null}"#;
    const CHUNK: &str = r#"{"model":"m","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"hi"}]},
        "finish_reason":null}],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":1}}}"#;
    const ERROR: &str = r#"{"error":{"message":"try again in 7.5s","code":429,"metadata":{"raw":"{\"error\":\"x\"}",
        "headers":{"X-RateLimit-Reset":"1759845420000"}},"details":[{"retryDelay":"3s","violations":[]}]}}"#;

    /// Reads bytes in every way there is.
    fn read(status: u16, body: Vec<u8>) {
        let headers = HeaderMap::new();
        let head = Head { status, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        let body = Bytes::from(body);
        let _ = classify(&head, &body);
        let _ = wait_named(&head, &body);
        let _ = decode(Protocol::OpenAi, &head, &body);
        let _ = decode_event(Protocol::OpenAi, &head, None, &body);
        let _ = decode_event(Protocol::OpenAi, &head, Some("error"), &body);
    }

    /// Any JSON, with the names that are looked for.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let name = prop::sample::select(vec![
            "error", "choices", "message", "delta", "content", "code", "usage", "details", "metadata", "raw", "detail",
            "x",
        ]);
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            "\\PC{0,12}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(6, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::vec((name.clone(), inner), 0..5).prop_map(|fields| {
                    serde_json::Value::Object(
                        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_any_bytes_without_panic(status in 0_u16..1_100, body in prop::collection::vec(any::<u8>(), 0..300)) {
            read(status, body);
        }

        #[test]
        fn reads_any_json_without_panic(in_band in any::<bool>(), value in json()) {
            read(if in_band { 200 } else { 429 }, value.to_string().into_bytes());
        }

        #[test]
        fn reads_damaged_replies_without_panic(
            whole in prop::sample::select(vec![WHOLE, CHUNK, ERROR]),
            place in any::<prop::sample::Index>(),
            damage in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let at = place.index(whole.len());
            let mut body = whole.as_bytes().to_vec();
            body.splice(at..(at + damage.len()).min(whole.len()), damage.iter().copied());
            read(200, body.clone());
            body.truncate(at);
            read(400, body);
        }
    }
}
