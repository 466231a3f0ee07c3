//! Tests with requests of any shape: made as OpenAI's protocol has them, with something odd in any place.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::dialogue::{Part, Turn};
use super::{Call, Dialect, Dialogue, EncodeError, Encoded, can_prefill, encode, unsupported};
use crate::config::Protocol;
use crate::types::ChatRequest;

/// What is nowhere expected.
fn odd() -> impl Strategy<Value = Value> {
    let odd = [json!(null), json!(true), json!(-7), json!(1.5e300), json!(""), json!("odd"), json!([]), json!({})];
    let deep = [json!([null]), json!([[{"type": 3}]]), json!({"type": null}), json!({"function": []}), json!([{}, 1])];
    select([odd.to_vec(), deep.to_vec()].concat())
}

/// What belongs in a place, most of the time.
fn mostly(good: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![12 => good, 1 => odd()].boxed()
}

fn one_of(good: Value) -> BoxedStrategy<Value> {
    mostly(select(good.as_array().unwrap().clone()))
}

fn list(item: impl Strategy<Value = Value> + 'static, most: usize) -> BoxedStrategy<Value> {
    mostly(prop::collection::vec(item, 0..=most).prop_map(Value::from))
}

/// An object with some of the fields.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> =
        fields.into_iter().map(|(name, value)| (Just(name), prop::option::weighted(0.8, value))).collect();
    let object = fields.prop_map(|fields| {
        let said = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(said.collect::<Map<_, _>>())
    });
    mostly(object)
}

fn text() -> BoxedStrategy<Value> {
    mostly("[a-zé日\"\\\\{}\n]{1,8}x".prop_map(Value::from))
}

fn part() -> BoxedStrategy<Value> {
    let urls = json!(["https://x.example/a.png", "data:image/png;base64,AAAA", "data:,", "data:x", "ftp://x", ""]);
    let image = object(vec![("url", one_of(urls)), ("detail", one_of(json!(["low"])))]);
    let with = |kind: &str, name, value| object(vec![("type", one_of(json!([kind]))), (name, value)]);
    prop_oneof![
        4 => with("text", "text", text()),
        1 => with("refusal", "refusal", text()),
        2 => with("image_url", "image_url", image),
        1 => with("input_audio", "input_audio", odd().boxed()),
    ]
    .boxed()
}

fn call() -> BoxedStrategy<Value> {
    let arguments = one_of(json!(["{}", "{\"a\": [1, 2.50]}", "", "ls -l", "[1]", "{\"a\"", {"a": 1}]));
    let function = object(vec![("name", one_of(json!(["f", "g h", ""]))), ("arguments", arguments)]);
    let extra = json!([{"google": {"thought_signature": "s"}, "backstop": {"origin": "target"}}, {"google": 7}]);
    object(vec![
        ("id", one_of(json!(["c1", "c2", "c1", "a very long id, with blanks and signs, of more than forty letters"]))),
        ("type", one_of(json!(["function"]))),
        ("function", function),
        ("extra_content", one_of(extra)),
    ])
}

fn message() -> BoxedStrategy<Value> {
    let roles = json!(["system", "developer", "user", "user", "assistant", "assistant", "tool", "function"]);
    let detail = json!([{"type": "reasoning.text", "text": "hm", "signature": "s", "origin": "target"},
        {"data": "d", "origin": "target"}, {"text": "hm", "origin": "other"}, {"text": "unmarked"}]);
    object(vec![
        ("role", one_of(roles)),
        ("content", prop_oneof![text(), list(part(), 3), Just(Value::Null)].boxed()),
        ("name", one_of(json!(["f"]))),
        ("tool_calls", list(call(), 2)),
        ("tool_call_id", one_of(json!(["c1", "c2", "c3"]))),
        ("refusal", one_of(json!([null, "no"]))),
        ("reasoning_details", list(one_of(detail), 2)),
    ])
}

