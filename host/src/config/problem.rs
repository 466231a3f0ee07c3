//! What is wrong with a configuration: all of it at once, each with its place, its value and its mend.

use std::fmt;

use serde::Serialize;

use super::origin::Origin;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it was written; [`Origin::Default`] where it was not written at all.
    pub place: Origin,
    /// The setting's dotted path, such as `providers.openai.priority`, or a variable's name.
    pub setting: String,
    /// What was written, cut to a line; `None` where nothing was or where it might be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead; empty where there is nothing to say.
    pub mend: String,
}

/// Something to know about a configuration that is in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Where it was written.
    pub place: Origin,
    /// What there is to know.
    pub text: String,
}

/// A configuration that cannot be used. Shown as all its problems, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Everything that is wrong; never empty.
    pub problems: Vec<Problem>,
}

/// Why a text is not a value of the wanted kind: a problem whose place is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) mend: Mend,
    /// Whether the value must not be repeated.
    pub(super) secret: bool,
}

/// How to put a fault right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mend {
    /// A value that would do, as TOML writes it.
    Example(String),
    /// Anything else, in words.
    Words(String),
}

/// What was read, or why it could not be.
pub(super) type Read<T> = Result<T, Fault>;

/// Problems shown at most: a file of garbage is as well described by its first hundred lines.
const MOST_SHOWN: usize = 100;

impl Fault {
    /// A fault that is mended by writing something like `example`, which is TOML.
    pub(super) fn example(what: impl Into<String>, example: impl Into<String>) -> Self {
        Self { what: what.into(), mend: Mend::Example(example.into()), secret: false }
    }

    /// A fault whose mend takes words.
    pub(super) fn words(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: Mend::Words(mend.into()), secret: false }
    }

    /// The same fault of a value that must not be repeated.
    pub(super) fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The problem at a place. `written` is the value as it stands there.
    pub(super) fn at(self, place: Origin, setting: &str, written: Option<&str>) -> Problem {
        let mend = match self.mend {
            Mend::Words(words) => words,
            Mend::Example(example) => shown_example(&place, setting, &example),
        };
        let value = written.filter(|_| !self.secret).map(|written| super::origin::shortened(written, 60));
        Problem { place, setting: setting.to_owned(), value, what: self.what, mend }
    }
}

fn shown_example(place: &Origin, setting: &str, example: &str) -> String {
    let bare = || example.trim_matches('"');
    match place {
        Origin::Environment(name) | Origin::DotEnv(name) => format!("write {name}={}", bare()),
        Origin::Flag(name) => format!("write {name} {}", bare()),
        Origin::Default | Origin::KnownName | Origin::File { .. } => {
            let key = setting.rsplit('.').next().unwrap_or(setting);
            if key.ends_with(']') { format!("write {example}") } else { format!("write {key} = {example}") }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Origin::Environment(name) => write!(f, "environment: {name}")?,
            Origin::DotEnv(name) => write!(f, ".env: {name}")?,
            Origin::Flag(name) => f.write_str(name)?,
            Origin::Default | Origin::KnownName => f.write_str(&self.setting)?,
            place @ Origin::File { .. } if self.setting.is_empty() => write!(f, "{place}")?,
            place @ Origin::File { .. } => write!(f, "{place}: {}", self.setting)?,
        }
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if self.place != Origin::Default || !self.setting.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.what)?;
        if self.mend.is_empty() { Ok(()) } else { write!(f, "; {}", self.mend) }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Origin::Default | Origin::KnownName => f.write_str(&self.text),
            place => write!(f, "{place}: {}", self.text),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_problems(f, "the configuration", &self.problems)
    }
}

/// Writes the problems of something, one a line.
pub(super) fn write_problems(f: &mut fmt::Formatter<'_>, of: &str, problems: &[Problem]) -> fmt::Result {
    let count = problems.len();
    write!(f, "{of} has {count} problem{}:", if count == 1 { "" } else { "s" })?;
    for problem in problems.iter().take(MOST_SHOWN) {
        write!(f, "\n  {problem}")?;
    }
    if count > MOST_SHOWN { write!(f, "\n  ... and {} more", count - MOST_SHOWN) } else { Ok(()) }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(line: usize) -> Origin {
        Origin::File { file: "backstop.toml".into(), line: Some(line) }
    }

    #[test]
    fn names_place_value_and_mend() {
        let fault = || Fault::example("not a whole number", "2");

        let in_file = fault().at(file(12), "providers.openai.priority", Some("\"high\""));
        let in_dot_env = fault().at(Origin::DotEnv("OPENAI_PRIORITY".into()), "", Some("\"high\""));

        insta::assert_snapshot!(in_file, @r#"backstop.toml:12: providers.openai.priority = "high": not a whole number; write priority = 2"#);
        insta::assert_snapshot!(in_dot_env, @r#".env: OPENAI_PRIORITY = "high": not a whole number; write OPENAI_PRIORITY=2"#);
    }

    #[test]
    fn never_repeats_a_secret_value() {
        let problem = Fault::words("a key", "name a variable").secret().at(file(1), "api_key", Some("sk-1"));

        assert_eq!(problem.to_string(), "backstop.toml:1: api_key: a key; name a variable");
    }

    #[test]
    fn counts_the_problems_and_cuts_a_flood() {
        let problem = Fault::words("bad", "").at(file(1), "x", None);

        let one = ConfigError { problems: vec![problem.clone()] };
        let many = ConfigError { problems: vec![problem; 103] };

        assert_eq!(one.to_string(), "the configuration has 1 problem:\n  backstop.toml:1: x: bad");
        assert!(many.to_string().ends_with("\n  ... and 3 more"));
    }
}
