//! Finds the binary `backstop`, built from the sources as they stand.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary, of the same profile and in the same target folder as the running test.
///
/// Cargo tells a test where the binaries of its own package are, and this is another package. So cargo is asked to build
/// it, once in each test program: it knows best whether there is anything to do, and mostly there is not. Who has had it built
/// already names it in the variable `BACKSTOP_BINARY`.
///
/// # Panics
/// Where it cannot be built.
#[must_use]
pub fn backstop_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(binary) = env::var_os("BACKSTOP_BINARY") {
            return binary.into();
        }
        let profile = profile();
        build(&profile);
        profile.join(format!("backstop{}", env::consts::EXE_SUFFIX))
    })
}

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the crate is in a folder of the repository").to_owned()
}

/// The folder with what was built in the running test's profile, such as `target/debug`.
pub(crate) fn profile() -> PathBuf {
    profile_folder(&env::current_exe().expect("a test knows its own path"))
}

/// `target/debug` of `target/debug/deps/test-0123`.
fn profile_folder(test: &Path) -> PathBuf {
    let folder = test.parent().expect("a file is in a folder");
    let is_nested = folder.ends_with("deps") || folder.ends_with("examples");
    if is_nested { folder.parent().expect("deps is in a folder").to_owned() } else { folder.to_owned() }
}

fn build(profile: &Path) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = profile.parent().expect("a profile's folder is in the target folder");
    let mut command = Command::new(cargo);
    command.current_dir(repository()).args(["build", "--quiet", "--locked", "-p", "backstop", "--bin", "backstop"]);
    command.arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(status.success(), "{command:?} has failed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_beside_the_folder_of_tests() {
        assert_eq!(profile_folder(Path::new("/t/debug/deps/cli-1f")), Path::new("/t/debug"));
        assert_eq!(profile_folder(Path::new("/t/release/bench")), Path::new("/t/release"));
    }

    #[test]
    fn builds_a_binary_that_can_be_run() {
        assert!(backstop_binary().is_file());
    }
}
