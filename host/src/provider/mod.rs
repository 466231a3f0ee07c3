//! Wire protocols: a request becomes bytes, bytes become a completion or a failure. Pure, no I/O.
//!
//! The caller's protocol is OpenAI's chat protocol. A target that speaks it too receives the caller's own bytes, and
//! its reply passes on as it came. For any other, the messages are read into a [`Dialogue`], the fields into wishes,
//! and the protocol's own folder writes them down as its `request`; its `response` and `stream` read replies into what
//! they say, and `writer` writes that in OpenAI's shape.

// What a request is made of.
mod call;
mod encode_error;
mod dialogue;
mod wishes;
mod dialect;
mod tool_id;
mod arguments;
mod notes;
mod headers;
// What a reply is made of.
mod head;
mod reading;
mod said;
mod completion;
mod chunk;
mod writer;
// The protocols.
mod openai;
mod anthropic;
mod gemini;
mod ollama;
// What became of a request that was not served.
mod classify;
mod rules;
mod error_body;
mod wait;
mod span;
mod quota;
mod redact;
// Reading without trust.
pub(crate) mod json;
mod tokens;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod heard;
#[cfg(test)]
mod any_request;

use bytes::Bytes;

pub use call::{Call, Defaults, Encoded};
pub use chunk::{CallPiece, ChunkFacts, EventFault};
pub use classify::classify;
pub use completion::Completion;
pub use dialect::{Dialect, Prefill};
pub use dialogue::Dialogue;
pub use encode_error::EncodeError;
pub use head::Head;
pub use headers::{HeaderError, headers};
pub use openai::{Vectors, content_filtered, decode_embeddings, encode_embeddings, is_filtered};
pub use quota::quota_left;
pub use reading::Reading;
pub use redact::redact;
pub use wait::wait_named;

use crate::config::Protocol;
use crate::types::Failure;
use wishes::Wishes;

/// Puts a request into a target's wire protocol.
///
/// # Errors
/// When the protocol has no way to say it, or the request is not what OpenAI's protocol has there. Targets of OpenAI's
/// own protocol receive any request.
pub fn encode(protocol: Protocol, call: &Call<'_>) -> Result<Encoded, EncodeError> {
    match protocol {
        Protocol::OpenAi => openai::encode(call),
        Protocol::Anthropic => anthropic::encode(call),
        Protocol::Gemini => gemini::encode(call),
        Protocol::Ollama => ollama::encode(call),
    }
}

/// What of a request a target could not be asked for, in words; `None` where it can be asked. What is merely left out
/// with a note is no such thing.
#[must_use]
pub fn unsupported(protocol: Protocol, call: &Call<'_>) -> Option<String> {
    let check = match protocol {
        Protocol::OpenAi => return None,
        Protocol::Anthropic => anthropic::unsupported,
        Protocol::Gemini => gemini::unsupported,
        Protocol::Ollama => ollama::unsupported,
    };
    match Wishes::read(call) {
        Ok(wishes) => check(call, &wishes),
        Err(EncodeError::Unsupported(what)) => Some(what),
        // The attempt itself will say what is wrong with the request.
        Err(EncodeError::Invalid { .. }) => None,
    }
}

/// The output tokens that each answer to a request is bounded to as a target receives it, thoughts included; `None`
/// where nothing in it bounds them.
#[must_use]
pub fn output_limit(protocol: Protocol, call: &Call<'_>) -> Option<u32> {
    let limit: fn(&Call<'_>, &Wishes<'_>) -> Option<u64> = match protocol {
        Protocol::OpenAi => return call.output_limit(),
        Protocol::Anthropic => |call, wishes| Some(anthropic::output_limit(call, wishes)),
        Protocol::Gemini => |_, wishes| wishes.max_tokens,
        Protocol::Ollama => |_, wishes| ollama::output_limit(wishes),
    };
    // A request that cannot be read is not sent.
    let wishes = Wishes::read(call).ok()?;
    limit(call, &wishes).map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX))
}

