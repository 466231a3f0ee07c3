//! One question: what a line of the file asks, and in which shape its answer is wanted.

use std::fmt;

use backstop::types::{ChatRequest, ParseRequestError};
use indexmap::IndexMap;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::cli::args::WishArgs;
use crate::cli::request;

use super::input::{Input, Lines};

/// The one address of OpenAI's batches that is a chat.
const CHAT: &str = "/v1/chat/completions";

/// How the lines of a file are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Each is JSON of one of the known shapes.
    Json,
    /// Each is a question as it stands.
    Text,
}

/// Which of the known shapes a line has, and its answer will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A text to ask: the answer's text is what is wanted.
    Prompt,
    /// The body of a chat: the whole reply is wanted, too.
    Body,
    /// A line of OpenAI's batch input, answered by a line of its output.
    OpenAi,
}

/// A question that can be asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: ChatRequest,
    pub(crate) shape: Shape,
    /// The line's own name, where it has one.
    pub(crate) custom_id: Option<String>,
}

/// Why a line is no question.
#[derive(Debug)]
pub(crate) struct BadLine(pub(crate) String);

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ParseRequestError> for BadLine {
    fn from(error: ParseRequestError) -> Self {
        Self(error.to_string())
    }
}

impl Form {
    /// The form of a file: text where none of its lines is JSON of a shape that could be meant.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of(input: &Input) -> anyhow::Result<Self> {
        let mut lines: Lines = input.lines()?;
        while let Some(line) = lines.next()? {
            let could_be = matches!(line.text.first(), Some(b'{' | b'"'));
            if could_be && serde_json::from_slice::<&RawValue>(&line.text).is_ok() {
                return Ok(Self::Json);
            }
        }
        Ok(Self::Text)
    }
}

impl Question {
    /// Reads a line, and applies the flags over what it says itself.
    ///
    /// # Errors
    /// When it is no question, in words for whoever wrote it.
    pub(crate) fn read(text: &[u8], form: Form, wish: &WishArgs) -> Result<Self, BadLine> {
        let mut question = match (form, text.first()) {
            (Form::Text, _) => {
                let text = str::from_utf8(text).map_err(|_| BadLine("it is not UTF-8 text".to_owned()))?;
                Self::ask(text, wish)?
            }
            (Form::Json, Some(b'"')) => {
                let text: String = serde_json::from_slice(text).map_err(|error| BadLine(not_json(&error)))?;
                Self::ask(&text, wish)?
            }
            (Form::Json, _) => Self::read_object(text, wish)?,
        };
        // A batch waits for whole answers: a stream would be put together again.
        question.request.stream = false;
        question.request.take_field("stream_options");
        Ok(question)
    }

    fn ask(text: &str, wish: &WishArgs) -> Result<Self, BadLine> {
        if text.trim().is_empty() {
            return Err(BadLine("the question is empty".to_owned()));
        }
        let request = request::request(wish).with_message("user", text);
        Ok(Self { request, shape: Shape::Prompt, custom_id: None })
    }

    fn read_object(text: &[u8], wish: &WishArgs) -> Result<Self, BadLine> {
        let mut fields: IndexMap<String, Box<RawValue>> =
            serde_json::from_slice(text).map_err(|error| BadLine(not_json(&error)))?;
        if fields.contains_key("body") {
            return Self::read_openai(&fields, wish);
        }
        let custom_id = fields.shift_remove("custom_id").map(|id| own_name(&id)).transpose()?;
        if fields.contains_key("messages") {
            let body = serde_json::to_vec(&fields).map_err(|error| BadLine(error.to_string()))?;
            let request = request::adapt(ChatRequest::parse(&body)?, wish);
            return Ok(Self { request, shape: Shape::Body, custom_id });
        }
        let Some(prompt) = fields.shift_remove("prompt") else {
            return Err(BadLine("it has neither \"prompt\" nor \"messages\" nor \"body\"".to_owned()));
        };
        let system = fields.shift_remove("system");
        let prompt = string(&prompt, "prompt")?;
        if prompt.trim().is_empty() {
            return Err(BadLine("the question is empty".to_owned()));
        }
        let system = system.map(|system| string(&system, "system")).transpose()?.or_else(|| wish.system.clone());
        let system = system.map(|system| json!({"role": "system", "content": system}));
        let messages: Vec<Value> = system.into_iter().chain([json!({"role": "user", "content": prompt})]).collect();
        let mut body = serde_json::Map::from_iter([("messages".to_owned(), Value::Array(messages))]);
        for (name, value) in fields {
            let value = serde_json::from_str(value.get()).map_err(|error| BadLine(not_json(&error)))?;
            body.insert(name, value);
        }
        let request = request::adapt(ChatRequest::parse(Value::Object(body).to_string().as_bytes())?, wish);
        Ok(Self { request, shape: Shape::Prompt, custom_id })
    }

