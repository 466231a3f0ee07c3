//! The conversation as Ollama has it: much like OpenAI's, with arguments as objects and images beside the text.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::provider::arguments::as_object;
use crate::provider::call::Call;
use crate::provider::dialogue::{Assistant, Dialogue, Image, Part, ToolCall, Turn};
use crate::provider::notes::{self, FOREIGN_REASONING};

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    /// In base64.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'a>>,
    /// The tool that brought the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct CallOut<'a> {
    function: FunctionOut<'a>,
}

#[derive(Debug, Serialize)]
struct FunctionOut<'a> {
    name: &'a str,
    arguments: Cow<'a, RawValue>,
}

/// Writes the messages of a call down, and the beginning of the answer as the last of them.
pub(super) fn write<'a>(call: &Call<'a>, notes: &mut Vec<String>) -> Vec<Message<'a>> {
    let turns = call.dialogue.turns.iter();
    let mut messages: Vec<Message<'a>> = turns.map(|turn| Message::of(turn, call.provider, notes)).collect();
    if let Some(begun) = call.prefill {
        messages.push(Message::plain("assistant", Cow::Borrowed(begun)));
    }
    messages
}

/// The first part of a conversation that Ollama cannot be shown.
pub(super) fn unsupported(dialogue: &Dialogue<'_>) -> Option<String> {
    let parts = dialogue.turns.iter().flat_map(|turn| match turn {
        Turn::User(parts) => parts.as_slice(),
        Turn::Tool(result) => result.content.as_slice(),
        Turn::Instruction(_) | Turn::Assistant(_) => &[],
    });
    parts.into_iter().find_map(|part| match part {
        Part::Other(kind) => Some(format!("content of type {kind}")),
        Part::Image(Image::Url(_)) => Some("an image by its address, which Ollama does not fetch".to_owned()),
        Part::Text(_) | Part::Image(Image::Inline { .. }) => None,
    })
}

impl<'a> Message<'a> {
    fn plain(role: &'static str, content: Cow<'a, str>) -> Self {
        Self { role, content, thinking: String::new(), images: Vec::new(), tool_calls: Vec::new(), tool_name: None }
    }

    fn of(turn: &'a Turn<'_>, provider: &str, notes: &mut Vec<String>) -> Self {
        match turn {
            Turn::Instruction(text) => Self::plain("system", Cow::Borrowed(text)),
            Turn::User(parts) => Self { images: images(parts), ..Self::plain("user", text(parts)) },
            Turn::Assistant(answer) => Self::answer(answer, provider, notes),
            Turn::Tool(result) => Self {
                images: images(&result.content),
                tool_name: Some(&*result.name).filter(|name| !name.is_empty()),
                ..Self::plain("tool", text(&result.content))
            },
        }
    }

    fn answer(answer: &'a Assistant<'_>, provider: &str, notes: &mut Vec<String>) -> Self {
        let is_own = |origin: &str| origin == provider;
        let foreign_call = answer.calls.iter().filter_map(|call| call.signature.as_ref());
        let foreign = answer.bound.iter().any(|bound| !is_own(&bound.origin))
            || foreign_call.into_iter().any(|signature| !is_own(&signature.origin));
        if foreign {
            notes::once(notes, FOREIGN_REASONING);
        }
        let own = answer.bound.iter().filter(|bound| is_own(&bound.origin));
        let call_out = |call: &'a ToolCall<'_>, notes: &mut Vec<String>| CallOut {
            function: FunctionOut { name: &call.name, arguments: as_object(call, notes) },
        };
        Self {
            thinking: own.map(|bound| &*bound.text).collect(),
            tool_calls: answer.calls.iter().map(|call| call_out(call, notes)).collect(),
            ..Self::plain("assistant", Cow::Borrowed(&answer.text))
        }
    }
}

fn text<'a>(parts: &'a [Part<'_>]) -> Cow<'a, str> {
    match parts {
        [Part::Text(text)] => Cow::Borrowed(text),
        several => Cow::Owned(Part::join(several)),
    }
}

fn images<'a>(parts: &'a [Part<'_>]) -> Vec<&'a str> {
    let image = |part: &'a Part<'_>| match part {
        Part::Image(Image::Inline { base64, .. }) => Some(&**base64),
        Part::Text(_) | Part::Image(Image::Url(_)) | Part::Other(_) => None,
    };
    parts.iter().filter_map(image).collect()
}
