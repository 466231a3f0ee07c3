//! One block of a message's content, as Anthropic has it and as OpenAI does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::types::Mark;

use super::cache::cache_control;
use super::fault::Fault;

/// The name of a document that has none: OpenAI wants one.
const UNNAMED: &str = "document";

/// A block, taken apart one level deep; which fields belong to it, its type tells.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) source: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) title: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_use_id: Option<&'a RawValue>,
    pub(super) is_error: Option<bool>,
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) data: Option<String>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

/// A part of a message's content as OpenAI has it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    Text { text: Cow<'a, RawValue> },
    ImageUrl { image_url: Address },
    File { file: File },
}

#[derive(Serialize)]
pub(super) struct Address {
    url: String,
}

#[derive(Serialize)]
pub(super) struct File {
    filename: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_url: Option<String>,
}

/// Where an image or a document is.
#[derive(Deserialize)]
struct Source<'a> {
    #[serde(rename = "type")]
    kind: String,
    media_type: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    url: Option<String>,
}

impl<'a> Block<'a> {
    /// Reads the blocks of a message; `None` where its content is a text.
    pub(super) fn read_all(content: &'a RawValue) -> Result<Option<Vec<(Self, &'a RawValue)>>, Fault> {
        if content.get().starts_with('"') {
            return Ok(None);
        }
        let fault =
            |error: serde_json::Error| Fault::at("content", format!("must be a text or a list of blocks: {error}"));
        let blocks: Vec<&RawValue> = serde_json::from_str(content.get()).map_err(fault)?;
        let read = |(place, block): (usize, &'a RawValue)| {
            let fault = |error: serde_json::Error| Fault::at(format!("content.{place}"), error.to_string());
            Ok((serde_json::from_str(block.get()).map_err(fault)?, block))
        };
        blocks.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// The mark of what is to be kept up to here.
    pub(super) fn cache(&self) -> Option<Box<RawValue>> {
        self.cache_control.and_then(cache_control)
    }

    /// What the user, or a tool, says and shows in this block, with what OpenAI's form leaves out; `whole` is the block.
    pub(super) fn part(&self, whole: &'a RawValue) -> Result<(Part<'a>, Mark), Fault> {
        match self.kind.as_str() {
            "text" => {
                let mark = Mark { cache: self.cache(), ..Mark::default() };
                Ok((Part::Text { text: Cow::Borrowed(self.string("text", self.text)?) }, mark))
            }
            "image" => {
                let mark = Mark { cache: self.cache(), ..Mark::default() };
                Ok((Part::ImageUrl { image_url: Address { url: self.image()? } }, mark))
            }
            "document" => Ok((self.document()?, Mark { block: Some(whole.to_owned()), ..Mark::default() })),
            "search_result" => Ok((self.finding()?, Mark { block: Some(whole.to_owned()), ..Mark::default() })),
            kind => Err(not_routed(kind)),
        }
    }

    /// A field that must be there, and a string.
    pub(super) fn string(&self, name: &str, value: Option<&'a RawValue>) -> Result<&'a RawValue, Fault> {
        let value = value.filter(|value| value.get().starts_with('"'));
        value.ok_or_else(|| Fault::at(name, format!("must be a string in a block of type {}", self.kind)))
    }

    fn image(&self) -> Result<String, Fault> {
        let source = self.source()?;
        match (source.kind.as_str(), &source.media_type, source.data, source.url) {
            ("base64", Some(media_type), Some(data), _) => Ok(data_url(media_type, data)?),
            ("url", _, _, Some(url)) => Ok(url),
            ("base64", ..) => Err(Fault::at("source", "needs media_type and data")),
            ("url", ..) => Err(Fault::at("source", "needs url")),
            (kind, ..) => Err(Fault::at("source.type", format!("images of source {kind} cannot be routed"))),
        }
    }

    fn document(&self) -> Result<Part<'a>, Fault> {
        let source = self.source()?;
        let title = self.title.map(text_of).filter(|title| !title.is_empty());
        let filename = title.unwrap_or_else(|| UNNAMED.to_owned());
        match (source.kind.as_str(), &source.media_type, source.data, source.url) {
            ("text", _, Some(text), _) if text.get().starts_with('"') => Ok(Part::Text { text: Cow::Borrowed(text) }),
            ("base64", Some(media_type), Some(data), _) => {
                Ok(Part::File { file: File { filename, file_data: Some(data_url(media_type, data)?), file_url: None } })
            }
            ("url", _, _, Some(url)) => {
                Ok(Part::File { file: File { filename, file_data: None, file_url: Some(url) } })
            }
            (kind, ..) => {
                Err(Fault::at("source", format!("documents of source {kind} cannot be routed as they are here")))
            }
        }
    }

    /// The texts of what a search found.
    fn finding(&self) -> Result<Part<'a>, Fault> {
        let content = self.content.ok_or_else(|| Fault::at("content", "must be a list of texts"))?;
        let mut words = String::new();
        for (block, _) in Self::read_all(content)?.unwrap_or_default() {
            let text = block.string("text", block.text)?;
            words.push_str(&text_of(text));
        }
        let text = serde_json::value::to_raw_value(&words).map_err(|error| Fault::at("content", error.to_string()))?;
        Ok(Part::Text { text: Cow::Owned(text) })
    }

    fn source(&self) -> Result<Source<'a>, Fault> {
        let source =
            self.source.ok_or_else(|| Fault::at("source", format!("is missing in a block of type {}", self.kind)))?;
        serde_json::from_str(source.get()).map_err(|error| Fault::at("source", error.to_string()))
    }
}

/// What a text says; nothing where it is none.
pub(super) fn text_of(text: &RawValue) -> String {
    serde_json::from_str(text.get()).unwrap_or_default()
}

/// Blocks that only Anthropic can have made, or can read.
pub(super) fn not_routed(kind: &str) -> Fault {
    Fault::at("type", format!("blocks of type {kind} are bound to Anthropic and cannot be routed"))
}

/// Base64 has no signs that JSON writes otherwise, so that it need not be read.
fn data_url(media_type: &str, data: &RawValue) -> Result<String, Fault> {
    let inside = data.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside {
        Some(base64) if !base64.contains('\\') => Ok(format!("data:{media_type};base64,{base64}")),
        Some(_) => Ok(format!("data:{media_type};base64,{}", text_of(data))),
        None => Err(Fault::at("source.data", "must be a string in base64")),
    }
}