/// Whether a target goes on with an answer that has begun; `known` is the operator's own word. Never one that was asked
/// for anything but text.
#[must_use]
pub fn can_prefill(protocol: Protocol, call: &Call<'_>, known: Option<bool>) -> bool {
    let Ok(wishes) = Wishes::read(call) else { return false };
    let plain = !wishes.wants_json() && wishes.choices == 1 && !wishes.logprobs && !wishes.other_modalities;
    let usual = || match protocol {
        Protocol::OpenAi => call.dialect.prefill != Prefill::Never,
        Protocol::Anthropic => anthropic::can_prefill(call, &wishes),
        // Gemini answers a conversation that ends with its own turn as it likes.
        Protocol::Gemini => false,
        Protocol::Ollama => true,
    };
    plain && known.unwrap_or_else(usual)
}

/// Reads a whole reply.
///
/// # Errors
/// When the reply is no completion: an error under any status, no JSON, an empty answer.
pub fn decode(protocol: Protocol, head: &Head<'_>, body: &Bytes, reading: &Reading) -> Result<Completion, Failure> {
    match protocol {
        Protocol::OpenAi => openai::decode(head, body),
        Protocol::Anthropic => anthropic::decode(head, body, reading),
        Protocol::Gemini => gemini::decode(head, body, reading),
        Protocol::Ollama => ollama::decode(head, body, reading),
    }
}

/// Reads the events of one stream, in their order.
#[derive(Debug, Clone)]
pub struct Decoder {
    reading: Reading,
    state: State,
}

/// What must be remembered from one event to the next.
#[derive(Debug, Clone)]
enum State {
    OpenAi,
    Anthropic(anthropic::Stream),
    Gemini(gemini::Stream),
    Ollama(ollama::Stream),
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(protocol: Protocol, reading: Reading) -> Self {
        let state = match protocol {
            Protocol::OpenAi => State::OpenAi,
            Protocol::Anthropic => State::Anthropic(anthropic::Stream::default()),
            Protocol::Gemini => State::Gemini(gemini::Stream::default()),
            Protocol::Ollama => State::Ollama(ollama::Stream::default()),
        };
        Self { reading, state }
    }

    /// Reads one event; `name` is that of its `event:` line, where it has one.
    ///
    /// # Errors
    /// When the event carries an error, or is no chunk at all.
    pub fn decode(&mut self, head: &Head<'_>, name: Option<&str>, data: &[u8]) -> Result<ChunkFacts, EventFault> {
        match &mut self.state {
            State::OpenAi => openai::decode_event(head, name, data),
            State::Anthropic(stream) => stream.decode(head, name, data, &self.reading),
            State::Gemini(stream) => stream.decode(head, data, &self.reading),
            State::Ollama(stream) => stream.decode(head, data, &self.reading),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::types::FailureKind;

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
        let reading = Reading::default();
        for protocol in [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama] {
            let _ = decode(protocol, &head, &body, &reading);
            for name in [None, Some("error")] {
                let mut decoder = Decoder::new(protocol, reading.clone());
                let _ = decoder.decode(&head, name, &body);
                let _ = decoder.decode(&head, name, &body);
            }
        }
    }

    // RELIABILITY 70
    #[test]
    fn takes_a_reply_nested_ten_thousand_deep_for_no_completion_and_never_overflows_the_stack() {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        let deep = |open: &str, close: &str| [open.repeat(10_000), "1".to_owned(), close.repeat(10_000)].concat();
        for deep in [deep("[", "]"), deep(r#"{"content":"#, "}")] {
            for around in [
                "DEEP",
                r#"{"choices":DEEP}"#,
                r#"{"choices":[{"message":DEEP,"finish_reason":"stop"}]}"#,
                r#"{"type":"message","content":DEEP}"#,
                r#"{"candidates":DEEP}"#,
                r#"{"candidates":[{"content":{"parts":DEEP}}]}"#,
                r#"{"message":DEEP,"done":true}"#,
            ] {
                let whole = around.replace("DEEP", &deep);
                let cut = whole.get(..whole.len() / 2).unwrap().to_owned();
                for body in [whole, cut].map(Bytes::from) {
                    for protocol in [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama] {
                        let failure = decode(protocol, &head, &body, &Reading::default()).unwrap_err();
                        let _ = Decoder::new(protocol, Reading::default()).decode(&head, None, &body);

                        assert_eq!(failure.kind, FailureKind::MalformedReply, "{protocol:?}: {around}");
                    }
                }
            }
            read(500, format!(r#"{{"error":{{"message":{deep},"details":{deep}}}}}"#).into_bytes());
        }
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
