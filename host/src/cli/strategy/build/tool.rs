//! A compiler that is a program of its own: where it is, and what to do where it is not.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use thiserror::Error;

/// What a shell, and `env`, exit with where a program is not to be found.
const NOT_FOUND: i32 = 127;

/// A compiler.
#[derive(Debug)]
pub(super) struct Tool {
    /// The program's name.
    pub(super) name: &'static str,
    /// Whose strategies it builds.
    pub(super) language: &'static str,
    /// The commands that install it.
    pub(super) install: &'static str,
}

/// A compiler is not installed.
#[derive(Debug, Error)]
#[error("there is no {name}, which builds a strategy in {language}; this installs it:\n  {install}")]
struct MissingTool {
    name: &'static str,
    language: &'static str,
    install: &'static str,
}

impl Tool {
    /// Whether it can be run at all.
    pub(super) fn is_there(&self) -> bool {
        let asked = Command::new(self.name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    }

    /// A command that runs it in the project's folder: the program that the project has of its own, else the system's.
    pub(super) fn command(&self, dir: &Path, own: &[&str]) -> anyhow::Result<Command> {
        let dir = fs::canonicalize(dir).with_context(|| format!("cannot find {}", dir.display()))?;
        let own = own.iter().map(|folder| dir.join(folder).join(self.name)).find(|program| program.exists());
        let mut command = Command::new(own.unwrap_or_else(|| PathBuf::from(self.name)));
        command.current_dir(dir);
        Ok(command)
    }

    /// Runs a command that writes to `made` in the project's folder, and takes what it wrote. Its own words go to standard error.
    pub(super) fn run(&self, mut command: Command, dir: &Path, made: &str) -> anyhow::Result<Vec<u8>> {
        let status = command.stdin(Stdio::null()).stdout(io::stderr()).status();
        let status = match status {
            Ok(status) if status.code() == Some(NOT_FOUND) => return Err(self.missing().into()),
            Ok(status) => status,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(self.missing().into()),
            Err(error) => return Err(error).with_context(|| format!("cannot run {}", self.name)),
        };
        let made = dir.join(made);
        let wasm = fs::read(&made);
        // What was half written is no component, and what was read is not needed any more.
        let _ = fs::remove_file(&made);
        if !status.success() {
            bail!("{} could not build the strategy; its own words are above", self.name);
        }
        wasm.with_context(|| format!("{} has ended well, and {} is not there", self.name, made.display()))
    }

    fn missing(&self) -> MissingTool {
        let Self { name, language, install } = *self;
        MissingTool { name, language, install }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Tool = Tool { name: "no-such-compiler", language: "Esperanto", install: "apt-get install it" };

    #[test]
    fn says_what_to_install() {
        let dir = tempfile::tempdir().unwrap();

        let error = NOWHERE.run(NOWHERE.command(dir.path(), &[]).unwrap(), dir.path(), "made").unwrap_err();

        insta::assert_snapshot!(error, @r"
        there is no no-such-compiler, which builds a strategy in Esperanto; this installs it:
          apt-get install it
        ");
    }

    #[cfg(unix)]
    #[test]
    fn prefers_the_projects_own_and_takes_what_it_wrote() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("tools");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("no-such-compiler"), "#!/bin/sh\nprintf made-by-its-own > made\n").unwrap();
        fs::set_permissions(own.join("no-such-compiler"), fs::Permissions::from_mode(0o755)).unwrap();

        let made = NOWHERE.run(NOWHERE.command(dir.path(), &["tools"]).unwrap(), dir.path(), "made").unwrap();

        assert_eq!(made, b"made-by-its-own");
        assert!(!dir.path().join("made").exists());
    }
}
