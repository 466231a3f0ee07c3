//! A chat request: an OpenAI-shaped body taken apart one level deep, and what the caller wants of Backstop itself.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::unsaid::Unsaid;
use super::{KeyAccount, TraceParent};

/// The answers a request may ask for at once: OpenAI's own bound.
const MOST_ANSWERS: u32 = 128;

/// A chat request in OpenAI's shape. Fields that Backstop does not know travel to the provider as they came.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    messages: Vec<Box<RawValue>>,
    fields: IndexMap<String, Box<RawValue>>,
    /// What the caller named in `model`: a route, `provider/model`, or a model's id.
    pub model: Option<String>,
    /// Whether the reply is to come as a stream.
    pub stream: bool,
    /// Only this provider's targets are to be used.
    pub provider: Option<String>,
    /// The purpose preset to apply, such as `moderation`.
    pub purpose: Option<String>,
    /// Words about the request for logs, records and the strategy, such as `("context", "moderation")`.
    pub labels: Vec<(String, String)>,
    /// How long the whole request may take; the route's deadline where nothing is said.
    pub deadline: Option<Duration>,
    /// The text to answer with, marked as degraded, when every provider failed.
    pub fallback_text: Option<String>,
    /// The span of the caller's own trace that the request belongs to.
    pub parent: Option<TraceParent>,
    /// The gateway's key it came with, and what may be spent with it.
    pub key: Option<KeyAccount>,
    /// What the caller said in Anthropic's protocol, where it was that, and OpenAI's has no word for.
    pub(crate) unsaid: Option<Box<Unsaid>>,
}

/// What a target must be capable of to serve a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The request defines tools.
    pub tools: bool,
    /// The request holds the answer to JSON.
    pub json: bool,
    /// The request shows images.
    pub vision: bool,
    /// Input tokens, estimated from above: a third of the bytes, and a little for each message.
    pub input_tokens: u32,
    /// Output tokens the request asks for at most, where it says.
    pub max_output_tokens: Option<u32>,
}

/// Why a body is not a request. Worded for the client who sent it.
#[derive(Debug, Error)]
pub enum ParseRequestError {
    /// Not JSON, or no object.
    #[error("the request body is not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    /// `messages` is missing, empty, or no list of objects.
    #[error("messages must be a list with at least one message")]
    NoMessages,
    /// A known field has a value of the wrong type.
    #[error("{field} must be {expected}")]
    WrongType {
        /// Which field.
        field: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

#[derive(Serialize)]
struct PlainMessage<'a> {
    role: &'a str,
    content: &'a str,
}

/// As much of a message as `Needs` looks at.
#[derive(Deserialize)]
struct MessageView<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PartView<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
}

impl ChatRequest {
    /// A request with no message yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            messages: Vec::new(),
            fields: IndexMap::new(),
            model: None,
            stream: false,
            provider: None,
            purpose: None,
            labels: Vec::new(),
            deadline: None,
            fallback_text: None,
            parent: None,
            key: None,
            unsaid: None,
        }
    }

    /// A request with messages in OpenAI's shape, which whoever calls this has made sure of.
    #[cfg(feature = "gateway")]
    pub(crate) fn of_messages(messages: Vec<Box<RawValue>>) -> Self {
        Self { messages, ..Self::new() }
    }

    /// A request with one message of the user.
    #[must_use]
    pub fn ask(question: &str) -> Self {
        Self::new().with_message("user", question)
    }

    /// Reads an OpenAI-shaped request body.
    ///
    /// # Errors
    /// When the body is no JSON object, `messages` is missing or empty, or `model` or `stream` has the wrong type.
    pub fn parse(body: &[u8]) -> Result<Self, ParseRequestError> {
        let mut fields: IndexMap<String, Box<RawValue>> =
            serde_json::from_slice(body).map_err(ParseRequestError::NotAnObject)?;
        let messages = fields.shift_remove("messages").ok_or(ParseRequestError::NoMessages)?;
        let messages: Vec<Box<RawValue>> =
            serde_json::from_str(messages.get()).map_err(|_| ParseRequestError::NoMessages)?;
        if messages.is_empty() || !messages.iter().all(|message| message.get().starts_with('{')) {
            return Err(ParseRequestError::NoMessages);
        }
        for field in ["max_tokens", "max_completion_tokens"] {
            hold_to(&fields, field, 1..=u32::MAX, "a whole number of at least 1")?;
        }
        hold_to(&fields, "n", 1..=MOST_ANSWERS, "a whole number from 1 to 128")?;
        let model = take(&mut fields, "model", "a string")?;
        let stream = take(&mut fields, "stream", "true or false")?.unwrap_or(false);
        Ok(Self { messages, fields, model, stream, ..Self::new() })
    }

    /// Adds a message of plain text. `role` is `system`, `user` or `assistant`.
    #[must_use]
    pub fn with_message(mut self, role: &str, content: &str) -> Self {
        self.messages.extend(raw(&PlainMessage { role, content }));
        self
    }

    /// Adds a message of any OpenAI shape, such as a tool's result.
    #[must_use]
    pub fn with_raw_message(mut self, message: &serde_json::Value) -> Self {
        self.messages.extend(raw(message));
        self
    }

    /// Sets a field of the request body, such as `temperature`. `messages`, `model` and `stream` have their own ways.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &impl Serialize) -> Self {
        if let Some(value) = raw(value) {
            self.fields.insert(name.to_owned(), value);
        }
        self
    }

    /// Names a route, a target (`provider/model`) or a model's id.
    #[must_use]
    pub fn with_model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// Leaves only one provider's targets.
    #[must_use]
    pub fn with_provider(mut self, provider: &str) -> Self {
        self.provider = Some(provider.to_owned());
        self
    }

    /// Picks a purpose preset.
    #[must_use]
    pub fn with_purpose(mut self, purpose: &str) -> Self {
        self.purpose = Some(purpose.to_owned());
        self
    }

    /// Sets how long the whole request may take.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the text to answer with, marked as degraded, when every provider failed.
    #[must_use]
    pub fn with_fallback_text(mut self, text: &str) -> Self {
        self.fallback_text = Some(text.to_owned());
        self
    }

    /// Adds a word about the request for logs, records and the strategy.
    #[must_use]
    pub fn with_label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The messages, each as the JSON it came as.
    #[must_use]
    pub fn messages(&self) -> &[Box<RawValue>] {
        &self.messages
    }

    /// All other fields of the body but `model` and `stream`, as the JSON they came as, in their order.
    #[must_use]
    pub fn fields(&self) -> &IndexMap<String, Box<RawValue>> {
        &self.fields
    }

    /// Takes a field out of the body, so that it is not sent.
    pub fn take_field(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.fields.shift_remove(name)
    }

    /// What a target must be capable of.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let message_bytes: usize = self.messages.iter().map(|message| message.get().len() / 3 + 8).sum();
        let tool_bytes = self.fields.get("tools").map_or(0, |tools| tools.get().len() / 3);
        let format = self.fields.get("response_format").map_or("", |format| format.get());
        Needs {
            tools: self.fields.get("tools").is_some_and(|tools| !matches!(tools.get().trim(), "null" | "[]")),
            json: format.contains("\"json_object\"") || format.contains("\"json_schema\""),
            vision: self.messages.iter().any(|message| shows_image(message)),
            input_tokens: u32::try_from(message_bytes + tool_bytes).unwrap_or(u32::MAX),
            max_output_tokens: self.number("max_completion_tokens").or_else(|| self.number("max_tokens")),
        }
    }

    fn number(&self, field: &str) -> Option<u32> {
        serde_json::from_str(self.fields.get(field)?.get()).ok()
    }
}

