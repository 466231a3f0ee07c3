//! Where the value of a setting came from.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// Nobody said anything.
    #[default]
    Default,
    /// It comes with the provider's known name.
    KnownName,
    /// The configuration file.
    File {
        /// The file, as it was named.
        file: Arc<str>,
        /// The line, from 1; `None` where the file as a whole is meant.
        line: Option<usize>,
    },
    /// A variable of the environment.
    Environment(String),
    /// A variable of the `.env` file.
    DotEnv(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// The origin of every setting that somebody set, by its dotted path.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    by_setting: HashMap<String, Origin>,
}

impl Origins {
    /// Where the value of a setting such as `providers.openai.priority` came from.
    #[must_use]
    pub fn of(&self, setting: &str) -> Origin {
        self.by_setting.get(setting).cloned().unwrap_or_default()
    }

    /// Whether somebody set it.
    #[must_use]
    pub fn is_set(&self, setting: &str) -> bool {
        self.by_setting.contains_key(setting)
    }

    /// Takes note of an origin; a later one takes the place of an earlier one.
    pub(super) fn note(&mut self, setting: impl Into<String>, origin: Origin) {
        self.by_setting.insert(setting.into(), origin);
    }

    /// Forgets a setting and everything below it.
    pub(super) fn forget(&mut self, setting: &str) {
        self.by_setting.retain(|known, _| {
            !known.strip_prefix(setting).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
    }

    /// The origin of a setting, else of the closest table around it that has one.
    pub(super) fn nearest(&self, setting: &str) -> Origin {
        let mut path = setting;
        loop {
            if let Some(origin) = self.by_setting.get(path) {
                return origin.clone();
            }
            let Some(outer) = outer(path) else { return Origin::Default };
            path = outer;
        }
    }
}

/// The path of a key within a table; a key that is no bare word is quoted, and cut where it is very long.
pub(super) fn join(table: &str, key: &str) -> String {
    let key = shown_key(key);
    if table.is_empty() { key } else { format!("{table}.{key}") }
}

/// A key as TOML writes it, fit for a message.
pub(super) fn shown_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare && key.len() <= 64 { key.to_owned() } else { quoted(&cut(key, 100)) }
}

/// A text in TOML's quotes, on one line. JSON's quoting is the same, but for one character.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A text fit for one line of a message: without characters that move the cursor, cut after so many characters.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    let moves = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let letters = cut(text, longest);
    letters.chars().fold(String::new(), |mut shown, letter| {
        if moves(letter) {
            shown.extend(letter.escape_default())
        } else {
            shown.push(letter)
        }
        shown
    })
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn outer(path: &str) -> Option<&str> {
    let mut quoted = false;
    let mut cut = None;
    for (at, character) in path.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '.' | '[' if !quoted => cut = Some(at),
            _ => {}
        }
    }
    path.get(..cut?)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::KnownName => f.write_str("comes with the name"),
            Self::File { file, line: Some(line) } => write!(f, "{file}:{line}"),
            Self::File { file, line: None } => f.write_str(file),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::DotEnv(name) => write!(f, ".env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_closest_table_that_has_an_origin() {
        let mut origins = Origins::default();
        origins.note("providers.\"my.proxy\"", Origin::Flag("--a"));
        origins.note("providers.b.models", Origin::Flag("--b"));

        assert_eq!(origins.nearest("providers.\"my.proxy\".base_url"), Origin::Flag("--a"));
        assert_eq!(origins.nearest("providers.b.models[2].id"), Origin::Flag("--b"));
        assert_eq!(origins.nearest("budget"), Origin::Default);
    }

    #[test]
    fn forgets_a_table_and_what_is_in_it() {
        let mut origins = Origins::default();
        origins.note("routes.default.options.retries", Origin::Flag("--a"));
        origins.note("routes.default.optional", Origin::Flag("--b"));

        origins.forget("routes.default.options");

        assert!(!origins.is_set("routes.default.options.retries"));
        assert!(origins.is_set("routes.default.optional"));
    }

    #[test]
    fn quotes_and_cuts_keys_that_are_no_bare_words() {
        assert_eq!(join("providers", "my-proxy"), "providers.my-proxy");
        assert_eq!(join("providers", "a\nb"), "providers.\"a\\nb\"");
        assert_eq!(shown_key(&"é".repeat(10_000)), format!("\"{}…\"", "é".repeat(100)));
        assert_eq!(shown_key(""), "\"\"");
    }

    #[test]
    fn lets_no_text_move_the_cursor() {
        assert_eq!(shortened("a\u{1b}[2J\r\n\u{202e}\"b\"", 60), "a\\u{1b}[2J\\r\\n\\u{202e}\"b\"");
    }
}
