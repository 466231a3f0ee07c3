//! A Rust crate becomes a module: cargo's part.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use super::super::super::exit::UsageError;
use super::Built;
use super::rust_toolchain::Toolchain;

/// Builds the crate in a folder. Nothing is downloaded but what the crate's own dependencies ask cargo for.
pub(super) fn build(dir: &Path) -> anyhow::Result<Built> {
    let manifest = fs::canonicalize(dir.join("Cargo.toml")).context("cannot find the crate's Cargo.toml")?;
    let toolchain = Toolchain::find(dir)?;
    let package = package(&toolchain, &manifest)?;
    let name = package.get("name").and_then(Value::as_str).map(str::to_owned);
    let name = name.ok_or_else(|| anyhow!("cargo's description of the crate has no name"))?;
    let module = compile(&toolchain, &manifest)?;
    let wasm = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let authors = package.get("authors").and_then(Value::as_array).into_iter().flatten();
    let authors = authors.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(Built { name, authors, wasm })
}

/// What cargo says of the crate.
fn package(toolchain: &Toolchain, manifest: &Path) -> anyhow::Result<Value> {
    let output = toolchain.metadata().arg("--manifest-path").arg(manifest).stderr(Stdio::inherit()).output();
    let output = output.context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo cannot read {}", manifest.display());
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("cargo's description of the crate is no JSON")?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let package = packages.into_iter().find(|package| is_of(package, manifest));
    let package = package
        .ok_or_else(|| UsageError(format!("{} names no package: build one of its members", manifest.display())))?;
    if !has_cdylib(package) {
        return Err(UsageError(format!(
            "{} builds no module: add to it\n  [lib]\n  crate-type = [\"cdylib\"]",
            manifest.display()
        ))
        .into());
    }
    Ok(package.clone())
}

fn is_of(described: &Value, manifest: &Path) -> bool {
    described.get("manifest_path").and_then(Value::as_str).is_some_and(|path| Path::new(path) == manifest)
}

fn has_cdylib(package: &Value) -> bool {
    let targets = package.get("targets").and_then(Value::as_array);
    targets.into_iter().flatten().any(makes_module)
}

/// Whether cargo's description of a target says that a module comes of it.
fn makes_module(target: &Value) -> bool {
    let kinds = target.get("crate_types").and_then(Value::as_array);
    kinds.into_iter().flatten().any(|kind| kind == "cdylib")
}

/// Runs cargo, whose own messages go to standard error, and returns where the module is.
fn compile(toolchain: &Toolchain, manifest: &Path) -> anyhow::Result<PathBuf> {
    let mut cargo = toolchain.cargo();
    cargo.arg("--message-format=json-render-diagnostics").arg("--manifest-path").arg(manifest);
    if let Some(dir) = manifest.parent() {
        cargo.current_dir(dir);
    }
    let mut running = cargo.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let messages =
        running.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok));
    let module = messages.filter_map(|message| module_of(&message, manifest)).last();
    let status = running.wait()?;
    if !status.success() {
        bail!("cargo could not build the crate; its own words are above");
    }
    module.ok_or_else(|| anyhow!("cargo built the crate, but no module came of it"))
}

/// The module that a message of cargo tells of, where it is the crate's own.
fn module_of(message: &str, manifest: &Path) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_ours = is_of(&message, manifest) && message.get("target").is_some_and(makes_module);
    let files = message.get("filenames").filter(|_| is_ours)?.as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_crates_own_module_among_the_messages() {
        let message = |manifest: &str, kind: &str| {
            json!({
                "reason": "compiler-artifact", "manifest_path": manifest, "target": {"crate_types": [kind]},
                "filenames": ["/t/libmine.rlib", "/t/mine.wasm"],
            })
            .to_string()
        };
        let manifest = Path::new("/mine/Cargo.toml");

        assert_eq!(module_of(&message("/mine/Cargo.toml", "cdylib"), manifest), Some("/t/mine.wasm".into()));
        assert_eq!(module_of(&message("/other/Cargo.toml", "cdylib"), manifest), None);
        assert_eq!(module_of(&message("/mine/Cargo.toml", "lib"), manifest), None);
        assert_eq!(module_of("warning: not JSON", manifest), None);
    }
}
