//! The Rust toolchain that can build a guest: rustup's, where it has the target, else Debian's own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;

/// What guests are built for: there is nothing of an operating system in it.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian puts the toolchain of `rustc-web` and `cargo-web`.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// A way to build for [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// `cargo` as it is found, with the target's library installed.
    Installed,
    /// Debian's compiler, which builds the target's library from its sources and links with a linker from elsewhere.
    Debian {
        /// A `rust-lld`.
        linker: PathBuf,
    },
}

/// No toolchain can build for the target.
#[derive(Debug, Error)]
#[error(
    "no Rust toolchain here can build for {TARGET}; any one of these mends it:\n  \
     rustup target add {TARGET}\n  \
     apt-get install -y rustc-web cargo-web rust-web-src    (Debian 12; with a rust-lld, as rustup's toolchains and lld bring)"
)]
pub(super) struct NoToolchain;

impl Toolchain {
    /// Looks for a toolchain, from within the crate's folder: it may have a say in which one is used.
    pub(super) fn find(dir: &Path) -> Result<Self, NoToolchain> {
        if has_library("rustc".as_ref(), dir) {
            return Ok(Self::Installed);
        }
        let debian_is_complete = Path::new(DEBIAN_CARGO).exists() && has_sources();
        let linker = debian_is_complete.then(|| find_linker(dir)).flatten();
        linker.map(|linker| Self::Debian { linker }).ok_or(NoToolchain)
    }

    /// The command that builds, short of its own arguments.
    pub(super) fn cargo(&self) -> Command {
        match self {
            Self::Installed => {
                let mut cargo = Command::new("cargo");
                cargo.args(["build", "--release", "--target", TARGET]);
                cargo
            }
            Self::Debian { linker } => {
                let mut cargo = Command::new(DEBIAN_CARGO);
                cargo.args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
                cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                cargo
            }
        }
    }

    /// The command that describes a crate.
    pub(super) fn metadata(&self) -> Command {
        let mut cargo = Command::new(match self {
            Self::Installed => "cargo",
            Self::Debian { .. } => DEBIAN_CARGO,
        });
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
        cargo
    }
}

/// Whether a compiler comes with the target's own library.
fn has_library(rustc: &Path, dir: &Path) -> bool {
    let Some(lib) = print_of(rustc, dir, &["--print", "target-libdir", "--target", TARGET]) else { return false };
    let Ok(files) = std::fs::read_dir(lib) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

/// Whether Debian's compiler comes with the sources of the library.
fn has_sources() -> bool {
    let root = print_of(DEBIAN_RUSTC.as_ref(), Path::new("/"), &["--print", "sysroot"]);
    root.is_some_and(|root| PathBuf::from(root).join("lib/rustlib/src/rust/library/core").exists())
}

/// A linker for WebAssembly: the one of the toolchain at hand, or one that the system has.
fn find_linker(dir: &Path) -> Option<PathBuf> {
    let of_rustc = |rustc: &str| {
        let lib = PathBuf::from(print_of(rustc.as_ref(), dir, &["--print", "target-libdir"])?);
        Some(lib.parent()?.join("bin").join("rust-lld"))
    };
    let candidates =
        [of_rustc("rustc"), of_rustc(DEBIAN_RUSTC), Some("/usr/bin/rust-lld".into()), Some("/usr/bin/wasm-ld".into())];
    candidates.into_iter().flatten().find(|path| path.exists())
}

/// The one line a compiler prints.
fn print_of(rustc: &Path, dir: &Path, args: &[&str]) -> Option<OsString> {
    let output = Command::new(rustc).args(args).current_dir(dir).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_with_the_library_where_it_is_installed() {
        let cargo = Toolchain::Installed.cargo();

        assert_eq!(cargo.get_program(), "cargo");
        assert_eq!(cargo.get_args().collect::<Vec<_>>(), ["build", "--release", "--target", TARGET]);
    }

    #[test]
    fn builds_the_library_from_its_sources_on_debian() {
        let cargo = Toolchain::Debian { linker: "/opt/rust-lld".into() }.cargo();

        assert_eq!(cargo.get_program(), DEBIAN_CARGO);
        assert!(cargo.get_args().any(|arg| arg == "-Zbuild-std=std,panic_abort"));
        assert!(cargo.get_envs().any(|(_, value)| value == Some("/opt/rust-lld".as_ref())));
    }

    #[test]
    fn says_what_to_install() {
        insta::assert_snapshot!(NoToolchain, @r"
        no Rust toolchain here can build for wasm32-unknown-unknown; any one of these mends it:
          rustup target add wasm32-unknown-unknown
          apt-get install -y rustc-web cargo-web rust-web-src    (Debian 12; with a rust-lld, as rustup's toolchains and lld bring)
        ");
    }
}
