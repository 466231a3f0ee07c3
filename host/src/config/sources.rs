//! Where configuration comes from: the only place that reads the process's environment.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::SecretString;

use super::load::FILE_NAME;
use super::overrides::Overrides;
use crate::clock::{Clock, SystemClock};

/// Everything a configuration is made of. Holds the environment, and so the keys; `Debug` shows no value of it.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file to read (`--config`); where nothing is said it is looked for.
    pub file: Option<PathBuf>,
    /// The folder in which `backstop.toml` and `.env` are looked for: the working directory.
    pub directory: PathBuf,
    /// The folder in which `backstop.toml` is looked for next: Backstop's own in the platform's configuration folder.
    pub user_directory: Option<PathBuf>,
    /// The folder for what is to last: Backstop's own in the platform's data folder.
    pub data_directory: Option<PathBuf>,
    /// The folder for what can be made again: Backstop's own in the platform's cache folder.
    pub cache_directory: Option<PathBuf>,
    /// The user's own folder, where other programs keep theirs.
    pub home_directory: Option<PathBuf>,
    /// The variables.
    pub environment: Vec<(OsString, OsString)>,
    /// What flags say.
    pub overrides: Overrides,
    /// The present time of day: prices of the catalogue change with it.
    pub now: Timestamp,
}

impl Sources {
    /// The sources of this process, with no file named and no flag given.
    #[must_use]
    pub fn from_process() -> Self {
        let platform = directories::BaseDirs::new();
        let own = |folder: &Path| folder.join("backstop");
        Self {
            file: None,
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            user_directory: platform.as_ref().map(|folders| own(folders.config_dir())),
            data_directory: platform.as_ref().map(|folders| own(folders.data_local_dir())),
            cache_directory: platform.as_ref().map(|folders| own(folders.cache_dir())),
            home_directory: platform.as_ref().map(|folders| folders.home_dir().to_owned()),
            environment: std::env::vars_os().collect(),
            overrides: Overrides::default(),
            now: SystemClock::start().wall(),
        }
    }

    /// The files a configuration may come from: whoever looks at them notices when it changes.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let named = self.file.iter().map(|file| self.directory.join(file));
        let user = self.user_directory.iter().map(|folder| folder.join(FILE_NAME));
        let looked_for = std::iter::once(self.directory.join(FILE_NAME)).chain(user);
        let files: Vec<_> = if self.file.is_some() { named.collect() } else { looked_for.collect() };
        files.into_iter().chain([self.directory.join(".env")]).collect()
    }

    /// A gateway's admin key, for commands that speak to one.
    #[must_use]
    pub fn admin_key(&self) -> Option<SecretString> {
        let found = self.environment.iter().find(|(name, _)| name == "BACKSTOP_ADMIN_KEY");
        found.and_then(|(_, value)| value.to_str()).map(SecretString::from)
    }

    /// Sources that see nothing but a folder and these variables, in October 2026.
    #[cfg(test)]
    pub(super) fn in_folder(directory: &Path, variables: &[(&str, &str)]) -> Self {
        let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self {
            directory: directory.to_owned(),
            environment,
            now: Timestamp::constant(1_790_812_800, 0),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("directory", &self.directory)
            .field("user_directory", &self.user_directory)
            .field("data_directory", &self.data_directory)
            .field("cache_directory", &self.cache_directory)
            .field("home_directory", &self.home_directory)
            .field("environment", &format_args!("{} variables", self.environment.len()))
            .field("overrides", &self.overrides)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_variable() {
        let sources = Sources::in_folder(Path::new("/x"), &[("OPENAI_API_KEY", "canary")]);

        let shown = format!("{sources:?}");

        assert!(shown.contains("1 variables") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn sees_the_process() {
        let sources = Sources::from_process();

        assert!(sources.directory.is_absolute());
        assert!(!sources.environment.is_empty());
    }
}
