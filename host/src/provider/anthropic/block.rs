//! One block of an answer's content.

use serde_json::value::RawValue;

use crate::provider::json::{pick_from, text};
use crate::provider::said::Thought;

/// Whose form signed thoughts of this protocol have.
const FORMAT: &str = "anthropic-claude-v1";

/// A block, whole or as it opens in a stream.
#[derive(Debug, Clone)]
pub(super) enum Block<'a> {
    /// Text.
    Text(String),
    /// A thought in words, or one that nobody may read.
    Thought(Thought),
    /// A call of one of the caller's tools.
    ToolUse {
        /// Its id, where it has one.
        id: Option<String>,
        /// The tool; empty where none is named.
        name: String,
        /// The arguments, as they came.
        input: Option<&'a RawValue>,
    },
    /// What Anthropic did by itself, such as a web search and its findings: nothing that a caller could answer.
    Other,
}

impl<'a> Block<'a> {
    /// Reads a block.
    pub(super) fn read(block: &'a RawValue) -> Self {
        let [kind, words] = pick_from(block, ["type", "text"]);
        match kind.and_then(text).as_deref() {
            Some("text") => Self::Text(words.and_then(text).unwrap_or_default()),
            Some("thinking") => {
                let [thinking, signature] = pick_from(block, ["thinking", "signature"]);
                let signature = signature.and_then(text).filter(|signature| !signature.is_empty());
                Self::Thought(Thought {
                    text: thinking.and_then(text).unwrap_or_default(),
                    signature,
                    data: None,
                    format: FORMAT,
                })
            }
            Some("redacted_thinking") => {
                let [data] = pick_from(block, ["data"]);
                Self::Thought(Thought { data: data.and_then(text), format: FORMAT, ..Thought::default() })
            }
            Some("tool_use") => {
                let [id, name, input] = pick_from(block, ["id", "name", "input"]);
                let id = id.and_then(text).filter(|id| !id.is_empty());
                Self::ToolUse { id, name: name.and_then(text).unwrap_or_default(), input }
            }
            Some(_) | None => Self::Other,
        }
    }
}

/// Whether a thought carries the proof without which its provider would not take it back.
pub(super) fn is_proven(thought: &Thought) -> bool {
    thought.signature.is_some() || thought.data.is_some()
}

/// JSON without the blanks between its tokens; every token as it came.
pub(super) fn compact(json: &RawValue) -> String {
    let mut short = String::with_capacity(json.get().len());
    let (mut in_string, mut escaped) = (false, false);
    for letter in json.get().chars() {
        if in_string {
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else {
            in_string = letter == '"';
            if letter.is_ascii_whitespace() {
                continue;
            }
        }
        short.push(letter);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_only_the_blanks_between_tokens() {
        let json = RawValue::from_string("{ \"a b\" : [ 1.50 ,\n\"c \\\" d \\\\\" , {} ] }".to_owned()).unwrap();

        assert_eq!(compact(&json), r#"{"a b":[1.50,"c \" d \\",{}]}"#);
    }
}
