//! Whether a strategy takes the options its schema tells of, and refuses others.

use backstop::strategy::{LoadStrategyError, Strategy};
use serde_json::{Map, Value, json};

use super::battery::{USUAL, roster};
use super::finding::Finding;

/// A value of each kind that JSON has.
fn kinds() -> [(&'static str, Value); 5] {
    [
        ("boolean", json!(true)),
        ("array", json!([[]])),
        ("object", json!({"": {}})),
        ("string", json!("\u{fffd}")),
        ("number", json!(-0.5)),
    ]
}

/// What comes of the options a strategy names in its schema; nothing where it names none.
pub(super) fn findings(strategy: &Strategy) -> Vec<Finding> {
    let schema = strategy.description().and_then(|description| description.options_schema.as_ref());
    let Some(schema) = schema else { return Vec::new() };
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let fault = "its schema has no `properties`: the host cannot tell a mistyped option by it".to_owned();
        return vec![Finding::problem("options".to_owned(), fault)];
    };
    let defaults = properties.iter().filter_map(|(name, option)| Some((name.clone(), option.get("default")?.clone())));
    let defaults: Map<_, _> = defaults.filter(|(_, value)| !value.is_null()).collect();
    let mut findings = vec![taken(strategy, &defaults)];
    findings.extend(properties.iter().filter_map(|(name, option)| refused(strategy, name, option)));
    findings
}

/// The defaults it names are values it must take.
fn taken(strategy: &Strategy, defaults: &Map<String, Value>) -> Finding {
    let answer = strategy.reconfigured(&roster(USUAL), defaults);
    let fault = answer.err().map(|error| format!("it does not take the defaults of its own schema: {error}"));
    let answer = if fault.is_none() { "taken" } else { "" }.to_owned();
    Finding { situation: "options: its own defaults".to_owned(), answer, reason: String::new(), fault }
}

/// A value of a kind the schema excludes is one it must refuse, in words.
fn refused(strategy: &Strategy, name: &str, option: &Value) -> Option<Finding> {
    let (kind, wrong) = kinds().into_iter().find(|(kind, _)| excludes(option, kind))?;
    let situation = format!("options: `{name}` is {} {kind}", article(kind));
    let options = Map::from_iter([(name.to_owned(), wrong)]);
    let (reason, fault) = match strategy.reconfigured(&roster(USUAL), &options) {
        Err(LoadStrategyError::Refused { message }) => (message, None),
        Err(error) => (String::new(), Some(error.to_string())),
        Ok(_) => (String::new(), Some("taken, although its schema excludes it".to_owned())),
    };
    let answer = if fault.is_none() { "refused" } else { "" }.to_owned();
    Some(Finding { situation, answer, reason, fault })
}

/// Whether an option's `type` leaves a kind out. Without a `type`, anything may be right.
fn excludes(option: &Value, kind: &str) -> bool {
    let is_kind = |named: &Value| named == kind || (kind == "number" && named == "integer");
    match option.get("type") {
        Some(Value::Array(named)) => !named.iter().any(is_kind),
        Some(named) => !is_kind(named),
        None => false,
    }
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'o']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_a_type_leaves_out() {
        let share = json!({"type": "number"});
        let wait = json!({"type": ["string", "null"]});
        let anything = json!({"description": "of any kind"});

        assert!(excludes(&share, "array") && !excludes(&share, "number"));
        assert!(!excludes(&json!({"type": "integer"}), "number"));
        assert!(excludes(&wait, "boolean") && !excludes(&wait, "string"));
        assert!(!excludes(&anything, "boolean"));
    }
}
