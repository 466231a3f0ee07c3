//! A Rust toolchain that can build for `wasm32-unknown-unknown`: one with the target, or one that can build it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fmt};

use anyhow::{Context, Result, bail, ensure};

const TARGET: &str = "wasm32-unknown-unknown";

/// A strategy needs little stack; less of it makes fresh instances faster.
const STACK_BYTES: u32 = 64 << 10;

/// What to say to someone who has neither.
const MISSING: &str = "no Rust toolchain here can build for wasm32-unknown-unknown. Either run
    rustup target add wasm32-unknown-unknown
or, where rustup cannot, install Debian's toolchain next to rustup's, whose linker it borrows:
    apt-get install -y rustc-web cargo-web rust-web-src";

/// A toolchain that can build guests.
#[derive(Debug)]
pub(crate) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// The library's sources where it comes without the target and has to build that, too.
    library: Option<PathBuf>,
    linker: Option<PathBuf>,
    version: String,
}

impl Toolchain {
    /// Finds one: the toolchain in use where it has the target, else Debian's. `within` is where a `rust-toolchain.toml`
    /// would be looked for.
    pub(crate) fn find(within: &Path) -> Result<Self> {
        Self::with_target(within).or_else(|| Self::of_debian(within)).context(MISSING)
    }

    /// Builds one package of a workspace and returns the core module.
    pub(crate) fn build(&self, workspace: &Path, package: &str) -> Result<PathBuf> {
        // A directory of its own, whatever `CARGO_TARGET_DIR` says: checkouts that share one would pick up each other's
        // modules, for their names are the same.
        let target_dir = workspace.join("target").join("prebuild");
        let mut cargo = Command::new(&self.cargo);
        cargo.current_dir(workspace).args(["build", "--release", "--locked", "--target", TARGET, "--package", package]);
        cargo.env("RUSTC", &self.rustc).env("CARGO_TARGET_DIR", &target_dir);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.flags(workspace));
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        if self.library.is_some() {
            // `-Z` on a stable compiler: the standard library is the one part of it that only nightly may build.
            cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        // The driver itself was started by a cargo whose settings are not meant for this one.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        let status = cargo.status().with_context(|| format!("cannot run {}", self.cargo.display()))?;
        ensure!(status.success(), "cargo could not build {package}");
        let module = target_dir.join(TARGET).join("release").join(package.replace('-', "_")).with_extension("wasm");
        if !module.is_file() {
            bail!("{package} made no {}: is its crate-type `cdylib`?", module.display());
        }
        Ok(module)
    }

    /// Flags for every crate: a small stack, and no path of this machine in the result.
    fn flags(&self, workspace: &Path) -> OsString {
        let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
        let mut remapped = vec![(workspace.to_path_buf(), "/guests")];
        remapped.extend(cargo_home.map(|home| (home, "/cargo")));
        remapped.extend(self.library.clone().map(|library| (library, "/rust/library")));
        let mut flags = OsString::from(format!("-Clink-arg=-zstack-size={STACK_BYTES}"));
        for (from, to) in remapped {
            flags.push("\u{1f}--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
        flags
    }

    /// The toolchain in use, where it has the target.
    fn with_target(within: &Path) -> Option<Self> {
        let libraries = print(Path::new("rustc"), within, &["--print", "target-libdir", "--target", TARGET])?;
        let has_target = Path::new(&libraries).read_dir().ok()?.next().is_some();
        let version = print(Path::new("rustc"), within, &["--version"])?;
        let (cargo, rustc) = (PathBuf::from("cargo"), PathBuf::from("rustc"));
        has_target.then_some(Self { cargo, rustc, library: None, linker: None, version })
    }

    /// Debian's toolchain, with the sources of its standard library and a linker from wherever there is one.
    fn of_debian(within: &Path) -> Option<Self> {
        let (cargo, rustc) = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
        let sysroot = print(&rustc, within, &["--print", "sysroot"])?;
        let library = Path::new(&sysroot).join("lib/rustlib/src/rust/library");
        let version = print(&rustc, within, &["--version"])?;
        let linker = [Path::new("rustc"), &rustc].into_iter().find_map(|compiler| linker_of(compiler, within))?;
        let is_complete = cargo.is_file() && library.is_dir();
        is_complete.then_some(Self { cargo, rustc, library: Some(library), linker: Some(linker), version })
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

/// The `rust-lld` that comes with a compiler.
fn linker_of(rustc: &Path, within: &Path) -> Option<PathBuf> {
    let sysroot = print(rustc, within, &["--print", "sysroot"])?;
    let about = print(rustc, within, &["--version", "--verbose"])?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "))?;
    let linker = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    linker.is_file().then_some(linker)
}

/// What a program prints, without the white space around it.
fn print(program: &Path, within: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).current_dir(within).args(arguments).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
