//! From the sources to the configuration, whole.

mod faults;
mod places;
mod environment;
mod presets;
mod shown;
mod embeddings;
mod secrets;

use std::path::Path;

use tempfile::TempDir;

use super::{Config, ConfigError, Loaded, ProviderConfig, RouteConfig, Sources, load};

/// A folder with a `backstop.toml` and a `.env` of these texts; nothing is written where a text is empty.
struct Folder(TempDir);

impl Folder {
    fn with(toml: &str, dot_env: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("backstop.toml", toml), (".env", dot_env)] {
            if !text.is_empty() {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        load(&Sources::in_folder(self.path(), variables))
    }
}

/// Loads a file and variables that are in order.
fn loaded(toml: &str, variables: &[(&str, &str)]) -> Loaded {
    Folder::with(toml, "").load(variables).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads the same and lists what is wrong.
fn problems(toml: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match Folder::with(toml, "").load(variables) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

/// The only problem of a file.
fn problem(toml: &str) -> String {
    let problems = problems(toml, &[]);
    assert_eq!(problems.len(), 1, "{toml}: {problems:#?}");
    problems[0].clone()
}

fn notices(loaded: &Loaded) -> Vec<String> {
    loaded.notices.iter().map(ToString::to_string).collect()
}

fn default_route(config: &Config) -> &RouteConfig {
    &config.routes[Config::DEFAULT_ROUTE]
}

fn models(provider: &ProviderConfig) -> Vec<&str> {
    provider.models.iter().map(|model| model.id.as_str()).collect()
}

fn names(config: &Config) -> Vec<&str> {
    config.providers.keys().map(String::as_str).collect()
}
