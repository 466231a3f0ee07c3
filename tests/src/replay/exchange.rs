//! One recorded exchange with a provider.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::base64;

/// What was asked, what was replied, and what a reader made of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    /// Its name, unique among all.
    pub id: String,
    /// Who replied.
    pub provider: String,
    /// How they speak.
    pub api: String,
    /// `success`, `stream`, `tools` or `error:CLASS`.
    kind: String,
    /// The reply came in pieces.
    pub stream: bool,
    /// The model that was asked, where it is known.
    pub model: Option<String>,
    /// What is special about it.
    pub tags: Vec<String>,
    request: Request,
    /// What came back.
    pub response: Response,
    /// What an error should be taken for.
    pub expect: Option<Expect>,
}

#[derive(Debug, Clone, Deserialize)]
struct Request {
    body: Value,
}

/// A recorded reply.
#[derive(Debug, Clone, Deserialize)]
pub struct Response {
    /// The status; 200 where it was not recorded.
    pub status: Option<u16>,
    /// Names in lower case, and values.
    pub headers: serde_json::Map<String, Value>,
    /// The body's text.
    pub body: String,
}

/// What an error should be taken for.
#[derive(Debug, Clone, Deserialize)]
pub struct Expect {
    /// The class that fits best.
    pub class: String,
    /// Other classes that can be defended.
    pub also_ok: Vec<String>,
    /// The wait it asks for, in seconds.
    pub retry_after_s: Option<f64>,
}

/// How a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's content generation.
    Gemini,
    /// Ollama's own chat.
    Ollama,
    /// One that Backstop does not speak. Its errors look like those of the others.
    Other,
}

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A whole answer in words.
    Whole,
    /// An answer in words, streamed.
    Stream,
    /// A whole answer with tool calls.
    Tools,
    /// An answer with tool calls, streamed.
    ToolsStream,
    /// A failure.
    Error,
}

/// Which exchanges are to be replayed; all of them unless it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only this provider's.
    pub provider: Option<String>,
    /// Only this one.
    pub id: Option<String>,
}

impl Exchange {
    /// Reads every exchange of a folder's `*.jsonl` files, in the order of their names.
    ///
    /// # Errors
    /// When a file cannot be read, a line is no exchange, or there is none.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, String> {
        let fault = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
        let entries = fs::read_dir(folder).map_err(fault)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files: Vec<PathBuf> = entries.collect::<Result<_, _>>().map_err(fault)?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        let mut exchanges = Vec::new();
        for file in &files {
            let text =
                fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
            for (line, number) in text.lines().zip(1..) {
                let read = serde_json::from_str(line);
                exchanges.push(read.map_err(|error| format!("{}, line {number}: {error}", file.display()))?);
            }
        }
        if exchanges.is_empty() { Err(format!("{} holds no exchanges", folder.display())) } else { Ok(exchanges) }
    }

    /// How its provider speaks.
    #[must_use]
    pub fn api(&self) -> Api {
        match self.api.as_str() {
            "openai-chat" => Api::OpenAi,
            "anthropic-messages" => Api::Anthropic,
            "gemini-generate" => Api::Gemini,
            "ollama-chat" => Api::Ollama,
            _ => Api::Other,
        }
    }

    /// What was recorded.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (self.kind.as_str(), self.stream) {
            (kind, _) if kind.starts_with("error:") => Kind::Error,
            ("tools", false) => Kind::Tools,
            ("tools", true) => Kind::ToolsStream,
            (_, false) => Kind::Whole,
            (_, true) => Kind::Stream,
        }
    }

    /// The reply's status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status.unwrap_or(200)
    }

    /// Whether the reply calls itself a success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status())
    }

    /// Whether it is tagged so.
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    /// The body of the request, where it is known and an object.
    #[must_use]
    pub fn asked(&self) -> Option<Value> {
        let stored = &self.request.body;
        let body = match stored["b64"].as_str() {
            Some(text) => serde_json::from_slice(&base64::decode(text)?).ok()?,
            None => stored.clone(),
        };
        body.is_object().then_some(body)
    }
}

impl Choice {
    /// Whether an exchange is among them.
    #[must_use]
    pub fn includes(&self, exchange: &Exchange) -> bool {
        let fits = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|wanted| wanted == own);
        fits(&self.provider, &exchange.provider) && fits(&self.id, &exchange.id)
    }
}
