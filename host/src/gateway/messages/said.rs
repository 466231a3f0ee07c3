//! What a reply in OpenAI's shape says, whole or one event of it. What cannot be read is taken as unsaid: the hub has looked at it
//! before.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::provider::json::{items, pick_from, text};

use super::state::Detail;

/// A reply, or a piece of one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    /// The text of the answer, or of its refusal.
    pub(super) text: String,
    /// Thoughts in words.
    pub(super) reasoning: String,
    /// Whose they are, where they may go back to nobody else.
    pub(super) origin: Option<String>,
    /// Thoughts that must come back as they are.
    pub(super) details: Vec<Detail>,
    pub(super) calls: Vec<Call>,
    pub(super) finish: Option<String>,
    pub(super) native: Option<String>,
}

/// A call of a tool, or a piece of one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Call {
    /// Which call of the answer it is.
    pub(super) index: usize,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) arguments: String,
    /// What must come back with it.
    pub(super) extra: Option<Value>,
}

/// Parts of one message that are read.
const MOST: usize = 10_000;

impl Said {
    /// Reads a reply's `message`, or an event's `delta`, of the first choice.
    pub(super) fn read(reply: &RawValue) -> Self {
        let [id, model, choices] = pick_from(reply, ["id", "model", "choices"]);
        let named = Self { id: id.and_then(text), model: model.and_then(text), ..Self::default() };
        let Some(choice) = choices.map(|choices| items(choices, 1)).and_then(|choices| choices.first().copied()) else {
            return named;
        };
        let [message, delta, finish, native] =
            pick_from(choice, ["message", "delta", "finish_reason", "native_finish_reason"]);
        let said = message.or(delta).map(Self::of_message).unwrap_or_default();
        Self { id: named.id, model: named.model, finish: finish.and_then(text), native: native.and_then(text), ..said }
    }

    fn of_message(message: &RawValue) -> Self {
        let fields = [
            "content",
            "refusal",
            "reasoning_content",
            "reasoning",
            "reasoning_origin",
            "reasoning_details",
            "tool_calls",
        ];
        let [content, refusal, reasoning, other, origin, details, calls] = pick_from(message, fields);
        let words = content.map(content_text).unwrap_or_default();
        Self {
            text: if words.is_empty() { refusal.and_then(text).unwrap_or_default() } else { words },
            reasoning: reasoning.or(other).and_then(text).unwrap_or_default(),
            origin: origin.and_then(text),
            details: details
                .map(|details| items(details, MOST))
                .unwrap_or_default()
                .into_iter()
                .filter_map(detail)
                .collect(),
            calls: calls
                .map(|calls| items(calls, MOST))
                .unwrap_or_default()
                .into_iter()
                .enumerate()
                .map(call)
                .collect(),
            ..Self::default()
        }
    }
}

/// Content is a text or, at some, a list of parts.
fn content_text(content: &RawValue) -> String {
    let part = |part: &RawValue| {
        let [kind, words] = pick_from(part, ["type", "text"]);
        let is_text = kind.and_then(text).is_none_or(|kind| matches!(kind.as_str(), "text" | "output_text"));
        words.filter(|_| is_text).and_then(text)
    };
    text(content).unwrap_or_else(|| items(content, MOST).into_iter().filter_map(part).collect())
}

fn detail(detail: &RawValue) -> Option<Detail> {
    serde_json::from_str(detail.get()).ok()
}

fn call((place, call): (usize, &RawValue)) -> Call {
    let [index, id, function, extra] = pick_from(call, ["index", "id", "function", "extra_content"]);
    let [name, arguments] = function.map_or([None; 2], |function| pick_from(function, ["name", "arguments"]));
    Call {
        index: index.and_then(|index| serde_json::from_str(index.get()).ok()).unwrap_or(place),
        id: id.and_then(text).filter(|id| !id.is_empty()),
        name: name.and_then(text).filter(|name| !name.is_empty()),
        arguments: arguments.and_then(text).unwrap_or_default(),
        extra: extra.and_then(|extra| serde_json::from_str(extra.get()).ok()),
    }
}
