//! An answer of another protocol in OpenAI's shape: a completion, or the events of a stream.

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::chunk::{CallPiece, ChunkFacts};
use super::completion::Completion;
use super::reading::Reading;
use super::said::{Said, Thought};
use crate::types::Usage;

/// Writes a whole answer.
pub(super) fn completion(said: Said, reading: &Reading, now: Timestamp) -> Completion {
    let model = said.model.clone().unwrap_or_else(|| reading.model.clone());
    let choice = Choice {
        index: 0,
        message: Some(Content::message(&said, reading)),
        delta: None,
        finish_reason: said.finish.as_ref().map(|finish| finish.reason),
        native_finish_reason: said.finish.as_ref().map(|finish| finish.native.as_str()),
    };
    let envelope = Envelope {
        id: said.id.as_deref().unwrap_or("chatcmpl-backstop"),
        object: "chat.completion",
        created: now.as_second(),
        model: &model,
        choices: vec![choice],
        usage: said.usage.map(UsageOut::of),
    };
    let mut body = BytesMut::with_capacity(512 + said.text.len() * 5 / 4);
    write_json(&mut body, &envelope);
    Completion {
        body: body.freeze(),
        model: said.model,
        usage: said.usage,
        finish_reason: said.finish.map(|finish| finish.reason.to_owned()),
        has_tool_calls: !said.calls.is_empty(),
        text: said.text,
    }
}

/// Writes the events of one stream.
#[derive(Debug, Clone, Default)]
pub(super) struct ChunkWriter {
    id: Option<String>,
    model: Option<String>,
    has_begun: bool,
    has_reasoned: bool,
    thoughts: usize,
    usage: Option<Usage>,
}

impl ChunkWriter {
    /// Writes a piece of an answer as an event, and the usage as another where the answer ends with it and the caller wants
    /// that.
    pub(super) fn write(&mut self, mut said: Said, reading: &Reading, now: Timestamp) -> ChunkFacts {
        self.id = self.id.take().or(said.id.take());
        self.model = self.model.take().or(said.model.take());
        self.usage = said.usage.or(self.usage);
        let mut event = BytesMut::new();
        if !said.is_empty() {
            let role = (!self.has_begun).then_some("assistant");
            self.has_begun = true;
            let choice = Choice {
                index: 0,
                message: None,
                delta: Some(self.delta(&said, reading, role)),
                finish_reason: said.finish.as_ref().map(|finish| finish.reason),
                native_finish_reason: said.finish.as_ref().map(|finish| finish.native.as_str()),
            };
            write_event(&mut event, &self.envelope(reading, now, vec![choice], None));
        }
        self.thoughts += said.thoughts.len();
        self.has_reasoned |= !said.reasoning.is_empty();
        if said.finish.is_some() && reading.stream_usage && self.usage.is_some() {
            write_event(&mut event, &self.envelope(reading, now, Vec::new(), self.usage));
        }
        ChunkFacts {
            has_content: said.has_content(),
            text: said.text,
            calls: said.calls,
            finish_reason: said.finish.map(|finish| finish.reason.to_owned()),
            usage: said.usage,
            is_usage_only: false,
            model: self.model.clone(),
            done: false,
            event: Some(event.freeze()),
        }
    }

    /// Thoughts are numbered over the whole stream, and their origin is told once: clients join what has the same number.
    fn delta<'a>(&self, said: &'a Said, reading: &'a Reading, role: Option<&'static str>) -> Content<'a> {
        let mut delta = Content::delta(said, reading, role);
        for detail in &mut delta.reasoning_details {
            detail.index += self.thoughts;
        }
        delta.reasoning_origin = delta.reasoning_origin.filter(|_| !self.has_reasoned);
        delta
    }

    fn envelope<'a>(
        &'a self,
        reading: &'a Reading,
        now: Timestamp,
        choices: Vec<Choice<'a>>,
        usage: Option<Usage>,
    ) -> Envelope<'a> {
        Envelope {
            id: self.id.as_deref().unwrap_or("chatcmpl-backstop"),
            object: "chat.completion.chunk",
            created: now.as_second(),
            model: self.model.as_deref().unwrap_or(&reading.model),
            choices,
            usage: usage.map(UsageOut::of),
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageOut>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Content<'a>>,
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
}

