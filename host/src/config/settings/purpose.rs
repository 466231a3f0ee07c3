//! Named sets of request fields that a caller can pick.

use indexmap::IndexMap;

/// A named set of request fields, each used where the request says nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Purpose {
    /// Body fields as JSON, such as `temperature` and `response_format`.
    pub fields: IndexMap<String, serde_json::Value>,
}

impl Purpose {
    /// The bytes its fields add to a request at most.
    #[must_use]
    pub fn size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.to_string().len()).sum()
    }

    /// The presets that are always there: `moderation` (temperature 0, JSON mode) and `title` (a short answer).
    #[must_use]
    pub fn built_in() -> IndexMap<String, Self> {
        let purpose = |fields: serde_json::Value| match fields {
            serde_json::Value::Object(fields) => Self { fields: fields.into_iter().collect() },
            _ => Self::default(),
        };
        IndexMap::from([
            (
                "moderation".to_owned(),
                purpose(serde_json::json!({"temperature": 0.0, "response_format": {"type": "json_object"}})),
            ),
            ("title".to_owned(), purpose(serde_json::json!({"temperature": 0.3, "max_tokens": 24}))),
        ])
    }
}
