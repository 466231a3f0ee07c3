//! What a message of an answer says, or a delta of one: text, reasoning, tool calls, a refusal.

use serde_json::value::RawValue;

use crate::provider::chunk::CallPiece;
use crate::provider::json::{is_something, items, pick_from, text};

/// Parts of one message that are read; the largest real ones have a few dozen.
const MOST_PARTS: usize = 4_096;

/// The fields that are read: text, calls, and what else shows that the answer has begun.
const FIELDS: [&str; 10] = [
    "content",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking",
    "refusal",
    "audio",
    "images",
];

/// What a message or delta says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The text of the answer itself, without reasoning.
    pub text: String,
    /// Calls of tools, or pieces of them.
    pub calls: Vec<CallPiece>,
    /// Calls of tools in any form, also one that cannot be read.
    pub tool_calls: bool,
    /// Anything else that shows the answer has begun: reasoning, a refusal, sound, an image.
    pub other: bool,
}

impl Said {
    /// Reads a `message` or a `delta`.
    pub(super) fn read(message: &RawValue) -> Self {
        let [content, tool_calls, function_call, others @ ..] = pick_from(message, FIELDS);
        Self {
            text: content.map(content_text).unwrap_or_default(),
            calls: tool_calls.map(read_calls).unwrap_or_default(),
            tool_calls: [tool_calls, function_call].into_iter().flatten().any(is_something),
            other: others.into_iter().flatten().any(is_something) || content.is_some_and(has_silent_part),
        }
    }

    /// Whether there is anything in it at all.
    pub(super) fn is_something(&self) -> bool {
        !self.text.is_empty() || self.tool_calls || self.other
    }
}

/// Calls, or the pieces of them in one delta. A delta without `index` (Gemini, Mistral, Ollama) has its place in the list.
fn read_calls(calls: &RawValue) -> Vec<CallPiece> {
    let read = |(place, call): (usize, &RawValue)| {
        let [index, id, function] = pick_from(call, ["index", "id", "function"]);
        let [name, arguments] = function.map_or([None; 2], |function| pick_from(function, ["name", "arguments"]));
        CallPiece {
            index: index.and_then(|index| serde_json::from_str(index.get()).ok()).unwrap_or(place),
            id: id.and_then(text).filter(|id| !id.is_empty()),
            name: name.and_then(text).filter(|name| !name.is_empty()),
            arguments: arguments.and_then(text).unwrap_or_default(),
            signature: None,
        }
    };
    items(calls, MOST_PARTS).into_iter().enumerate().map(read).collect()
}

/// Content is a string, or (Mistral) a list of parts.
fn content_text(content: &RawValue) -> String {
    text(content).unwrap_or_else(|| items(content, MOST_PARTS).into_iter().filter_map(part_text).collect())
}

fn part_text(part: &RawValue) -> Option<String> {
    let [kind, words] = pick_from(part, ["type", "text"]);
    let is_text = kind.and_then(text).is_none_or(|kind| matches!(kind.as_str(), "text" | "output_text"));
    words.filter(|_| is_text).and_then(text)
}

/// A part that shows the model at work without being text: thinking, a reference.
fn has_silent_part(content: &RawValue) -> bool {
    items(content, MOST_PARTS).into_iter().any(|part| is_something(part) && part_text(part).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> Said {
        Said::read(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn reads_text_of_a_string_or_of_parts() {
        let parts = r#"{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"Hel"},{"text":"lo"}]}"#;

        assert_eq!(said(r#"{"role":"assistant","content":"Hello"}"#).text, "Hello");
        assert_eq!(said(parts), Said { text: "Hello".to_owned(), other: true, ..Said::default() });
    }

    #[test]
    fn tells_a_beginning_from_nothing() {
        for (json, expected) in [
            (r#"{"role":"assistant","content":"","tool_calls":[],"refusal":null}"#, false),
            (r#"{"content":null,"reasoning_content":"Hm"}"#, true),
            (r#"{"reasoning":"Hm"}"#, true),
            (r#"{"refusal":"No."}"#, true),
            (r#"{"tool_calls":[{"function":{"arguments":"{"}}]}"#, true),
            (r#"{"function_call":{"name":"add"}}"#, true),
            (r#"{"audio":{"transcript":"beep"}}"#, true),
            (r#"{"content":7}"#, false),
            ("[]", false),
        ] {
            assert_eq!(said(json).is_something(), expected, "{json}");
        }
    }
}
