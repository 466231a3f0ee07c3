//! The environment and `.env` as one set of variables; the environment wins.

use std::collections::HashMap;
use std::ffi::OsString;

use super::dotenv;
use super::origin::Origin;
use super::report::Report;
use super::sources::Sources;

/// All variables that are set to something. Holds keys: it has no `Debug` and does not outlive the loading.
#[derive(Default)]
pub(super) struct Environment {
    variables: HashMap<String, Variable>,
}

struct Variable {
    /// `None` where it is not Unicode.
    text: Option<String>,
    origin: Origin,
}

/// A variable that is set.
pub(super) enum Found<'a> {
    /// To a text that is not blank.
    Text(&'a str, Origin),
    /// To something that is no text.
    NotUnicode(Origin),
}

impl Environment {
    /// Reads `.env`, and puts the environment over it. A variable set to nothing counts as not set.
    pub(super) fn gather(sources: &Sources, report: &mut Report) -> Self {
        let mut environment = Self::default();
        for (name, text) in dotenv::read(&sources.directory, report) {
            let origin = Origin::DotEnv(name.clone());
            environment.set(name, Some(text), origin);
        }
        for (name, value) in &sources.environment {
            let Some(name) = name.to_str() else { continue };
            let origin = Origin::Environment(name.to_owned());
            environment.set(name.to_owned(), text_of(value), origin);
        }
        environment
    }

    /// A variable, where it is set.
    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        let variable = self.variables.get(name)?;
        let origin = variable.origin.clone();
        Some(match &variable.text {
            Some(text) => Found::Text(text, origin),
            None => Found::NotUnicode(origin),
        })
    }

    /// Whether a variable is set.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// An environment of these variables.
    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        let mut environment = Self::default();
        for (name, text) in variables {
            environment.set((*name).to_owned(), Some((*text).to_owned()), Origin::Environment((*name).to_owned()));
        }
        environment
    }

    fn set(&mut self, name: String, text: Option<String>, origin: Origin) {
        if text.as_deref().is_none_or(|text| !text.trim().is_empty()) {
            self.variables.insert(name, Variable { text, origin });
        }
    }
}

fn text_of(value: &OsString) -> Option<String> {
    value.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(environment: &Environment, name: &str) -> Option<(String, String)> {
        match environment.find(name)? {
            Found::Text(text, origin) => Some((text.to_owned(), origin.to_string())),
            Found::NotUnicode(origin) => Some(("?".to_owned(), origin.to_string())),
        }
    }

    // C6 (of the requirements)
    #[test]
    fn lets_the_environment_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "A=file\nB=file\nC=file\n").unwrap();
        let variables = [("B", "real"), ("C", ""), ("D", " ")];
        let sources = Sources::in_folder(folder.path(), &variables);

        let environment = Environment::gather(&sources, &mut Report::default());

        let said = |text: &str, origin: &str| Some((text.to_owned(), origin.to_owned()));
        assert_eq!(text(&environment, "A"), said("file", ".env A"));
        assert_eq!(text(&environment, "B"), said("real", "environment B"));
        assert_eq!(text(&environment, "C"), said("file", ".env C"));
        assert_eq!(text(&environment, "D"), None);
    }

    #[cfg(unix)]
    #[test]
    fn keeps_what_is_no_text_apart() {
        use std::os::unix::ffi::OsStringExt;

        let folder = tempfile::tempdir().unwrap();
        let mut sources = Sources::in_folder(folder.path(), &[]);
        sources.environment.push(("A".into(), OsString::from_vec(vec![0xff])));

        let environment = Environment::gather(&sources, &mut Report::default());

        assert_eq!(text(&environment, "A"), Some(("?".to_owned(), "environment A".to_owned())));
    }
}