    fn read_openai(fields: &IndexMap<String, Box<RawValue>>, wish: &WishArgs) -> Result<Self, BadLine> {
        let id = fields.get("custom_id").ok_or_else(|| BadLine("it has a \"body\" and no \"custom_id\"".to_owned()))?;
        let custom_id = own_name(id)?;
        for (field, only) in [("method", "POST"), ("url", CHAT)] {
            let Some(value) = fields.get(field) else { continue };
            let said = string(value, field)?;
            if said != only {
                return Err(BadLine(format!("{field} is {said:?}: a batch knows {only:?} only")));
            }
        }
        let body = fields.get("body").map_or("", |body| body.get());
        let request = request::adapt(ChatRequest::parse(body.as_bytes())?, wish);
        Ok(Self { request, shape: Shape::OpenAi, custom_id: Some(custom_id) })
    }
}

fn own_name(value: &RawValue) -> Result<String, BadLine> {
    string(value, "custom_id")
}

fn string(value: &RawValue, field: &str) -> Result<String, BadLine> {
    serde_json::from_str(value.get()).map_err(|_| BadLine(format!("{field} must be a text")))
}

fn not_json(error: &serde_json::Error) -> String {
    format!("it is no JSON of a known shape: {error}; --text takes every line as it stands")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Question {
        Question::read(line.as_bytes(), Form::Json, &WishArgs::default()).unwrap()
    }

    fn messages(question: &Question) -> String {
        question.request.messages().iter().map(|message| message.get()).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn reads_every_shape_of_a_line() {
        let user = r#"{"role":"user","content":"Why?"}"#;
        for (line, shape, custom_id) in [
            (r#""Why?""#.to_owned(), Shape::Prompt, None),
            (r#"{"prompt":"Why?"}"#.to_owned(), Shape::Prompt, None),
            (r#"{"prompt":"Why?","custom_id":"a"}"#.to_owned(), Shape::Prompt, Some("a")),
            (format!(r#"{{"messages":[{user}],"stream":true}}"#), Shape::Body, None),
            (
                format!(
                    r#"{{"custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{{"messages":[{user}]}}}}"#
                ),
                Shape::OpenAi,
                Some("b"),
            ),
        ] {
            let question = read(&line);

            assert_eq!((question.shape, question.custom_id.as_deref()), (shape, custom_id), "{line}");
            assert_eq!(messages(&question), user, "{line}");
            assert!(!question.request.stream, "{line}");
        }
    }

    #[test]
    fn takes_a_prompts_own_settings_and_lets_flags_win() {
        let line = r#"{"prompt":"Why?","system":"Be brief.","max_tokens":5,"temperature":0.5,"model":"fast"}"#;
        let wish = WishArgs { max_tokens: Some(9), ..WishArgs::default() };

        let question = Question::read(line.as_bytes(), Form::Json, &wish).unwrap();

        assert_eq!(messages(&question), r#"{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}"#);
        let fields = question.request.fields();
        assert_eq!((fields["max_tokens"].get(), fields["temperature"].get()), ("9", "0.5"));
        assert_eq!(question.request.model.as_deref(), Some("fast"));
    }

    #[test]
    fn takes_lines_as_they_stand() {
        let question = Question::read(b"{Why?", Form::Text, &WishArgs::default()).unwrap();

        assert_eq!(messages(&question), r#"{"role":"user","content":"{Why?"}"#);
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        let says = |line: &str| Question::read(line.as_bytes(), Form::Json, &WishArgs::default()).unwrap_err().0;

        for (line, what) in [
            ("{", "it is no JSON of a known shape"),
            ("[1]", "it is no JSON of a known shape"),
            ("{}", "it has neither \"prompt\" nor \"messages\" nor \"body\""),
            (r#""  ""#, "the question is empty"),
            (r#"{"prompt":7}"#, "prompt must be a text"),
            (r#"{"prompt":"a","max_tokens":0}"#, "max_tokens must be a whole number of at least 1"),
            (r#"{"messages":[]}"#, "messages must be a list with at least one message"),
            (r#"{"body":{"messages":[{}]}}"#, "it has a \"body\" and no \"custom_id\""),
            (r#"{"custom_id":"a","url":"/v1/embeddings","body":{}}"#, "url is \"/v1/embeddings\": a batch knows"),
            (r#"{"custom_id":"a","body":{}}"#, "messages must be a list"),
        ] {
            let said = says(line);
            assert!(said.starts_with(what), "{line}: {said}");
        }
    }
}
