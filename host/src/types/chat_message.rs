//! A message of a chat as its text and what is no text: what a strategy may be shown of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant`, `tool`, or what else its caller wrote.
    pub role: String,
    /// Its text; those of several parts with a line break between them.
    pub text: String,
    /// Parts that are no text.
    pub other_parts: u32,
}

#[derive(Deserialize)]
struct MessageView<'a> {
    #[serde(borrow, default)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PartView<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

impl ChatMessage {
    /// Reads a message in OpenAI's shape. Of one in a shape nobody knows, all is no text.
    #[must_use]
    pub fn read(message: &RawValue) -> Self {
        let unreadable = || Self { role: String::new(), text: String::new(), other_parts: 1 };
        let Ok(MessageView { role, content }) = serde_json::from_str(message.get()) else { return unreadable() };
        let role = role.into_owned();
        let content = content.map_or("null", RawValue::get);
        if let Ok(text) = serde_json::from_str::<Option<String>>(content) {
            return Self { role, text: text.unwrap_or_default(), other_parts: 0 };
        }
        let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(content) else { return Self { role, ..unreadable() } };
        let texts: Vec<String> = parts.iter().filter_map(|part| text_of(part)).collect();
        let other_parts = u32::try_from(parts.len() - texts.len()).unwrap_or(u32::MAX);
        Self { role, text: texts.join("\n"), other_parts }
    }
}

/// The text of a part, which may be a bare string.
fn text_of(part: &RawValue) -> Option<String> {
    let bare = || serde_json::from_str(part.get()).ok();
    serde_json::from_str(part.get()).map_or_else(|_| bare(), |PartView { text }| text.map(Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn read(message: &serde_json::Value) -> (String, String, u32) {
        let ChatMessage { role, text, other_parts } = ChatMessage::read(&to_raw_value(message).unwrap());
        (role, text, other_parts)
    }

    #[test]
    fn reads_plain_text_and_parts() {
        let parts = json!([
            {"type": "text", "text": "what is"},
            {"type": "image_url", "image_url": {"url": "https://x.invalid/a.png"}},
            {"type": "text", "text": "this \u{1F600}?"},
        ]);

        assert_eq!(read(&json!({"role": "user", "content": "hi \"you\""})), ("user".into(), "hi \"you\"".into(), 0));
        assert_eq!(
            read(&json!({"role": "user", "content": parts})),
            ("user".into(), "what is\nthis \u{1F600}?".into(), 1)
        );
        assert_eq!(read(&json!({"role": "assistant", "tool_calls": []})), ("assistant".into(), String::new(), 0));
    }

    #[test]
    fn takes_what_it_cannot_read_for_no_text() {
        assert_eq!(read(&json!({"role": 5, "content": "hi"})), (String::new(), String::new(), 1));
        assert_eq!(read(&json!({"role": "user", "content": {"text": "hi"}})), ("user".into(), String::new(), 1));
    }
}
