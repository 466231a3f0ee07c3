//! `backstop config show`: every value in effect with its origin. What it prints is a configuration again.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::effective::{Setting, settings};
use super::load::Loaded;
use super::origin::{Origin, quoted, shown_key};
use super::settings::Config;

/// Every value in effect as TOML, each with its origin behind it. Of keys the variables' names are shown, and no character.
#[must_use]
pub fn show(loaded: &Loaded) -> String {
    lay_out(&loaded.config, |setting| Some(comment(setting, loaded)))
}

/// Every value in effect as TOML, without a word on where it came from.
#[must_use]
pub fn show_values(config: &Config) -> String {
    lay_out(config, |setting| setting.remark.as_ref().map(|remark| remark.replace(['\n', '\r'], " ")))
}

fn lay_out(config: &Config, comment: impl Fn(&Setting) -> Option<String>) -> String {
    let mut shown = String::new();
    let mut table = String::new();
    for setting in settings(config) {
        if setting.table != table {
            let gap = if shown.is_empty() { "" } else { "\n" };
            let _ = writeln!(shown, "{gap}[{}]", setting.table);
            table.clone_from(&setting.table);
        }
        let _ = match (&setting.value, comment(&setting)) {
            (Some(value), Some(comment)) => writeln!(shown, "{} = {}  # {comment}", setting.key, toml(value)),
            (Some(value), None) => writeln!(shown, "{} = {}", setting.key, toml(value)),
            (None, _) => writeln!(shown, "# {} is not set", setting.key),
        };
    }
    shown
}

/// The same as JSON: `file`, `settings` by their paths (`value`, `origin`, `remark`) and `notices`.
#[must_use]
pub fn show_json(loaded: &Loaded) -> Value {
    let mut shown = Map::new();
    for setting in settings(&loaded.config) {
        let mut told = json!({"value": setting.value, "origin": origin(&setting, loaded)});
        if let (Some(remark), Some(told)) = (&setting.remark, told.as_object_mut()) {
            told.insert("remark".to_owned(), json!(remark));
        }
        shown.insert(setting.path(), told);
    }
    json!({"file": loaded.file, "settings": shown, "notices": loaded.notices})
}

fn comment(setting: &Setting, loaded: &Loaded) -> String {
    let origin = origin(setting, loaded);
    // A line break in a name would end the comment.
    let told = setting.remark.as_ref().map_or_else(|| origin.to_string(), |remark| format!("{remark}; {origin}"));
    told.replace(['\n', '\r'], " ")
}

fn origin(setting: &Setting, loaded: &Loaded) -> Origin {
    let path = setting.path();
    let items_are_set = || loaded.origins.of(&format!("{path}[0]"));
    match loaded.origins.of(&path) {
        Origin::Default => items_are_set(),
        origin => origin,
    }
}

/// A value as TOML writes it, on one line.
fn toml(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(key, value)| format!("{} = {}", shown_key(key), toml(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}
