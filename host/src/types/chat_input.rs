//! How much a chat puts in: tokens by rule of thumb, tokens at most, and pieces whose tokens no text tells.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Fields;

/// What a provider may add by itself: the preamble of its chat template, the frame in which it is told of tools.
const PREAMBLE: usize = 128;
const PREAMBLE_OF_TOOLS: usize = 1_024;

/// What the frame of a message takes beyond its own JSON.
const FRAME: usize = 16;

/// How much a chat puts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ChatInput {
    /// Tokens of its text by rule of thumb: a third of the bytes, and a little for each message.
    pub(super) tokens: usize,
    /// Tokens of its text at most.
    ///
    /// Every tokenizer in use falls back on single bytes where it knows nothing longer, so that a text never has more tokens than
    /// bytes, and escaped in JSON no text is shorter than plain. Tighter bounds hold for ordinary prose and break where it matters: emoji,
    /// rare scripts and random letters come near one token a byte.
    pub(super) bound: usize,
    /// Images, sounds, files, and whatever else is no text: what they take is not in the bound.
    pub(super) media: usize,
    /// Images among them.
    pub(super) images: usize,
}

/// What a message has somewhere in its text where it may be more than plain words: parts, or a sound the model made before; the
/// last is the only way to write a name so that it is not found.
static SIGNS: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(["[", "\"audio\"", "\\u00"]));

/// As much of a message as is looked at.
#[derive(Deserialize)]
struct MessageView<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    /// A sound the model made before, by its name.
    #[serde(default)]
    audio: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct PartView<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
}

impl ChatInput {
    /// Measures messages and the fields beside them.
    pub(super) fn of(messages: &[Box<RawValue>], fields: &Fields) -> Self {
        let mut input = Self { bound: PREAMBLE, ..Self::default() };
        for message in messages {
            input.add_message(message);
        }
        for (name, value) in fields {
            input.bound += name.len() + value.get().len();
        }
        if let Some(tools) = fields.get("tools") {
            input.tokens += tools.get().len() / 3;
        }
        if fields.contains_key("tools") || fields.contains_key("functions") {
            input.bound += PREAMBLE_OF_TOOLS;
        }
        input
    }

    fn add_message(&mut self, message: &RawValue) {
        let text = message.get();
        self.tokens += text.len() / 3 + 8;
        self.bound += text.len() + FRAME;
        // Plain text, as nearly always: nothing has to be taken apart to find that out.
        if SIGNS.as_ref().is_some_and(|signs| signs.find(text).is_none()) {
            return;
        }
        // What cannot be read may be anything, and a provider may read it all the same.
        let Ok(MessageView { content, audio }) = serde_json::from_str(text) else { return self.media += 1 };
        if audio.is_some() {
            self.media += 1;
        }
        let parts = content.map(RawValue::get).filter(|content| content.starts_with('['));
        for part in parts.and_then(|parts| serde_json::from_str::<Vec<&RawValue>>(parts).ok()).into_iter().flatten() {
            self.add_part(part);
        }
    }

    fn add_part(&mut self, part: &RawValue) {
        let kind = serde_json::from_str(part.get()).map(|PartView { kind }| kind).unwrap_or_default();
        if is_text(&kind) || part.get().starts_with('"') {
            return;
        }
        self.media += 1;
        if kind == "image_url" {
            self.images += 1;
        }
        // Its bytes are no text: what they take is the target's own matter.
        self.bound -= part.get().len();
        self.tokens -= part.get().len() / 3;
    }
}

/// The parts of a message that are text alone. Of a kind that is not known nobody can say what it takes.
fn is_text(kind: &str) -> bool {
    matches!(kind, "text" | "refusal" | "thinking" | "reasoning" | "input_text" | "output_text")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn input(messages: &[Value], fields: &[(&str, Value)]) -> ChatInput {
        let raw = |value: &Value| serde_json::value::to_raw_value(value).unwrap();
        let messages: Vec<Box<RawValue>> = messages.iter().map(raw).collect();
        ChatInput::of(&messages, &fields.iter().map(|(name, value)| ((*name).to_owned(), raw(value))).collect())
    }

    #[test]
    fn bounds_a_text_by_its_bytes() {
        let text = "🙂".repeat(100);

        let measured = input(&[json!({"role": "user", "content": text})], &[]);

        assert!(measured.bound >= 400, "{measured:?}");
        assert_eq!(measured.media, 0);
    }

    #[test]
    fn leaves_the_bytes_of_media_out_and_counts_them() {
        let data = format!("data:image/png;base64,{}", "A".repeat(1_000_000));
        let parts = json!([
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": data}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]);

        let measured = input(&[json!({"role": "user", "content": parts})], &[]);

        assert!(measured.bound < 1_000 && measured.tokens < measured.bound, "{measured:?}");
        assert_eq!((measured.media, measured.images), (2, 1));
    }

    #[test]
    fn takes_what_it_does_not_know_for_media() {
        let measured = input(&[json!({"role": "user", "content": [{"type": "hologram"}, {"text": "no type"}]})], &[]);

        assert_eq!((measured.media, measured.images), (2, 0));
    }

    #[test]
    fn counts_a_sound_of_an_earlier_answer() {
        let measured = input(&[json!({"role": "assistant", "audio": {"id": "a1"}})], &[]);

        assert_eq!(measured.media, 1);
    }

    #[test]
    fn counts_tools_and_every_other_field() {
        let schema = json!([{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]);
        let bare = input(&[], &[]);

        let measured = input(&[], &[("tools", schema.clone()), ("response_format", json!({"type": "json_object"}))]);

        assert!(measured.bound >= bare.bound + PREAMBLE_OF_TOOLS + schema.to_string().len() + 22, "{measured:?}");
    }
}
