//! The compilers of strategies: where they are, and a folder for what they have made.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Cli;
use crate::binary::profile;

/// Longest time that a compiler may take on a busy machine.
pub const COMPILERS_PATIENCE: Duration = Duration::from_secs(600);

/// How the variables begin that say where package managers go, and whom they trust.
const REGISTRIES: [&str; 9] =
    ["NODE_", "NPM_", "PIP_", "SSL_", "REQUESTS_", "CURL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// The folder or file that a variable names, else one in the user's own.
fn folder(variable: &str, name: &str) -> String {
    let own = || Path::new(&env::var_os("HOME").expect("a home")).join(name).into_os_string();
    env::var_os(variable).unwrap_or_else(own).into_string().expect("folders have names in UTF-8")
}

/// The target folder, of which the running test is part.
fn target() -> PathBuf {
    profile().parent().expect("a profile's folder is in the target folder").to_owned()
}

/// Where programs are found: the compilers that `tests/languages/install` brings, then the system's.
///
/// # Panics
/// Where there is no `PATH`.
#[must_use]
pub fn compilers_path() -> String {
    let languages = target().join("languages");
    let own = [languages.join("venv/bin"), languages.join("node/node_modules/.bin")];
    let system = env::var_os("PATH").expect("a PATH");
    let joined = env::join_paths(own.into_iter().chain(env::split_paths(&system))).expect("folders without colons");
    joined.into_string().expect("folders have names in UTF-8")
}

impl Cli {
    /// Lets package managers reach their registries as they do for whoever runs the tests: certificates, proxies, mirrors.
    #[must_use]
    pub fn with_registries(self) -> Self {
        let own = |name: &str| REGISTRIES.iter().any(|start| name.to_ascii_uppercase().starts_with(start));
        let variables = env::vars().filter(|(name, _)| own(name));
        let cli = self.env("NPM_CONFIG_USERCONFIG", &folder("NPM_CONFIG_USERCONFIG", ".npmrc"));
        variables.fold(cli, |cli, (name, value)| cli.env(&name, &value))
    }

    /// Has compilers found, keeps what they make for the next test, and what Backstop compiles in this folder.
    #[must_use]
    pub fn with_compilers(self, cache: &Path) -> Self {
        let crates = target().join("languages-rust").display().to_string();
        self.env("PATH", &compilers_path())
            .env("CARGO_HOME", &folder("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", &folder("RUSTUP_HOME", ".rustup"))
            .env("CARGO_TARGET_DIR", &crates)
            .env("XDG_CACHE_HOME", &cache.display().to_string())
            .timeout(COMPILERS_PATIENCE)
    }
}
