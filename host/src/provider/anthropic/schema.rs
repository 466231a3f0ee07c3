//! What the arguments of a tool look like.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::provider::json::pick_from;

/// A schema of arguments, which must say that they are an object.
pub(super) fn input_schema(schema: Option<&RawValue>) -> Cow<'_, RawValue> {
    let empty = || own(r#"{"type":"object","properties":{}}"#.to_owned());
    let Some(inside) = schema.map(RawValue::get).and_then(|schema| schema.strip_prefix('{')) else { return empty() };
    match schema.map(|schema| pick_from(schema, ["type"])) {
        None => empty(),
        Some([Some(_)]) => schema.map_or_else(empty, Cow::Borrowed),
        Some([None]) if inside.trim() == "}" => empty(),
        Some([None]) => own(format!(r#"{{"type":"object",{inside}"#)),
    }
}

fn own(json: String) -> Cow<'static, RawValue> {
    RawValue::from_string(json).map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
}
