//! Why an answer ended, in Gemini's words and in OpenAI's.

use serde_json::value::RawValue;

use crate::provider::json::words;
use crate::types::{Failure, FailureKind};

/// The longest reason that is shown.
const LONGEST: usize = 64;

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// What follows from it.
    pub end: End,
    /// In Gemini's words.
    pub native: String,
}

/// What follows from a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The answer is whole.
    Whole,
    /// Its length is used up.
    Length,
    /// The rest is withheld for its content.
    Withheld,
    /// The model failed at it: whatever was said is no whole answer.
    Broken,
    /// A word nobody knows: whole, if anything was said.
    Unknown,
}

/// The reasons by number, which is how they come where somebody asked for enumerations as integers.
const BY_NUMBER: [&str; 13] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
    "UNEXPECTED_TOOL_CALL",
];

impl Reason {
    /// Reads a `finishReason`; `None` where it says that there is none.
    pub(super) fn read(part: &RawValue) -> Option<Self> {
        let native = name(part)?;
        let end = match native.as_str() {
            "" | "FINISH_REASON_UNSPECIFIED" => return None,
            "STOP" => End::Whole,
            "MAX_TOKENS" => End::Length,
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" | "MODEL_ARMOR" => {
                End::Withheld
            }
            "IMAGE_SAFETY" | "IMAGE_PROHIBITED_CONTENT" | "IMAGE_RECITATION" => End::Withheld,
            "MALFORMED_FUNCTION_CALL" | "TOO_MANY_TOOL_CALLS" | "OTHER" => End::Broken,
            _ => End::Unknown,
        };
        Some(Self { end, native })
    }

    /// The failure of an answer that the model broke off.
    pub(super) fn broken(&self, status: u16) -> Failure {
        let kind = if self.native.contains("CALL") { FailureKind::MalformedReply } else { FailureKind::ServerError };
        let mut failure = Failure::new(kind, format!("the provider broke the answer off ({})", self.native));
        failure.code = Some(self.native.clone());
        failure.with_status(status)
    }
}

/// The name of a reason, as a word that may be shown.
pub(super) fn name(part: &RawValue) -> Option<String> {
    let Some(name) = words(part) else {
        let number: usize = serde_json::from_str(part.get()).ok()?;
        return Some((*BY_NUMBER.get(number).unwrap_or(&"OTHER")).to_owned());
    };
    let is_word = name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    Some(if is_word { name.into_owned() } else { "OTHER".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(End, String)> {
        let reason = Reason::read(&RawValue::from_string(json.to_owned()).unwrap())?;
        Some((reason.end, reason.native))
    }

    #[test]
    fn reads_names_numbers_and_nonsense() {
        for (json, end, native) in [
            ("\"STOP\"", End::Whole, "STOP"),
            ("1", End::Whole, "STOP"),
            ("2", End::Length, "MAX_TOKENS"),
            ("3", End::Withheld, "SAFETY"),
            ("\"RECITATION\"", End::Withheld, "RECITATION"),
            ("\"MALFORMED_FUNCTION_CALL\"", End::Broken, "MALFORMED_FUNCTION_CALL"),
            ("\"NEW_ONE\"", End::Unknown, "NEW_ONE"),
            ("\"\\u001b[2J\"", End::Broken, "OTHER"),
            ("99", End::Broken, "OTHER"),
        ] {
            assert_eq!(read(json), Some((end, native.to_owned())), "{json}");
        }
        for json in ["0", "\"FINISH_REASON_UNSPECIFIED\"", "\"\"", "[]", "-1", "1.5"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
