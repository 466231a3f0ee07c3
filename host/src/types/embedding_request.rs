//! A request for embeddings: an OpenAI-shaped body taken apart one level deep, and what the caller wants of Backstop itself.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::embedding_input::InputSize;
use super::fields::{Apart, Fields, raw, read, take_apart};
use super::{KeyAccount, Needs, ParseRequestError, TraceParent};

/// A request for embeddings in OpenAI's shape. Fields that Backstop does not know travel to the provider as they came.
#[derive(Debug, Clone)]
pub struct EmbeddingRequest {
    input: Box<RawValue>,
    size: InputSize,
    fields: Fields,
    /// What the caller named in `model`: an embedding model, or `provider/model` for that provider first.
    pub model: String,
    /// Only this provider is to be used.
    pub provider: Option<String>,
    /// Words about the request for logs, records and the strategy, such as `("context", "search")`.
    pub labels: Vec<(String, String)>,
    /// How long the whole request may take; the default route's deadline where nothing is said.
    pub deadline: Option<Duration>,
    /// The span of the caller's own trace that the request belongs to.
    pub parent: Option<TraceParent>,
    /// The gateway's key it came with, and what may be spent with it.
    pub key: Option<KeyAccount>,
}

impl EmbeddingRequest {
    /// A request for the embeddings of these texts, in their order.
    ///
    /// # Errors
    /// When there is no text.
    pub fn of_texts<T: AsRef<str>>(model: &str, texts: impl IntoIterator<Item = T>) -> Result<Self, ParseRequestError> {
        let texts: Vec<T> = texts.into_iter().collect();
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        Self::new(model.to_owned(), raw(&texts), Fields::default())
    }

    /// Reads an OpenAI-shaped request body.
    ///
    /// # Errors
    /// When the body is no JSON object, `model` is missing or no text, or `input` holds nothing to embed.
    pub fn parse(body: &[u8]) -> Result<Self, ParseRequestError> {
        let Apart { known: [model, input], others } = take_apart(body, ["model", "input"])?;
        let expected = "a string: an embedding model, or provider/model";
        let model: Option<String> = read(model, "model", expected)?;
        let model = model.ok_or(ParseRequestError::WrongType { field: "model", expected })?;
        Self::new(model, input.map(ToOwned::to_owned), others)
    }

    /// Sets a field of the request body, such as `dimensions`. `input` and `model` have their own ways.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &impl Serialize) -> Self {
        if let Some(value) = raw(value) {
            self.fields.insert(name.to_owned(), value);
        }
        self
    }

    /// Leaves only one provider.
    #[must_use]
    pub fn with_provider(mut self, provider: &str) -> Self {
        self.provider = Some(provider.to_owned());
        self
    }

    /// Sets how long the whole request may take.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Adds a word about the request for logs, records and the strategy.
    #[must_use]
    pub fn with_label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What is to be embedded, as the JSON it came as.
    #[must_use]
    pub fn input(&self) -> &RawValue {
        &self.input
    }

    /// How many vectors are asked for.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.size.inputs
    }

    /// All other fields of the body but `model`, as the JSON they came as, in their order.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Takes a field out of the body, so that it is not sent.
    pub fn take_field(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.fields.shift_remove(name)
    }

    /// What it takes to serve the request: input tokens alone, for vectors have none.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (input_tokens, input_bound) = (count(self.size.tokens), count(self.size.bound));
        Needs { input_tokens, input_bound, max_output_tokens: Some(0), ..Needs::default() }
    }

    fn new(model: String, input: Option<Box<RawValue>>, fields: Fields) -> Result<Self, ParseRequestError> {
        let size = input.as_ref().and_then(|input| InputSize::of(input));
        let (Some(input), Some(size)) = (input, size) else {
            let expected = "a text, a list of texts, a list of tokens or a list of such lists, and not empty";
            return Err(ParseRequestError::WrongType { field: "input", expected });
        };
        Ok(Self {
            input,
            size,
            fields,
            model,
            provider: None,
            labels: Vec::new(),
            deadline: None,
            parent: None,
            key: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_unknown_fields_as_they_came() {
        let body = br#"{"input":"hi","dimensions":2.560e2,"model":"m","encoding_format":"base64","x":[1]}"#;

        let request = EmbeddingRequest::parse(body).unwrap();

        assert_eq!((request.model.as_str(), request.input().get(), request.inputs()), ("m", r#""hi""#, 1));
        assert_eq!(request.fields()["dimensions"].get(), "2.560e2");
        assert_eq!(request.fields().keys().collect::<Vec<_>>(), ["dimensions", "encoding_format", "x"]);
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        for (body, says) in [
            (r"[]", "the request body is not a JSON object"),
            (r#"{"input":"hi"}"#, "model must be a string"),
            (r#"{"input":"hi","model":7}"#, "model must be a string"),
            (r#"{"model":"m"}"#, "input must be a text, a list of texts"),
            (r#"{"model":"m","input":""}"#, "input must be a text, a list of texts"),
            (r#"{"model":"m","input":[]}"#, "input must be a text, a list of texts"),
            (r#"{"model":"m","input":{"text":"hi"}}"#, "input must be a text, a list of texts"),
        ] {
            let error = EmbeddingRequest::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(says), "{body}: {error}");
        }
        assert!(EmbeddingRequest::of_texts("m", [""; 0]).is_err());
    }

    #[test]
    fn needs_tokens_of_input_and_none_of_output() {
        let needs = EmbeddingRequest::of_texts("m", ["hi", "there"]).unwrap().needs();

        assert_eq!(needs, Needs { input_tokens: 17, input_bound: 23, max_output_tokens: Some(0), ..Needs::default() });
    }
}