/// A `message` or a `delta`.
#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Text::is_left_out")]
    content: Text<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: &'a str,
    /// Whose thoughts they are: no other provider is sent them.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Detail<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'a>>,
}

/// Text: a message with tool calls and no text has `null` there, a delta without text has no field.
enum Text<'a> {
    Words(&'a str),
    Null,
    LeftOut,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    format: &'static str,
    index: usize,
    origin: &'a str,
}

#[derive(Serialize)]
struct CallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: FunctionOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct UsageOut {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_creation_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl<'a> Content<'a> {
    fn message(said: &'a Said, reading: &'a Reading) -> Self {
        let silent = said.text.is_empty() && !said.calls.is_empty();
        let content = if silent { Text::Null } else { Text::Words(&said.text) };
        let calls = said.calls.iter().map(|call| CallOut { index: None, ..CallOut::of(call, reading) });
        Self { content, tool_calls: calls.collect(), ..Self::delta(said, reading, Some("assistant")) }
    }

    /// `role` is given on the first delta of a stream.
    fn delta(said: &'a Said, reading: &'a Reading, role: Option<&'static str>) -> Self {
        let has_words = !said.text.is_empty() || role.is_some();
        let details = said.thoughts.iter().enumerate().map(|(index, thought)| Detail::of(thought, index, reading));
        Self {
            role,
            content: if has_words { Text::Words(&said.text) } else { Text::LeftOut },
            reasoning_content: &said.reasoning,
            reasoning_origin: Some(reading.origin.as_str()).filter(|_| !said.reasoning.is_empty()),
            reasoning_details: details.collect(),
            tool_calls: said.calls.iter().map(|call| CallOut::of(call, reading)).collect(),
        }
    }
}

impl Text<'_> {
    fn is_left_out(&self) -> bool {
        matches!(self, Self::LeftOut)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Words(words) => serializer.serialize_str(words),
            Self::Null | Self::LeftOut => serializer.serialize_none(),
        }
    }
}

impl<'a> Detail<'a> {
    fn of(thought: &'a Thought, index: usize, reading: &'a Reading) -> Self {
        Self {
            kind: if thought.data.is_some() { "reasoning.encrypted" } else { "reasoning.text" },
            text: &thought.text,
            signature: thought.signature.as_deref(),
            data: thought.data.as_deref(),
            format: thought.format,
            index,
            origin: &reading.origin,
        }
    }
}

impl<'a> CallOut<'a> {
    fn of(call: &'a CallPiece, reading: &Reading) -> Self {
        let extra = |signature: &String| json!({"google": {"thought_signature": signature}, "backstop": {"origin": reading.origin}});
        Self {
            index: Some(call.index),
            id: call.id.as_deref(),
            kind: call.name.is_some().then_some("function"),
            function: FunctionOut { name: call.name.as_deref(), arguments: &call.arguments },
            extra_content: call.signature.as_ref().map(extra),
        }
    }
}

impl UsageOut {
    fn of(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.total(),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cache_read,
                cache_creation_tokens: usage.cache_creation,
            },
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning },
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_zero(tokens: &u64) -> bool {
    *tokens == 0
}

fn write_event(event: &mut BytesMut, value: &impl Serialize) {
    event.put_slice(b"data: ");
    write_json(event, value);
    event.put_slice(b"\n\n");
}

fn write_json(bytes: &mut BytesMut, value: &impl Serialize) {
    // Writing these types to memory cannot fail: every key is a string and every number is finite.
    let _ = serde_json::to_writer(bytes.writer(), value);
}
