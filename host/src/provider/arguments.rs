//! Arguments of earlier tool calls for protocols where they are an object: a model may have written anything.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::{RawValue, to_raw_value};

use super::dialogue::ToolCall;
use super::json::object;
use super::notes;

/// The arguments as the object they are; what is none is kept as the text it is, within an object.
pub(super) fn as_object<'a>(call: &'a ToolCall<'_>, notes: &mut Vec<String>) -> Cow<'a, RawValue> {
    if let Some(object) = object(&call.arguments) {
        return Cow::Borrowed(object);
    }
    if call.arguments.trim().is_empty() {
        return Cow::Owned(with_text(None));
    }
    notes::once(notes, notes::WRAPPED_ARGUMENTS);
    Cow::Owned(with_text(Some(("arguments", &call.arguments))))
}

/// An object with one text in it, or with nothing.
pub(super) fn with_text(field: Option<(&str, &str)>) -> Box<RawValue> {
    let object: IndexMap<&str, &str> = field.into_iter().collect();
    // Writing texts cannot fail.
    to_raw_value(&object).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_an_object_as_it_is_and_wraps_anything_else_once_noted() {
        let mut notes = Vec::new();
        let mut of = |arguments: &'static str| {
            let call = ToolCall { id: "".into(), name: "f".into(), arguments: arguments.into(), signature: None };
            as_object(&call, &mut notes).get().to_owned()
        };

        assert_eq!(of("{\"a\": 1.0}"), "{\"a\": 1.0}");
        assert_eq!(of(" "), "{}");
        assert_eq!(of("[1]"), r#"{"arguments":"[1]"}"#);
        assert_eq!(of("{\"a\""), r#"{"arguments":"{\"a\""}"#);
        assert_eq!(notes.len(), 1);
    }
}
