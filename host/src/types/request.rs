//! A chat request: an OpenAI-shaped body taken apart one level deep, and what the caller wants of Backstop itself.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::chat_input::ChatInput;
use super::fields::{Apart, Fields, raw, read, take_apart};
use super::unsaid::Unsaid;
use super::{KeyAccount, Purse, TraceParent};

/// The answers a request may ask for at once: OpenAI's own bound.
const MOST_ANSWERS: u32 = 128;

/// A chat request in OpenAI's shape. Fields that Backstop does not know travel to the provider as they came.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    messages: Vec<Box<RawValue>>,
    fields: Fields,
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
    /// Whose request it is, where a reply to it is to be given to nobody else again: one of the gateway's keys, a customer.
    pub tenant: Option<String>,
    /// What the caller wants of the cache of replies, where there is one.
    pub cache: CacheWish,
    /// What the request may cost in all its attempts, and has cost; who keeps the other half of it can read that.
    pub purse: Option<Arc<Purse>>,
    /// The gateway's key it came with, and what may be spent with it.
    pub key: Option<KeyAccount>,
    /// What the caller said in Anthropic's protocol, where it was that, and OpenAI's has no word for.
    pub(crate) unsaid: Option<Box<Unsaid>>,
}

/// What a request may have to do with the cache of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheWish {
    /// A kept reply will do, and the reply may be kept.
    #[default]
    Use,
    /// A reply is to be made anew, and may be kept.
    Refresh,
    /// A reply is to be made anew, and not to be kept.
    Bypass,
}

impl CacheWish {
    /// The wish that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "use" => Some(Self::Use),
            "refresh" => Some(Self::Refresh),
            "bypass" => Some(Self::Bypass),
            _ => None,
        }
    }
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
    /// Input tokens by rule of thumb, which for ordinary text is from above: a third of the bytes, and a little for each message.
    pub input_tokens: u32,
    /// Input tokens that the text cannot exceed, whatever is in it: what budgets reckon with.
    pub input_bound: u32,
    /// Images, sounds and files, whose tokens are not in the bound.
    pub media: u32,
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

impl ChatRequest {
    /// A request with no message yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            messages: Vec::new(),
            fields: Fields::default(),
            model: None,
            stream: false,
            provider: None,
            purpose: None,
            labels: Vec::new(),
            deadline: None,
            fallback_text: None,
            parent: None,
            tenant: None,
            cache: CacheWish::Use,
            purse: None,
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
        let Apart { known: [messages, model, stream], others: fields } =
            take_apart(body, ["messages", "model", "stream"])?;
        let messages = messages.ok_or(ParseRequestError::NoMessages)?;
        let messages: Vec<Box<RawValue>> =
            serde_json::from_str(messages.get()).map_err(|_| ParseRequestError::NoMessages)?;
        if messages.is_empty() || !messages.iter().all(|message| message.get().starts_with('{')) {
            return Err(ParseRequestError::NoMessages);
        }
        for field in ["max_tokens", "max_completion_tokens"] {
            hold_to(&fields, field, 1..=u32::MAX, "a whole number of at least 1")?;
        }
        hold_to(&fields, "n", 1..=MOST_ANSWERS, "a whole number from 1 to 128")?;
        let model = read(model, "model", "a string")?;
        let stream = read(stream, "stream", "true or false")?.unwrap_or(false);
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

    /// Says whose request it is: a reply that is kept for it is given to nobody else.
    #[must_use]
    pub fn with_tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// Says what the request has to do with the cache of replies.
    #[must_use]
    pub fn with_cache(mut self, wish: CacheWish) -> Self {
        self.cache = wish;
        self
    }

    /// Bounds what the request may cost in all its attempts together; what it has cost is read from the same value.
    #[must_use]
    pub fn with_purse(mut self, purse: &Arc<Purse>) -> Self {
        self.purse = Some(Arc::clone(purse));
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
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Takes a field out of the body, so that it is not sent.
    pub fn take_field(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.fields.shift_remove(name)
    }

    /// What a target must be capable of.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let input = ChatInput::of(&self.messages, &self.fields);
        let unsaid = self.unsaid.as_ref().map_or(0, |unsaid| unsaid.size());
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let format = self.fields.get("response_format").map_or("", |format| format.get());
        Needs {
            tools: self.fields.get("tools").is_some_and(|tools| !matches!(tools.get().trim(), "null" | "[]")),
            json: format.contains("\"json_object\"") || format.contains("\"json_schema\""),
            vision: input.images > 0,
            input_tokens: count(input.tokens),
            input_bound: count(input.bound + unsaid),
            media: count(input.media),
            max_output_tokens: self.number("max_completion_tokens").or_else(|| self.number("max_tokens")),
        }
    }

    /// How many answers are wanted, where the request says.
    #[must_use]
    pub fn answers(&self) -> Option<u32> {
        self.number("n")
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

/// Holds a field that bounds what the request may cost to numbers that do; `null` is as good as nothing.
fn hold_to(
    fields: &Fields,
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
        assert_eq!(needs.media, 1);
        let plain = Needs { input_tokens: 18, input_bound: 128 + 16 + 30, ..Needs::default() };
        assert_eq!(ChatRequest::ask("hi").needs(), plain);
    }
}
