//! A completion as a provider gives it, whole or in pieces.

use std::time::Duration;

use serde_json::{Map, Value};

use super::ReceivedCall;
use super::tool_call::ToolCall;
use super::usage::UsageTold;

/// A completion. It goes out whole or as a stream, and in the protocol of the path that was called: whichever the request asks
/// for.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub(super) text: Option<String>,
    pub(super) pieces: Vec<String>,
    pub(super) model: Option<String>,
    pub(super) usage: UsageTold,
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) tool_calls: Vec<ToolCall>,
    pub(super) finish_reason: String,
    pub(super) fields: Map<String, Value>,
    pub(super) pacing: Pacing,
}

/// How the events of an answer follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pacing {
    pub(super) first_token_after: Duration,
    pub(super) between_tokens: Duration,
    /// `None` is what the protocol is known for.
    pub(super) newline: Option<Newline>,
    pub(super) ending: Ending,
    pub(super) comment: Option<String>,
}

/// What ends the lines of an event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Newline {
    /// `\n`, as most providers do.
    #[default]
    Lf,
    /// `\r\n`, as Gemini does.
    CrLf,
    /// `\r`, which the standard allows.
    Cr,
}

/// How a stream ends, in OpenAI's words. Anthropic's `[DONE]` is `message_stop`. Gemini and Ollama have none: their event with
/// the finish reason is the end, and is what comes twice or has content after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// With `[DONE]`.
    #[default]
    Done,
    /// Without `[DONE]`, as Cerebras and Perplexity do.
    NoDone,
    /// With `[DONE]` twice.
    DoneTwice,
    /// With another piece of content after `[DONE]`.
    ContentAfterDone,
}

impl Answer {
    /// A completion with this text, the requested model's name and a usage counted from the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            pieces: words(&text),
            text: Some(text),
            model: None,
            usage: UsageTold::Counted,
            thinking: None,
            signature: None,
            tool_calls: Vec::new(),
            finish_reason: "stop".to_owned(),
            fields: Map::new(),
            pacing: Pacing {
                first_token_after: Duration::ZERO,
                between_tokens: Duration::ZERO,
                newline: None,
                ending: Ending::Done,
                comment: None,
            },
        }
    }

    /// A completion that calls a tool; `arguments` is the JSON text, as the provider would send it.
    #[must_use]
    pub fn tool_call(name: &str, arguments: &str) -> Self {
        let mut answer = Self::new("").and_tool_call(name, arguments).finish_reason("tool_calls");
        answer.text = None;
        answer
    }

    /// Adds another tool call. A stream of OpenAI's or Anthropic's gives it in three parts, one of Gemini's or Ollama's at once.
    ///
    /// The last two have an object for the arguments: `{}` stands for a text that is none. Gemini names no id, as most of its
    /// models do not.
    #[must_use]
    pub fn and_tool_call(mut self, name: &str, arguments: &str) -> Self {
        self.tool_calls.push(ToolCall { name: name.to_owned(), arguments: arguments.to_owned() });
        self
    }

    /// Thinks aloud before it answers, in the protocol's own field.
    #[must_use]
    pub fn thinking(mut self, text: &str) -> Self {
        self.thinking = Some(text.to_owned());
        self
    }

    /// Signs its thoughts: Anthropic's thinking block, which is there even without a thought in words, or Gemini's first function
    /// call, else its text. The other protocols have no place for a signature.
    #[must_use]
    pub fn signature(mut self, signature: &str) -> Self {
        self.signature = Some(signature.to_owned());
        self
    }

    /// Names this model, whatever was asked for.
    #[must_use]
    pub fn model(mut self, id: &str) -> Self {
        self.model = Some(id.to_owned());
        self
    }

    /// Tells this many tokens of input and output, those of thinking included.
    #[must_use]
    pub fn usage(mut self, input: u64, output: u64) -> Self {
        self.usage = UsageTold::Tokens { input, output };
        self
    }

    /// Tells this usage in place of the protocol's own: it may be nonsense. Ollama, which has no object for it, tells its fields.
    #[must_use]
    pub fn usage_json(mut self, usage: Value) -> Self {
        self.usage = UsageTold::Given(usage);
        self
    }

    /// Tells no usage at all.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.usage = UsageTold::Nothing;
        self
    }

    /// Ends for this reason: `stop` and `tool_calls` come by themselves, `length` or `content_filter` do not. These four are put
    /// in the protocol's own word; any other goes out as it is.
    #[must_use]
    pub fn finish_reason(mut self, reason: &str) -> Self {
        self.finish_reason = reason.to_owned();
        self
    }

    /// Adds or replaces a field of the completion and of every chunk, such as `system_fingerprint`; of Anthropic's stream, of its
    /// first event's message.
    #[must_use]
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// Streams the text in these pieces, in place of words.
    #[must_use]
    pub fn pieces<'a>(mut self, pieces: impl IntoIterator<Item = &'a str>) -> Self {
        self.pieces = pieces.into_iter().map(str::to_owned).collect();
        self.text = Some(self.pieces.concat());
        self
    }

    /// Waits between the head and the first token of a stream; a whole completion's head waits as long.
    #[must_use]
    pub fn first_token_after(mut self, wait: Duration) -> Self {
        self.pacing.first_token_after = wait;
        self
    }

    /// Waits between the tokens of a stream.
    #[must_use]
    pub fn every(mut self, wait: Duration) -> Self {
        self.pacing.between_tokens = wait;
        self
    }

    /// Ends the lines of a stream this way. Without it Gemini has `\r\n` and all others `\n`.
    #[must_use]
    pub fn newline(mut self, newline: Newline) -> Self {
        self.pacing.newline = Some(newline);
        self
    }

    /// Ends a stream this way.
    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.pacing.ending = ending;
        self
    }

    /// Puts a comment before each event of a stream, such as `OPENROUTER PROCESSING`; Ollama's lines cannot have any.
    #[must_use]
    pub fn comment(mut self, comment: &str) -> Self {
        self.pacing.comment = Some(comment.to_owned());
        self
    }
}

impl Answer {
    /// The model it says it is of.
    pub(super) fn model_for<'a>(&'a self, call: &'a ReceivedCall) -> &'a str {
        self.model.as_deref().or(call.model()).unwrap_or("scripted-model")
    }
}

impl Newline {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Cr => "\r",
        }
    }
}

/// Splits before each space, so that joined again the words are the text.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for piece in text.split(' ') {
        if words.is_empty() { words.push(piece.to_owned()) } else { words.push(format!(" {piece}")) }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gives_the_text_back_when_its_words_are_joined(text in "[ a-zé\n]{0,40}") {
            prop_assert_eq!(words(&text).concat(), text);
        }
    }
}