fn request() -> BoxedStrategy<Value> {
    let schema = json!([{"type": "object", "properties": {"a": {"type": "number"}}}, {"$ref": "#"}, true]);
    let function = object(vec![
        ("name", one_of(json!(["f", "g"]))),
        ("description", text()),
        ("parameters", one_of(schema.clone())),
        ("strict", one_of(json!([true]))),
    ]);
    let tool = object(vec![("type", one_of(json!(["function"]))), ("function", function)]);
    let form = object(vec![("name", text()), ("schema", one_of(schema)), ("strict", one_of(json!([true, false])))]);
    let format = object(vec![("type", one_of(json!(["text", "json_object", "json_schema"]))), ("json_schema", form)]);
    let choice = json!(["auto", "none", "required", {"type": "function", "function": {"name": "f"}}]);
    let effort = json!(["none", "minimal", "low", "high", "xhigh"]);
    let fields = object(vec![
        ("tools", list(tool, 2)),
        ("tool_choice", one_of(choice)),
        ("response_format", format),
        ("reasoning_effort", one_of(effort.clone())),
        ("reasoning", object(vec![("effort", one_of(effort)), ("enabled", one_of(json!([true, false])))])),
        ("stop", one_of(json!(["x", ["x", "y"], []]))),
        ("max_tokens", one_of(json!([1, 0, 4_096, 1e3, -1]))),
        ("temperature", one_of(json!([0, 0.5, 1.0, 7]))),
        ("stream_options", object(vec![("include_usage", one_of(json!([true, false])))])),
        ("parallel_tool_calls", one_of(json!([true, false]))),
        ("thinking", odd().boxed()),
        ("options", odd().boxed()),
        ("n", one_of(json!([1]))),
    ]);
    (fields, prop::collection::vec(message(), 1..6))
        .prop_map(|(mut fields, messages)| {
            if !fields.is_object() {
                fields = json!({});
            }
            fields["messages"] = messages.into();
            fields
        })
        .boxed()
}

/// All texts in a body, one behind another.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(fields) => fields.values().map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// The body for a target that speaks the protocol.
fn check(protocol: Protocol, call: &Call<'_>) -> Result<(), TestCaseError> {
    let refused = unsupported(protocol, call);
    let _ = can_prefill(protocol, call, None);
    let body = match encode(protocol, call) {
        Ok(Encoded { body, .. }) => body,
        Err(EncodeError::Unsupported(what)) => {
            prop_assert_eq!(refused, Some(what), "what cannot be asked for is known before anything is sent");
            return Ok(());
        }
        Err(EncodeError::Invalid { .. }) => return Ok(()),
    };
    prop_assert_eq!(refused, None);
    let body: Value = serde_json::from_slice(&body).unwrap();
    prop_assert!(body.is_object());
    let sent = texts(&body);
    let parts = call.dialogue.turns.iter().flat_map(|turn| if let Turn::User(parts) = turn { &parts[..] } else { &[] });
    for part in parts {
        if let Part::Text(text) = part {
            prop_assert!(sent.contains(text.trim()), "{protocol:?} lost {text:?} of {body}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn requests_of_any_shape_become_valid_json_or_an_error(
        body in request(),
        stream in any::<bool>(),
        prefill in prop::option::of(Just("The answer")),
    ) {
        let Ok(request) = ChatRequest::parse(body.to_string().as_bytes()) else { return Ok(()) };
        let read = Dialogue::read(request.messages());
        let dialogue = read.clone().unwrap_or_default();

        for dialect in ["openai", "mistral", "groq"] {
            let dialect = Dialect::of(dialect, &"http://target.invalid".parse().unwrap());
            let (request, dialogue) = (&request, &dialogue);
            let call =
                Call { request, dialogue, provider: "target", dialect, model: "m", defaults: &[], stream, prefill };
            check(Protocol::OpenAi, &call)?;
            // Messages that cannot be read are sent only to targets that take them as they are.
            if read.is_ok() {
                for protocol in [Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama] {
                    check(protocol, &call)?;
                }
            }
        }
    }
}
