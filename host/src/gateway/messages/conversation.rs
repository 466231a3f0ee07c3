//! The messages of a request in OpenAI's shape.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::provider::json::compact;
use crate::types::{Mark, Place, Unsaid};

use super::block::{Block, Part, not_routed, text_of};
use super::fault::Fault;
use super::state::{Detail, Recalled};

/// The messages so far.
#[derive(Default)]
pub(super) struct Conversation {
    pub(super) messages: Vec<Box<RawValue>>,
    pub(super) unsaid: Unsaid,
}

/// A message as Anthropic has it.
#[derive(Deserialize)]
struct Message<'a> {
    role: String,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// A message as OpenAI has it. `role` comes first: that is how a tool's is known.
#[derive(Serialize)]
struct Sent<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a RawValue>,
    content: Content<'a>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reasoning_content: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Detail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Words(String),
    Raw(&'a RawValue),
    Parts(Vec<Part<'a>>),
    Nothing,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a RawValue,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a RawValue,
    arguments: String,
}

impl Conversation {
    /// Adds what the operator wants: a text, or blocks of it, which become one text as most providers take no other.
    pub(super) fn instruct(&mut self, system: &RawValue) -> Result<(), Fault> {
        let fault = |fault: Fault| Fault { place: "system".to_owned(), ..fault };
        let Some(blocks) = Block::read_all(system).map_err(fault)? else {
            return self.send(&Sent::new("system", Content::Raw(system)));
        };
        let mut texts = Vec::with_capacity(blocks.len());
        for (block, _) in &blocks {
            match block.kind.as_str() {
                "text" => texts.push(text_of(block.string("text", block.text).map_err(fault)?)),
                kind => return Err(fault(not_routed(kind))),
            }
        }
        if texts.is_empty() {
            return Ok(());
        }
        let blocks: Result<Vec<Instruction<'_>>, _> = blocks.iter().map(|(block, _)| Instruction::of(block)).collect();
        self.unsaid.system = blocks.ok().and_then(|blocks| to_raw_value(&blocks).ok());
        self.send(&Sent::new("system", Content::Words(texts.join("\n\n"))))
    }

    /// Adds the messages.
    pub(super) fn say_all(&mut self, messages: &RawValue) -> Result<(), Fault> {
        let fault = |error: serde_json::Error| Fault::at("messages", format!("must be a list of messages: {error}"));
        let messages: Vec<&RawValue> = serde_json::from_str(messages.get()).map_err(fault)?;
        if messages.is_empty() {
            return Err(Fault::at("messages", "at least one message is required"));
        }
        for (place, message) in messages.into_iter().enumerate() {
            self.say(message).map_err(|fault| fault.within(&format!("messages.{place}")))?;
        }
        Ok(())
    }

    fn say(&mut self, message: &RawValue) -> Result<(), Fault> {
        let message: Message<'_> =
            serde_json::from_str(message.get()).map_err(|error| Fault::at("", error.to_string()))?;
        let role = match message.role.as_str() {
            "user" => "user",
            "assistant" => "assistant",
            other => return Err(Fault::at("role", format!("must be user or assistant, not {other}"))),
        };
        match (Block::read_all(message.content)?, role) {
            (None, role) => self.send(&Sent::new(role, Content::Raw(message.content))),
            (Some(blocks), _) if blocks.is_empty() => Err(Fault::at("content", "at least one block is required")),
            (Some(blocks), "user") => self.user(&blocks),
            (Some(blocks), _) => self.assistant(&blocks),
        }
    }

    /// Results of tools are messages of their own at OpenAI, and stand first at Anthropic.
    fn user<'a>(&mut self, blocks: &[(Block<'a>, &'a RawValue)]) -> Result<(), Fault> {
        let mut parts = Vec::new();
        for (place, (block, whole)) in blocks.iter().enumerate() {
            let within = |fault: Fault| fault.within(&format!("content.{place}"));
            if block.kind == "tool_result" {
                self.result(block).map_err(within)?;
            } else {
                parts.push(block.part(whole).map_err(within)?);
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let content = self.content(parts);
        self.send(&Sent::new("user", content))
    }

    fn result(&mut self, block: &Block<'_>) -> Result<(), Fault> {
        let call = block.string("tool_use_id", block.tool_use_id)?;
        let Some(content) = block.content else { return self.send_result(call, Content::Words(String::new()), block) };
        let Some(blocks) = Block::read_all(content)? else {
            return self.send_result(call, Content::Raw(content), block);
        };
        let mut parts = Vec::with_capacity(blocks.len());
        for (place, (inner, whole)) in blocks.iter().enumerate() {
            parts.push(inner.part(whole).map_err(|fault| fault.within(&format!("content.{place}")))?);
        }
        let content = self.content(parts);
        self.send_result(call, content, block)
    }

    fn send_result(&mut self, call: &RawValue, content: Content<'_>, block: &Block<'_>) -> Result<(), Fault> {
        let mark = Mark { cache: block.cache(), is_error: block.is_error == Some(true), ..Mark::default() };
        self.unsaid.mark(Place::Result(self.messages.len()), mark);
        self.send(&Sent { tool_call_id: Some(call), ..Sent::new("tool", content) })
    }

    fn assistant<'a>(&mut self, blocks: &[(Block<'a>, &'a RawValue)]) -> Result<(), Fault> {
        let (mut text, mut calls, mut recalled) = (String::new(), Vec::new(), Recalled::default());
        let here = self.messages.len();
        for (place, (block, _)) in blocks.iter().enumerate() {
            let within = |fault: Fault| fault.within(&format!("content.{place}"));
            let mark = Mark { cache: block.cache(), ..Mark::default() };
            match block.kind.as_str() {
                "text" => {
                    text.push_str(&text_of(block.string("text", block.text).map_err(within)?));
                    self.unsaid.mark(Place::Text(here), mark);
                }
                "tool_use" => {
                    self.unsaid.mark(Place::Call(here, calls.len()), mark);
                    calls.push(Call::of(block).map_err(within)?);
                }
                "thinking" => recalled.thought(
                    block.thinking.as_deref().unwrap_or_default(),
                    block.signature.as_deref().unwrap_or_default(),
                ),
                "redacted_thinking" => recalled.sealed(block.data.as_deref().unwrap_or_default()),
                kind => return Err(within(not_routed(kind))),
            }
        }
        for call in &mut calls {
            let id = text_of(call.id);
            let extra = recalled.of_calls.iter().find(|(theirs, _)| *theirs == id);
            call.extra_content = extra.map(|(_, extra)| extra.clone());
        }
        let content = if text.is_empty() && !calls.is_empty() { Content::Nothing } else { Content::Words(text) };
        self.send(&Sent {
            reasoning_content: recalled.reasoning,
            reasoning_details: recalled.details,
            tool_calls: calls,
            ..Sent::new("assistant", content)
        })
    }

    /// The content of the next message. One text alone is written as such: not everyone takes a list.
    fn content<'a>(&mut self, parts: Vec<(Part<'a>, Mark)>) -> Content<'a> {
        let here = self.messages.len();
        let mut written = Vec::with_capacity(parts.len());
        for (place, (part, mark)) in parts.into_iter().enumerate() {
            self.unsaid.mark(Place::Part(here, place), mark);
            written.push(part);
        }
        match written.as_slice() {
            [] => Content::Words(String::new()),
            [Part::Text { text }] => Content::Words(text_of(text)),
            _ => Content::Parts(written),
        }
    }

    fn send(&mut self, message: &Sent<'_>) -> Result<(), Fault> {
        let message = to_raw_value(message).map_err(|error| Fault::at("", error.to_string()))?;
        self.messages.push(message);
        Ok(())
    }
}

impl<'a> Sent<'a> {
    fn new(role: &'static str, content: Content<'a>) -> Self {
        Self {
            role,
            tool_call_id: None,
            content,
            reasoning_content: String::new(),
            reasoning_details: Vec::new(),
            tool_calls: Vec::new(),
        }
    }
}

impl<'a> Call<'a> {
    fn of(block: &Block<'a>) -> Result<Self, Fault> {
        let input = block.input.filter(|input| input.get().starts_with('{'));
        let input = input.ok_or_else(|| Fault::at("input", "must be an object"))?;
        Ok(Self {
            id: block.string("id", block.id)?,
            kind: "function",
            function: Function { name: block.string("name", block.name)?, arguments: compact(input) },
            extra_content: None,
        })
    }
}

/// A block of what the operator wants, as it goes back to Anthropic.
#[derive(Serialize)]
struct Instruction<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Box<RawValue>>,
}

impl<'a> Instruction<'a> {
    fn of(block: &Block<'a>) -> Result<Self, Fault> {
        Ok(Self { kind: "text", text: block.string("text", block.text)?, cache_control: block.cache() })
    }
}
