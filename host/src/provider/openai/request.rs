//! A chat request on the wire: the caller's own JSON, a model's name, and defaults where the caller said nothing.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::{adapted, history};
use crate::provider::call::{Call, Encoded};
use crate::provider::dialect::Prefill;
use crate::provider::encode_error::EncodeError;
use crate::types::ChatRequest;

/// Bytes for the model's name and what is added to most requests.
const ROOM_BESIDES: usize = 192;

/// Asks for the tokens of a stream.
#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The end of a conversation that a provider is to go on with.
#[derive(Serialize)]
struct Begun<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<bool>,
}

/// The body of a request. What the caller sent is copied byte for byte, but for what another provider made in earlier turns.
pub(in crate::provider) fn encode(call: &Call<'_>) -> Result<Encoded, EncodeError> {
    let mut notes = Vec::new();
    let mut body = Body::with_room_for(call.request);
    body.field("model", &call.model);
    body.name("messages");
    history::write(&mut body.json, &adapted::messages(call.request), call.dialect, &mut notes);
    if let Some(begun) = call.prefill {
        let prefix = (call.dialect.prefill == Prefill::Marked).then_some(true);
        body.add_to_list(&Begun { role: "assistant", content: begun, prefix });
    }
    for (name, value) in call.fields() {
        if let Some((name, value)) = adapted::field(call, (name, value), &mut notes) {
            body.field(&name, &value);
        }
    }
    if call.stream {
        body.field("stream", &true);
        match call.request.fields().get("stream_options") {
            Some(options) => body.field("stream_options", options),
            None => body.field("stream_options", &StreamOptions { include_usage: true }),
        }
    }
    let reading = call.reading();
    Ok(Encoded { body: body.close(), reading, notes })
}

/// A JSON object under construction.
pub(super) struct Body {
    json: BytesMut,
}

impl Body {
    pub(super) fn open() -> Self {
        Self { json: BytesMut::from(&b"{"[..]) }
    }

    /// An open object with room for what a request holds: grown piece by piece, it would be copied several times over.
    fn with_room_for(request: &ChatRequest) -> Self {
        let messages: usize = request.messages().iter().map(|message| message.get().len() + 1).sum();
        let fields: usize = request.fields().iter().map(|(name, value)| name.len() + value.get().len() + 4).sum();
        let mut json = BytesMut::with_capacity(messages + fields + ROOM_BESIDES);
        json.put_u8(b'{');
        Self { json }
    }

    fn name(&mut self, name: &str) {
        if self.json.len() > 1 {
            self.json.put_u8(b',');
        }
        self.write(name);
        self.json.put_u8(b':');
    }

    pub(super) fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.name(name);
        self.write(value);
    }

    /// Adds an item to the list that was written last.
    fn add_to_list(&mut self, item: &impl Serialize) {
        self.json.truncate(self.json.len().saturating_sub(1));
        self.json.put_u8(b',');
        self.write(item);
        self.json.put_u8(b']');
    }

    fn write(&mut self, value: &(impl Serialize + ?Sized)) {
        // Writing text, numbers and JSON that was read before cannot fail.
        let _ = serde_json::to_writer((&mut self.json).writer(), value);
    }

    pub(super) fn close(mut self) -> Bytes {
        self.json.put_u8(b'}');
        self.json.freeze()
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde_json::json;

    use super::*;
    use crate::config::{GenerationDefaults, Purpose};
    use crate::provider::{Defaults, Dialect, Dialogue};

    const NO_DIALOGUE: &Dialogue<'static> = &Dialogue { turns: Vec::new() };

    fn body(call: &Call<'_>) -> String {
        String::from_utf8(encode(call).unwrap().body.to_vec()).unwrap()
    }

    fn call<'a>(request: &'a ChatRequest, model: &'a str, defaults: &'a [Defaults<'a>]) -> Call<'a> {
        let dialect = Dialect::of("p", &"http://localhost".parse().unwrap());
        Call { request, dialogue: NO_DIALOGUE, provider: "p", dialect, model, defaults, stream: false, prefill: None }
    }

    #[test]
    fn copies_what_the_caller_sent_byte_for_byte() {
        let sent =
            br#"{"model":"default","messages":[{"role":"user","content":"h\u00e9"}],"top_p":1.0e-1,"x":{"b":1,"a":2}}"#;
        let request = ChatRequest::parse(sent).unwrap();

        insta::assert_snapshot!(
            body(&call(&request, "llama \"3\"", &[])),
            @r#"{"model":"llama \"3\"","messages":[{"role":"user","content":"h\u00e9"}],"top_p":1.0e-1,"x":{"b":1,"a":2}}"#
        );
    }

    #[test]
    fn asks_a_stream_for_its_usage_unless_the_caller_said_otherwise() {
        let silent = ChatRequest::ask("hi");
        let outspoken = ChatRequest::ask("hi").with_field("stream_options", &json!({"include_usage": false}));

        insta::assert_snapshot!(
            body(&Call { stream: true, ..call(&silent, "m", &[]) }),
            @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#
        );
        insta::assert_snapshot!(
            body(&Call { stream: true, ..call(&outspoken, "m", &[]) }),
            @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":false}}"#
        );
        assert!(!body(&call(&outspoken, "m", &[])).contains("stream"));
    }

    #[test]
    fn fills_in_defaults_only_where_the_request_says_nothing() {
        let request = ChatRequest::ask("hi").with_field("temperature", &0);
        let purposes = Purpose::built_in();
        let own = GenerationDefaults { temperature: Some(0.7), max_tokens: Some(1_000) };
        let layers = [Defaults::Fields(&purposes["title"].fields), Defaults::Generation(&own)];

        insta::assert_snapshot!(
            body(&call(&request, "m", &layers)),
            @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0,"max_tokens":24}"#
        );
    }

    #[test]
    fn never_sets_both_names_of_the_output_limit() {
        let request = ChatRequest::ask("hi").with_field("max_completion_tokens", &5);
        let own = GenerationDefaults { temperature: None, max_tokens: Some(1_000) };

        assert!(!body(&call(&request, "m", &[Defaults::Generation(&own)])).contains("max_tokens"));
    }

    #[test]
    fn spares_models_of_fixed_sampling_our_defaults() {
        let request = ChatRequest::ask("hi");
        let own = GenerationDefaults { temperature: Some(0.7), max_tokens: Some(9) };

        for model in ["o1", "o3-mini", "openai/gpt-5-nano", "gpt-5.2"] {
            let body = body(&call(&request, model, &[Defaults::Generation(&own)]));
            assert!(body.ends_with(r#","max_completion_tokens":9}"#), "{body}");
        }
        for model in ["gpt-4o", "o100", "gpt-50"] {
            let body = body(&call(&request, model, &[Defaults::Generation(&own)]));
            assert!(body.ends_with(r#","temperature":0.7,"max_tokens":9}"#), "{body}");
        }
    }

    #[test]
    fn no_field_can_take_the_place_of_model_or_stream() {
        let request = ChatRequest::ask("hi").with_field("model", &"other").with_field("stream", &true);
        let fields = json!({"model": "other", "messages": [], "n": 1});
        let fields: IndexMap<String, serde_json::Value> = serde_json::from_value(fields).unwrap();

        let body = body(&call(&request, "m", &[Defaults::Fields(&fields)]));

        assert_eq!(body, r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"n":1}"#);
    }
}
