//! JSON objects, put together field by field.

use serde_json::{Map, Value};

/// The object with this field.
pub(super) fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.insert(name.to_owned(), value.into());
    }
    object
}

/// The object with this field, where there is something for it.
pub(super) fn with_some(object: Value, name: &str, value: Option<impl Into<Value>>) -> Value {
    match value {
        Some(value) => with(object, name, value),
        None => object,
    }
}

/// The object with all these fields, in place of its own of the same names.
pub(super) fn with_all(mut object: Value, more: &Map<String, Value>) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.extend(more.clone());
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn adds_and_replaces_fields() {
        let object = with(json!({"a": 1}), "b", 2);
        let object = with_some(object, "c", None::<Value>);
        let object = with_all(object, json!({"a": 3, "d": 4}).as_object().unwrap());

        assert_eq!(object, json!({"a": 3, "b": 2, "d": 4}));
    }
}
