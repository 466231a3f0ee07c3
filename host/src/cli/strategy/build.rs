//! `backstop strategy build`: a guest crate becomes a component, and the component is checked.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, anyhow, bail};
use backstop::config::{SandboxConfig, StrategyRef};
use backstop::strategy::LoadStrategyError;
use serde_json::Value;
use wit_component::ComponentEncoder;

use super::super::args::BuildArgs;
use super::super::aside;
use super::super::exit::{Exit, UsageError};
use super::super::paint::{Tone, paint};
use super::check::{self, Report};
use super::toolchain::Toolchain;

/// The first eight bytes of a core module; a component differs in the last four.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Builds. Nothing is downloaded but what the crate's own dependencies ask cargo for.
pub(super) fn run(args: &BuildArgs) -> anyhow::Result<Exit> {
    let manifest = args.dir.join("Cargo.toml");
    let manifest = fs::canonicalize(&manifest)
        .map_err(|_| UsageError(format!("{} is no Rust crate: there is no Cargo.toml", args.dir.display())))?;
    let toolchain = Toolchain::find(&args.dir)?;
    let name = package_name(&toolchain, &manifest)?;
    let output = args.output.clone().unwrap_or_else(|| manifest.with_file_name(format!("{name}.wasm")));

    let built = build(&toolchain, &manifest)?;
    let component = encode(&fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?)?;
    let examined = put(&output, &component)?;
    if examined.is_ok() {
        aside::tell(&[paint(Tone::Good, format_args!("wrote {} ({} bytes)", output.display(), component.len()))]);
    }
    check::conclude(&examined, false)
}

fn package_name(toolchain: &Toolchain, manifest: &Path) -> anyhow::Result<String> {
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
    let name = package.get("name").and_then(Value::as_str);
    name.map(str::to_owned).ok_or_else(|| anyhow!("cargo's description of the crate has no name"))
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
fn build(toolchain: &Toolchain, manifest: &Path) -> anyhow::Result<PathBuf> {
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

/// Makes a core module a component; what is one already stays as it is.
fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    if !module.starts_with(&CORE_MODULE) {
        return Ok(module.to_vec());
    }
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let encoded = encoder.and_then(|mut encoder| encoder.encode());
    encoded.context(
        "the module cannot be made a component; it must be written with the SDK or wit-bindgen's `strategy` world",
    )
}

/// Examines the component beside its place and, if it can be loaded, puts it there in one step: who is watching the file
/// never sees half of it, nor one that cannot run.
fn put(output: &Path, component: &[u8]) -> anyhow::Result<Result<Report, LoadStrategyError>> {
    let beside = output.with_extension("new.wasm");
    fs::write(&beside, component).with_context(|| format!("cannot write {}", beside.display()))?;
    let examined = check::examine(&StrategyRef::File(beside.clone()), &SandboxConfig::default());
    let placed = if examined.is_ok() { fs::rename(&beside, output) } else { fs::remove_file(&beside) };
    placed.with_context(|| format!("cannot write {}", output.display()))?;
    Ok(examined.map(|report| report.named(output.display().to_string())))
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

    #[test]
    fn leaves_a_component_as_it_is() {
        let component = b"\0asm\x0d\0\x01\0";

        assert_eq!(encode(component).unwrap(), component);
    }

    #[test]
    fn keeps_what_works_when_the_new_component_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("mine.wasm");
        fs::write(&output, b"old").unwrap();

        let examined = put(&output, &encode(&CORE_MODULE).unwrap()).unwrap();

        assert!(examined.is_err());
        assert_eq!(fs::read(&output).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
