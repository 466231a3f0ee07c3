//! Who we are to a registry: what `docker login` wrote.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::SecretString;
use serde::Deserialize;
use thiserror::Error;

/// What the file is called in Docker's folder.
const FILE_NAME: &str = "config.json";

/// Bytes of that file at most.
const MOST_BYTES: u64 = 1 << 20;

/// What Docker writes in place of its own registry's host.
const DOCKER_HUB: [&str; 2] = ["docker.io", "index.docker.io"];

/// A user and a password for one registry.
#[derive(Debug, Clone)]
pub struct RegistryLogin {
    /// Who we are.
    pub user: String,
    /// The password, or a token in its place.
    pub password: SecretString,
}

/// Why it is not known who we are to a registry. Says nothing of what is in the file.
#[derive(Debug, Error)]
pub enum RegistryLoginError {
    /// There is a file, and it cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not what Docker writes.
    #[error("{}:{line}: not as `docker login` writes it", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line in which it stops being so.
        line: usize,
    },
    /// Another program keeps the password.
    #[error(
        "{} leaves the password for {host} to `docker-credential-{helper}`, which is not asked: write an `auth` into `auths` there",
        file.display()
    )]
    Helper {
        /// The file.
        file: PathBuf,
        /// The registry.
        host: String,
        /// What the program is called.
        helper: String,
    },
    /// The entry is there, and holds no user with a password.
    #[error("the `auth` for {host} in {} is no user with a password in base64: `docker login {host}` writes it anew", file.display())]
    NoLogin {
        /// The file.
        file: PathBuf,
        /// The registry.
        host: String,
    },
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct DockerConfig {
    auths: HashMap<String, Auth>,
    creds_store: String,
    cred_helpers: HashMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
}

/// Reads who we are to a registry from Docker's folder, afresh each time: a login that is renewed needs no restart. `None` is nobody.
///
/// # Errors
/// When there is a file that cannot be read, or the login is there in a form that is of no use.
pub fn registry_login(folder: &Path, host: &str) -> Result<Option<RegistryLogin>, RegistryLoginError> {
    let file = login_file(folder);
    let text = match read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RegistryLoginError::Unreadable { file, source }),
    };
    // The parser's own words may repeat a value.
    let config: DockerConfig = match serde_json::from_str(&text) {
        Ok(config) => config,
        Err(error) => return Err(RegistryLoginError::Malformed { file, line: error.line() }),
    };
    let host = host.to_owned();
    let entry = config.auths.iter().find(|(name, _)| is_of(name, &host)).map(|(_, auth)| auth);
    let is_empty = |auth: &&Auth| auth.auth.is_empty() && (auth.username.is_empty() || auth.password.is_empty());
    if let Some(auth) = entry.filter(|auth| !is_empty(auth)) {
        return auth.login().map(Some).ok_or(RegistryLoginError::NoLogin { file, host });
    }
    let helper = config.cred_helpers.iter().find(|(name, _)| is_of(name, &host)).map(|(_, helper)| helper);
    // Of a store that keeps all passwords, an empty entry says that it keeps this one.
    match helper.or(entry.map(|_| &config.creds_store)).filter(|helper| !helper.is_empty()) {
        Some(helper) => Err(RegistryLoginError::Helper { file, host, helper: helper.clone() }),
        None => Ok(None),
    }
}

/// The file in Docker's folder that says who we are.
#[must_use]
pub fn login_file(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

impl Auth {
    fn login(&self) -> Option<RegistryLogin> {
        if self.auth.is_empty() {
            return Some(RegistryLogin { user: self.username.clone(), password: self.password.as_str().into() });
        }
        let decoded = String::from_utf8(BASE64_STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(RegistryLogin { user: user.to_owned(), password: password.into() })
    }
}

/// Whether an entry's name means a host: `ghcr.io`, `https://ghcr.io`, `https://index.docker.io/v1/`.
fn is_of(name: &str, host: &str) -> bool {
    let bare = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    let named = bare.split('/').next().unwrap_or(bare);
    named.eq_ignore_ascii_case(host) || (DOCKER_HUB.contains(&host) && DOCKER_HUB.contains(&named))
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;

    fn written(text: &str) -> TempDir {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(FILE_NAME), text).unwrap();
        folder
    }

    fn login(text: &str, host: &str) -> Option<(String, String)> {
        let login = registry_login(written(text).path(), host).unwrap()?;
        Some((login.user, login.password.expose_secret().to_owned()))
    }

    #[test]
    fn reads_what_docker_writes() {
        // ann:se:cret
        let text = r#"{"auths": {"ghcr.io": {"auth": "YW5uOnNlOmNyZXQ="}, "https://index.docker.io/v1/": {"username": "ben", "password": "p"}}}"#;

        assert_eq!(login(text, "ghcr.io"), Some(("ann".to_owned(), "se:cret".to_owned())));
        assert_eq!(login(text, "docker.io"), Some(("ben".to_owned(), "p".to_owned())));
        assert_eq!(login(text, "ghcr.io:444"), None);
        assert_eq!(login("{}", "ghcr.io"), None);
    }

    #[test]
    fn is_nobody_where_there_is_no_file() {
        let folder = TempDir::new().unwrap();

        assert!(registry_login(folder.path(), "ghcr.io").unwrap().is_none());
    }

    #[test]
    fn names_the_program_that_keeps_the_password() {
        let told = |text: &str| {
            let folder = written(text);
            let error = registry_login(folder.path(), "ghcr.io").unwrap_err().to_string();
            error.replace(folder.path().to_str().unwrap(), "DOCKER")
        };

        insta::assert_snapshot!(told(r#"{"auths": {"ghcr.io": {}}, "credsStore": "desktop"}"#), @"DOCKER/config.json leaves the password for ghcr.io to `docker-credential-desktop`, which is not asked: write an `auth` into `auths` there");
        insta::assert_snapshot!(told(r#"{"credHelpers": {"ghcr.io": "own"}}"#), @"DOCKER/config.json leaves the password for ghcr.io to `docker-credential-own`, which is not asked: write an `auth` into `auths` there");
        assert_eq!(login(r#"{"credsStore": "desktop"}"#, "ghcr.io"), None);
    }

    #[test]
    fn repeats_nothing_of_a_damaged_file() {
        for text in
            [r#"{"auths": "canary"}"#, r#"{"auths": {"h": {"auth": "canary!"}}}"#, r#"{"auths": {"h": {"auth": 1}}"#]
        {
            let error = registry_login(written(text).path(), "h").unwrap_err();

            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
