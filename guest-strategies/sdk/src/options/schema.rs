//! The JSON schema of a strategy's options.

use serde_json::Value;

use super::OptionValue;

/// A JSON schema in the making: options join it one by one.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    names: Vec<&'static str>,
    properties: String,
}

impl Schema {
    /// Adds an option: its name, what it does in a sentence, and its default. An option added before keeps its place.
    pub fn add<T: OptionValue>(&mut self, name: &'static str, about: &str, default: &T) {
        if self.names.contains(&name) {
            return;
        }
        if !self.names.is_empty() {
            self.properties.push(',');
        }
        self.names.push(name);
        let default = match default.to_json() {
            none if none == "null" => String::new(),
            json => [r#","default":"#, &json].concat(),
        };
        let about = Value::from(about.trim()).to_string();
        let parts = ["\"", name, r#"":{"#, T::SCHEMA, &default, r#","description":"#, &about, "}"];
        self.properties.push_str(&parts.concat());
    }

    /// The names of the options added so far.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The schema as JSON text.
    #[must_use]
    pub fn into_json(self) -> String {
        [r#"{"type":"object","additionalProperties":false,"properties":{"#, &self.properties, "}}"].concat()
    }
}
