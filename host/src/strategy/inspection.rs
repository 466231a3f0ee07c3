//! What a strategy says of itself, beside what can be seen of it.

use serde::Serialize;

use crate::config::{Powers, SandboxConfig, StrategyRef};

use super::bindings::exports::backstop::strategy::about;
use super::load;
use super::{LoadStrategyError, ModuleKind, plain_text};

/// Longest text kept of a description, in characters.
const TEXT_CHARS: usize = 300;

/// What a strategy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Its own name for itself.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// The JSON schema of its options, where it gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options_schema: Option<serde_json::Value>,
}

/// A strategy looked at, without being configured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The name or path it was asked for by.
    pub source: String,
    /// What it says of itself, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// What the file holds.
    pub kind: ModuleKind,
    /// The file's size in bytes.
    pub bytes: usize,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// Who wrote it, where its file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authors: Option<String>,
    /// What it has to be granted to be loaded.
    pub powers: Powers,
    /// What it asks of the host.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
    /// Milliseconds it took to compile; `None` where it was found compiled.
    pub compile_ms: Option<f64>,
}

/// Loads a strategy to tell about it. Blocks, for as long as compiling may take.
///
/// # Errors
///
/// Whatever keeps it from being loaded, save what its options would.
pub fn inspect(source: &StrategyRef, sandbox: &SandboxConfig) -> Result<Inspection, LoadStrategyError> {
    load::load(source, None, sandbox).map(|(_, inspection)| inspection)
}

impl Description {
    /// Reads what a guest gave: texts made fit to be shown, the schema parsed.
    pub(super) fn read(given: about::Description) -> Result<Self, LoadStrategyError> {
        let options_schema = match given.options_schema.trim() {
            "" => None,
            schema => Some(serde_json::from_str(schema).map_err(bad_schema)?),
        };
        Ok(Self {
            name: plain_text::tidy(&given.name, TEXT_CHARS),
            version: plain_text::tidy(&given.version, TEXT_CHARS),
            summary: plain_text::tidy(&given.summary, TEXT_CHARS),
            options_schema,
        })
    }

    /// Checks the names of options against those the schema knows, if it lists them all.
    pub(super) fn check_options(
        &self,
        options: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), LoadStrategyError> {
        let Some(schema) = &self.options_schema else { return Ok(()) };
        let Some(known) = schema.get("properties").and_then(serde_json::Value::as_object) else { return Ok(()) };
        if schema.get("patternProperties").is_some() || schema.get("additionalProperties").is_some_and(allows) {
            return Ok(());
        }
        match options.keys().find(|option| !known.contains_key(*option)) {
            Some(option) => Err(unknown_option(option, known.keys())),
            None => Ok(()),
        }
    }
}

/// `additionalProperties`: false forbids them, all else describes them.
fn allows(additional: &serde_json::Value) -> bool {
    additional.as_bool() != Some(false)
}

fn unknown_option<'a>(option: &str, known: impl Iterator<Item = &'a String>) -> LoadStrategyError {
    let known: Vec<String> = known.map(|name| plain_text::tidy(name, TEXT_CHARS)).collect();
    let closeness = |name: &str| strsim::jaro_winkler(option, name);
    let nearest = known.iter().max_by(|a, b| closeness(a).total_cmp(&closeness(b)));
    let nearest = nearest.filter(|name| closeness(name) > 0.75).cloned();
    LoadStrategyError::UnknownOption { option: option.to_owned(), nearest, known }
}

#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
fn bad_schema(error: serde_json::Error) -> LoadStrategyError {
    LoadStrategyError::BadSchema { message: plain_text::tidy(&error.to_string(), TEXT_CHARS) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described(schema: &serde_json::Value) -> Description {
        let text = |text: &str| text.to_owned();
        let given = about::Description {
            name: text("smart"),
            version: text("1.0.0"),
            summary: text("free first\u{1b}[2J"),
            options_schema: schema.to_string(),
        };
        Description::read(given).unwrap()
    }

    fn options(value: &serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn suggests_the_option_that_was_meant() {
        let description = described(&json!({"properties": {"patience": {}, "retries": {}}}));

        let error = description.check_options(&options(&json!({"patence": "1s"}))).unwrap_err();

        insta::assert_snapshot!(error, @"it has no option `patence`: did you mean `patience`?");
    }

    #[test]
    fn lists_the_options_where_none_is_near() {
        let told = |schema| described(&schema).check_options(&options(&json!({"xyz": 1}))).unwrap_err().to_string();

        insta::assert_snapshot!(told(json!({"properties": {"patience": {}, "retries": {}}})), @"it has no option `xyz`: it takes patience, retries");
        insta::assert_snapshot!(told(json!({"properties": {}})), @"it has no option `xyz`: it takes none");
    }

    #[test]
    fn lets_options_through_that_the_schema_leaves_open() {
        let open = described(&json!({"properties": {}, "additionalProperties": {"type": "string"}}));
        let silent = described(&json!({"type": "object"}));

        assert!(open.check_options(&options(&json!({"xyz": 1}))).is_ok());
        assert!(silent.check_options(&options(&json!({"xyz": 1}))).is_ok());
    }

    #[test]
    fn makes_texts_fit_to_be_shown() {
        assert_eq!(described(&json!({})).summary, "free first");
    }

    #[test]
    fn refuses_a_schema_that_is_not_json() {
        let given = about::Description {
            name: String::new(),
            version: String::new(),
            summary: String::new(),
            options_schema: "{".to_owned(),
        };

        assert!(matches!(Description::read(given), Err(LoadStrategyError::BadSchema { .. })));
    }
}
