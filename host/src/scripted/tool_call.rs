//! A tool call of an answer, before it is put in a protocol's words.

use serde_json::{Map, Value};

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolCall {
    pub(super) name: String,
    /// JSON text, or what a model took for it.
    pub(super) arguments: String,
}

impl ToolCall {
    /// The arguments in two parts, as streams give them.
    pub(super) fn halves(&self) -> (&str, &str) {
        let arguments = &self.arguments;
        let middle = (arguments.len() / 2..=arguments.len()).find(|place| arguments.is_char_boundary(*place));
        arguments.split_at(middle.unwrap_or(0))
    }

    /// The arguments as an object; an empty one where they are none.
    pub(super) fn object(&self) -> Value {
        let object = serde_json::from_str(&self.arguments).ok().filter(Value::is_object);
        object.unwrap_or_else(|| Value::Object(Map::new()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(arguments: &str) -> ToolCall {
        ToolCall { name: "f".to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn has_an_empty_object_for_arguments_that_are_none() {
        let objects = [r#"{"a":1}"#, r#"{"a": "#, "[1]", ""].map(|arguments| call(arguments).object().to_string());

        assert_eq!(objects, [r#"{"a":1}"#, "{}", "{}", "{}"]);
    }

    proptest! {
        #[test]
        fn splits_arguments_without_losing_any(arguments in "\\PC{0,20}") {
            let call = call(&arguments);

            let (head, tail) = call.halves();

            prop_assert_eq!([head, tail].concat(), arguments);
        }
    }
}
