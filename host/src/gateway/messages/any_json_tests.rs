//! Requests and answers of any shape: nothing of it is to panic, and what is taken can be read by every protocol.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::answer_tests::manner;
use super::manner::Thoughts;
use super::request::{Asked, Bound, read};
use super::request_tests::{CLAUDE, rich};
use super::response::message;
use super::stream::Writer;
use crate::config::Protocol;
use crate::provider::{Call, Dialect, Dialogue, encode};
use crate::types::RequestId;

/// Any JSON, with the names that are looked for.
fn json() -> impl Strategy<Value = Value> {
    let names = [
        "messages",
        "role",
        "content",
        "type",
        "text",
        "source",
        "tools",
        "name",
        "input_schema",
        "tool_choice",
        "thinking",
        "system",
        "max_tokens",
        "choices",
        "delta",
        "message",
        "tool_calls",
        "reasoning_details",
        "function",
        "arguments",
        "id",
        "data",
        "signature",
        "output_config",
        "metadata",
        "x",
    ];
    let words = [
        "user",
        "assistant",
        "text",
        "image",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "document",
        "base64",
        "url",
        "enabled",
        "backstop:{}",
        "backstop:{\"call\":1}",
        "{",
        "\u{0}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.to_vec()), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn reads_any_json_without_panic(value in json()) {
        let text = value.to_string();
        let _ = read(text.as_bytes(), Bound::Required);
        let _ = message(&Bytes::from(text.clone()), None, RequestId(7), &manner(Thoughts::Shown));
        let mut writer = Writer::new(RequestId(7), manner(Thoughts::Shown));
        let _ = writer.write(format!("data: {text}\n\n").as_bytes());
        let _ = writer.write(text.as_bytes());
        let _ = writer.end(None, None);
    }

    #[test]
    fn reads_any_place_of_a_request_without_panic(value in json(), place in any::<prop::sample::Index>()) {
        let mut body = rich();
        let places = ["/system", "/messages", "/messages/0", "/messages/0/content", "/messages/0/content/1", "/messages/1/content/1",
            "/messages/0/content/1/source", "/messages/2/content/0", "/messages/2/content/0/content", "/tools", "/tools/0",
            "/tool_choice", "/output_config", "/metadata", "/max_tokens"];
        let place: &&str = place.get(&places[..]);
        *body.pointer_mut(place).unwrap() = value;
        if let Ok(Asked { request, .. }) = read(body.to_string().as_bytes(), Bound::Required) {
            let Ok(dialogue) = Dialogue::read(request.messages()) else { panic!("unreadable: {:?}", request.messages()) };
            for protocol in [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama] {
                let dialect = Dialect::of("p", &"http://localhost".parse().unwrap());
                let (request, dialogue) = (&request, &dialogue);
                let call = Call { request, dialogue, provider: "p", dialect, model: CLAUDE, defaults: &[], stream: false, prefill: None };
                let _ = encode(protocol, &call);
            }
        }
    }
}
