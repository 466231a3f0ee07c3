//! How an answer is held to JSON: by the model itself, or by the arguments of a tool it must call.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::model::Model;
use super::schema::input_schema;
use crate::provider::json::pick_from;
use crate::provider::wishes::{Format, ToolChoice, Wishes};

/// The tool's name where the schema has none that would do.
const ANSWER: &str = "answer";

/// Any object at all.
const ANY_OBJECT: &str = r#"{"type":"object","additionalProperties":true}"#;

/// How an answer is held to a form.
#[derive(Debug, Clone)]
pub(super) enum Held<'a> {
    /// Not at all.
    Free,
    /// By the model itself.
    Native(Cow<'a, RawValue>),
    /// By a tool that it must call, whose arguments are the answer.
    ByTool {
        /// The tool.
        name: Cow<'a, str>,
        /// What its arguments look like.
        schema: Cow<'a, RawValue>,
    },
}

impl<'a> Held<'a> {
    /// Reads it from the wishes.
    ///
    /// # Errors
    /// What could not be asked for, in words.
    pub(super) fn of(wishes: &'a Wishes<'_>, model: Model) -> Result<Self, String> {
        let (name, schema) = match &wishes.format {
            Format::Text => return Ok(Self::Free),
            Format::Schema { schema, strict: true, .. } if model.keeps_to_schemas() => {
                return Ok(Self::Native(Cow::Borrowed(schema)));
            }
            Format::Json => (ANSWER, any_object()),
            Format::Schema { schema, .. } if describes_another(schema) => {
                return Err("a JSON schema of anything but an object".to_owned());
            }
            Format::Schema { name, schema, .. } => {
                (if is_tool_name(name) { name.as_str() } else { ANSWER }, input_schema(Some(schema)))
            }
        };
        // Of tools that must not be called none has to be sent.
        if !wishes.tools.is_empty() && wishes.tool_choice != ToolChoice::None {
            return Err("an answer in JSON together with tools".to_owned());
        }
        Ok(Self::ByTool { name: Cow::Borrowed(name), schema })
    }
}

fn any_object() -> Cow<'static, RawValue> {
    serde_json::from_str::<&RawValue>(ANY_OBJECT).map_or(Cow::Borrowed(RawValue::NULL), Cow::Borrowed)
}

/// Whether a schema says that it describes a list, a string, or the like: arguments are an object.
fn describes_another(schema: &RawValue) -> bool {
    let [kind] = pick_from(schema, ["type"]);
    kind.is_some_and(|kind| kind.get() != "\"object\"")
}

fn is_tool_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}
