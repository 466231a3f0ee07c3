//! C becomes a core module with the contract's types in it, by clang and the bindings that wit-bindgen made.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::super::exit::UsageError;
use super::Built;
use super::tool::Tool;

const INSTALL: &str =
    "apt-get install -y --no-install-recommends clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32    (Debian 12)";

/// Debian's compilers, the newest first, each with the linker of its version; then whatever is called clang.
const COMPILERS: [&str; 5] = ["clang-19", "clang-18", "clang-17", "clang-16", "clang"];

/// Where Debian has the C library for WebAssembly; other toolchains (WASI's SDK) bring their own and know where it is.
const DEBIAN_LIBRARY: &str = "/usr/include/wasm32-wasi";

/// What the compiler writes, beside the project's own files.
const MADE: &str = ".strategy.wasm.part";

/// Builds every source of the folder and its bindings under the folder's name.
pub(super) fn build(dir: &Path) -> anyhow::Result<Built> {
    let dir = &fs::canonicalize(dir).with_context(|| format!("cannot find {}", dir.display()))?;
    let name = dir.file_name().map_or_else(|| "strategy".to_owned(), |name| name.to_string_lossy().into_owned());
    super::require(
        dir,
        "bindings",
        "it holds the contract in C: `wit-bindgen c wit --world WORLD --out-dir bindings`",
    )?;
    let mut inputs = files(dir, is_source)?;
    inputs.extend(files(&dir.join("bindings"), |file| is_source(file) || has_extension(file, "o"))?);
    if !inputs.iter().any(|file| has_extension(file, "o")) {
        return Err(UsageError(
            "bindings/ has no `*_component_type.o`, which tells what the module is: make the bindings again with wit-bindgen"
                .to_owned(),
        )
        .into());
    }
    let tool = compiler();
    let mut command = tool.command(dir, &[])?;
    command.args(["--target=wasm32-wasi", "-std=gnu11", "-Oz", "-flto", "-mexec-model=reactor"]);
    if Path::new(DEBIAN_LIBRARY).exists() {
        command.arg("--sysroot=/usr");
    }
    // A small stack that ends in a trap, not in the data: a module of one page is copied faster.
    command.args(["-Wl,--strip-all", "-Wl,--stack-first", "-Wl,-z,stack-size=65536", "-o", MADE]);
    command.args(inputs);
    let wasm = tool.run(command, dir, MADE)?;
    Ok(Built { name, authors: Vec::new(), wasm })
}

/// The first compiler that is there; where none is, the one to install.
fn compiler() -> Tool {
    let tool = |name| Tool { name, language: "C", install: INSTALL };
    COMPILERS.map(tool).into_iter().find(Tool::is_there).unwrap_or(tool("clang-16"))
}

/// Tests are programs of their own.
fn is_source(file: &Path) -> bool {
    let is_test = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_test"));
    has_extension(file, "c") && !is_test
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// The files of a folder that are wanted, in the order of their names.
fn files(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", folder.display());
    let entries =
        fs::read_dir(folder).with_context(unreadable)?.collect::<Result<Vec<_>, _>>().with_context(unreadable)?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| is_wanted(path)).collect();
    files.sort();
    Ok(files)
}
