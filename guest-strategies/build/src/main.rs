//! Builds the guests into `prebuilt/*.wasm`, and tells whether those are up to date.
//!
//! `cargo run -p prebuild [GUEST…]` builds, `cargo run -p prebuild -- --check` only compares digests and needs no
//! WebAssembly toolchain.

mod toolchain;
mod sources;
mod component;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use anyhow::{Context, Result, bail, ensure};

use component::Component;
use toolchain::Toolchain;

/// The guests that are built, each in a folder of its name.
const GUESTS: [&str; 12] = [
    "smart",
    "cost",
    "quality",
    "round-robin",
    "fail-fast",
    "by-task",
    "bandit",
    "hedge",
    "quota-aware",
    "weighted",
    "hostile",
    "witness",
];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--check") {
        return check();
    }
    let chosen = GUESTS.into_iter().filter(|guest| arguments.is_empty() || arguments.iter().any(|name| name == guest));
    let chosen: Vec<&str> = chosen.collect();
    ensure!(chosen.len() == arguments.len() || arguments.is_empty(), "guests are: {}", GUESTS.join(", "));
    build(&chosen)
}

/// Builds guests, one after the other.
fn build(guests: &[&str]) -> Result<()> {
    let workspace = workspace()?;
    let toolchain = Toolchain::find(&workspace)?;
    let out = workspace.join("prebuilt");
    fs::create_dir_all(&out)?;
    for guest in guests {
        let module = toolchain.build(&workspace, guest)?;
        let digest = sources::digest(&workspace, guest)?;
        let component = Component::from_module(&fs::read(&module)?, &digest)?;
        let place = out.join(guest).with_extension("wasm");
        fs::write(&place, component.bytes()).with_context(|| format!("cannot write {}", place.display()))?;
        writeln!(io::stdout(), "{guest}: {} bytes, by {toolchain}", component.bytes().len())?;
    }
    Ok(())
}

/// Refuses prebuilt components that were made from other sources than those at hand.
fn check() -> Result<()> {
    let stale = stale()?;
    if stale.is_empty() {
        return Ok(());
    }
    bail!("not made from the present sources: {}; run `cargo run -p prebuild`", stale.join(", "));
}

/// The guests whose prebuilt component was made from other sources, or is missing.
fn stale() -> Result<Vec<&'static str>> {
    let workspace = workspace()?;
    let mut stale = Vec::new();
    for guest in GUESTS {
        let place = workspace.join("prebuilt").join(guest).with_extension("wasm");
        let made_from = fs::read(place).ok().and_then(|bytes| component::sources_of(&bytes));
        if made_from != Some(sources::digest(&workspace, guest)?) {
            stale.push(guest);
        }
    }
    Ok(stale)
}

/// The guests' workspace: the folder above this package.
fn workspace() -> Result<PathBuf> {
    // Asked for as it runs: a driver that was built in another checkout with the same target directory would otherwise
    // work on that one.
    let package = env::var_os("CARGO_MANIFEST_DIR").context("run it by `cargo run -p prebuild`")?;
    Ok(Path::new(&package).parent().context("the package is in no workspace")?.to_path_buf())
}

#[cfg(test)]
mod tests {
    #[test]
    fn keeps_the_prebuilt_components_up_to_date() {
        assert_eq!(super::stale().unwrap(), Vec::<&str>::new(), "run `cargo run -p prebuild`");
    }
}