impl Default for ChatRequest {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) fn raw(value: &impl Serialize) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(value).ok()
}

pub(super) fn take<T: serde::de::DeserializeOwned>(
    fields: &mut IndexMap<String, Box<RawValue>>,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<T>, ParseRequestError> {
    let Some(value) = fields.shift_remove(field) else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|_| ParseRequestError::WrongType { field, expected })
}

/// Holds a field that bounds what the request may cost to numbers that do; `null` is as good as nothing.
fn hold_to(
    fields: &IndexMap<String, Box<RawValue>>,
    field: &'static str,
    range: RangeInclusive<u32>,
    expected: &'static str,
) -> Result<(), ParseRequestError> {
    let Some(value) = fields.get(field) else { return Ok(()) };
    match serde_json::from_str::<Option<u32>>(value.get()) {
        Ok(number) if number.is_none_or(|number| range.contains(&number)) => Ok(()),
        _ => Err(ParseRequestError::WrongType { field, expected }),
    }
}

fn shows_image(message: &RawValue) -> bool {
    let Ok(MessageView { content: Some(content) }) = serde_json::from_str(message.get()) else { return false };
    // Plain text, as nearly always: no error has to be made to find that out.
    if !content.get().starts_with('[') {
        return false;
    }
    let Ok(parts) = serde_json::from_str::<Vec<PartView<'_>>>(content.get()) else { return false };
    parts.iter().any(|part| part.kind == "image_url")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keeps_unknown_fields_as_they_came() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"x":{"n":1.50e3}}"#;

        let request = ChatRequest::parse(body).unwrap();

        assert_eq!(request.model.as_deref(), Some("m"));
        assert!(request.stream);
        assert_eq!(request.messages()[0].get(), r#"{"role":"user","content":"hi"}"#);
        assert_eq!(request.fields()["x"].get(), r#"{"n":1.50e3}"#);
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        for (body, says) in [
            (r"[]", "the request body is not a JSON object"),
            (r"{}", "messages must be a list with at least one message"),
            (r#"{"messages":[]}"#, "messages must be a list with at least one message"),
            (r#"{"messages":[{}],"stream":"yes"}"#, "stream must be true or false"),
            (r#"{"messages":[7]}"#, "messages must be a list with at least one message"),
            (r#"{"messages":[{}],"model":7}"#, "model must be a string"),
            (r#"{"messages":[{}],"max_tokens":-1}"#, "max_tokens must be a whole number of at least 1"),
            (r#"{"messages":[{}],"max_completion_tokens":"10"}"#, "max_completion_tokens must be a whole number"),
            (r#"{"messages":[{}],"n":1000000}"#, "n must be a whole number from 1 to 128"),
        ] {
            let error = ChatRequest::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(says), "{body}: {error}");
        }
    }

    #[test]
    fn tells_what_the_request_needs() {
        let image =
            json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]});

        let needs = ChatRequest::new()
            .with_raw_message(&image)
            .with_field("tools", &json!([{"type": "function"}]))
            .with_field("response_format", &json!({"type": "json_object"}))
            .with_field("max_tokens", &40)
            .needs();

        assert!(needs.tools && needs.json && needs.vision);
        assert_eq!(needs.max_output_tokens, Some(40));
        assert_eq!(ChatRequest::ask("hi").needs(), Needs { input_tokens: 18, ..Needs::default() });
    }
}
