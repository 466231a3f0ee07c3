//! A chat request on the wire: the caller's own JSON, a model's name, and defaults where the caller said nothing.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use indexmap::IndexMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use thiserror::Error;

use crate::config::GenerationDefaults;
use crate::types::ChatRequest;

/// One request as one target is to receive it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What the caller wants.
    pub request: &'a ChatRequest,
    /// The target's own id of the model.
    pub model: &'a str,
    /// Layers of fields for what the request leaves open; an earlier layer wins over a later one.
    pub defaults: &'a [Defaults<'a>],
    /// Whether the reply is to come as a stream.
    pub stream: bool,
}

/// One layer of defaults.
#[derive(Debug, Clone, Copy)]
pub enum Defaults<'a> {
    /// Body fields, such as those of a purpose.
    Fields(&'a IndexMap<String, serde_json::Value>),
    /// Generation settings of a provider or of the whole configuration. Left out for models that take none.
    Generation(&'a GenerationDefaults),
}

/// Why a request has no headers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The key has a line break or another character that no header may carry.
    #[error("the key holds a character that no HTTP header may carry (a line break?): set it anew")]
    Key,
    /// One of the operator's own headers is none.
    #[error("headers.{0} is not a header name with a value of visible characters")]
    Own(String),
}

/// The fields that have ways of their own into the body.
const SET_ELSEWHERE: [&str; 4] = ["model", "messages", "stream", "stream_options"];

/// The two names of one limit: a body with both is refused.
const OUTPUT_LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// The headers of a request: the key as a bearer token, the operator's own over ours.
pub(in crate::provider) fn headers(
    key: Option<&SecretString>,
    own: &IndexMap<String, String>,
    stream: bool,
) -> Result<HeaderMap, HeaderError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accepted = if stream { "text/event-stream" } else { "application/json" };
    headers.insert(ACCEPT, HeaderValue::from_static(accepted));
    if let Some(key) = key {
        let bearer = format!("Bearer {}", key.expose_secret());
        let mut value = HeaderValue::from_str(&bearer).map_err(|_| HeaderError::Key)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in own {
        let error = || HeaderError::Own(name.clone());
        let header: HeaderName = name.parse().map_err(|_| error())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| error())?;
        // What an operator adds by hand may well be a second key.
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// The body of a request. What the caller sent is copied byte for byte.
pub(in crate::provider) fn encode(call: &Call<'_>) -> Bytes {
    let mut body = Body::open();
    body.field("model", &call.model);
    body.field("messages", &call.request.messages());
    for (name, value) in call.request.fields() {
        if !SET_ELSEWHERE.contains(&name.as_str()) {
            body.field(name, value);
        }
    }
    for layer in call.defaults {
        match layer {
            Defaults::Fields(fields) => fields.iter().for_each(|(name, value)| body.default(name, value)),
            Defaults::Generation(settings) => add_generation(&mut body, settings, call.model),
        }
    }
    if call.stream {
        body.field("stream", &true);
        match call.request.fields().get("stream_options") {
            Some(options) => body.field("stream_options", options),
            None => body.field("stream_options", &IndexMap::from([("include_usage", true)])),
        }
    }
    body.close()
}

fn add_generation(body: &mut Body, settings: &GenerationDefaults, model: &str) {
    let fixed = has_fixed_sampling(model);
    if let Some(temperature) = settings.temperature.filter(|_| !fixed) {
        body.default("temperature", &temperature);
    }
    if let Some(tokens) = settings.max_tokens {
        body.default(if fixed { "max_completion_tokens" } else { "max_tokens" }, &tokens);
    }
}

/// OpenAI's reasoning models refuse `max_tokens` and any `temperature` but their own. A caller who sets them is told so by
/// the provider; a default of ours must not break the request.
fn has_fixed_sampling(model: &str) -> bool {
    let id = model.rsplit('/').next().unwrap_or(model);
    ["o1", "o3", "o4", "gpt-5"].iter().any(|family| {
        id.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', ':', '@']))
    })
}

/// A JSON object under construction, each name at most once.
struct Body {
    json: BytesMut,
    names: Vec<String>,
}

impl Body {
    fn open() -> Self {
        Self { json: BytesMut::from(&b"{"[..]), names: Vec::new() }
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        // Only a value that is no JSON fails, such as NaN or a map with keys that are no strings: it is left out.
        let (Ok(key), Ok(value)) = (serde_json::to_string(name), serde_json::to_string(value)) else { return };
        if !self.names.is_empty() {
            self.json.put_u8(b',');
        }
        self.json.extend_from_slice(key.as_bytes());
        self.json.put_u8(b':');
        self.json.extend_from_slice(value.as_bytes());
        self.names.push(name.to_owned());
    }

    fn default(&mut self, name: &str, value: &impl Serialize) {
        let said = |name: &str| self.names.iter().any(|taken| taken == name);
        let taken =
            if OUTPUT_LIMITS.contains(&name) { OUTPUT_LIMITS.iter().any(|name| said(name)) } else { said(name) };
        if !taken && !SET_ELSEWHERE.contains(&name) {
            self.field(name, value);
        }
    }

    fn close(mut self) -> Bytes {
        self.json.put_u8(b'}');
        self.json.freeze()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Purpose;

    fn body(call: &Call<'_>) -> String {
        String::from_utf8(encode(call).to_vec()).unwrap()
    }

    fn call<'a>(request: &'a ChatRequest, model: &'a str, defaults: &'a [Defaults<'a>]) -> Call<'a> {
        Call { request, model, defaults, stream: false }
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

    #[test]
    fn hides_the_key_from_whoever_prints_the_headers() {
        let key = SecretString::from("sk-canary");
        let own = IndexMap::from([("x-title".to_owned(), "Backstop".to_owned())]);

        let headers = headers(Some(&key), &own, true).unwrap();

        assert_eq!(headers[AUTHORIZATION], "Bearer sk-canary");
        assert_eq!(headers[ACCEPT], "text/event-stream");
        assert!(!format!("{headers:?}").contains("canary"));
    }

    #[test]
    fn refuses_a_key_with_a_line_break() {
        let key = SecretString::from("sk-a\nb");
        let own = IndexMap::from([("bad name".to_owned(), String::new())]);

        assert_eq!(headers(Some(&key), &IndexMap::new(), false), Err(HeaderError::Key));
        assert_eq!(headers(None, &own, false), Err(HeaderError::Own("bad name".to_owned())));
    }
}
