//! `backstop strategy build`: a project becomes a component, and the component is checked.
//!
//! Each language has its own compiler, which must be there: nothing is downloaded here. What comes of it is a component, or a
//! core module that carries its types, which is made one.

mod rust_toolchain;
mod tool;
mod rust;
mod javascript;
mod python;
mod c;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use backstop::config::{Power, Powers, SandboxConfig, StrategyRef};
use backstop::strategy::LoadStrategyError;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::ComponentEncoder;

use super::super::args::{BuildArgs, Language};
use super::super::exit::{Exit, UsageError};
use super::super::paint::{Tone, paint};
use super::super::{aside, setup};
use super::check::{self, Report};
use super::language;

/// The first eight bytes of a core module; a component differs in the last four.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// What a compiler made.
struct Built {
    /// The project's own name.
    name: String,
    /// Who wrote it, as the project says.
    authors: Vec<String>,
    /// A component, or a core module.
    wasm: Vec<u8>,
}

/// Builds.
pub(super) fn run(args: &BuildArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let dir = &args.dir;
    let language = language::of_project(dir).ok_or_else(|| UsageError(no_project(dir)))?;
    let built = match language {
        Language::Rust => rust::build(dir),
        Language::JavaScript => javascript::build(dir, &args.world),
        Language::Python => python::build(dir, &args.world),
        Language::C => c::build(dir),
    }?;
    let mut component = encode(built.wasm)?;
    sign(&mut component, &built.authors);
    let output = match &args.output {
        Some(output) => output.clone(),
        None => dir.join(file_name(&built.name)?),
    };
    let sandbox = setup::sandbox(file);
    let room = with_room_for(language, &sandbox);
    let examined = put(&output, &component, &room)?;
    if examined.is_ok() {
        aside::tell(&[paint(Tone::Good, format_args!("wrote {} ({} bytes)", output.display(), component.len()))]);
    }
    let exit = check::conclude(&examined, false)?;
    if let Some(grant) = examined.as_ref().ok().and_then(|report| grant(report.powers(), &output)) {
        aside::tell(&[paint(Tone::Warn, grant)]);
    }
    if room != sandbox {
        aside::tell(&[paint(
            Tone::Warn,
            "it carries an interpreter: where it is to be used, backstop.toml must say `interpreters = true` under `[sandbox]`",
        )]);
    }
    Ok(exit)
}

/// The component's file by the project's name, which a person has written.
fn file_name(project: &str) -> Result<String, UsageError> {
    let is_plain = !project.is_empty() && !project.contains(['/', '\\', '\0']);
    if is_plain {
        Ok(format!("{project}.wasm"))
    } else {
        Err(UsageError(format!(
            "the project's name, {project:?}, cannot be a file's: change it, or say `--output FILE`"
        )))
    }
}

/// The names of those who wrote it, where tools for components look for them.
fn sign(component: &mut Vec<u8>, authors: &[String]) {
    if !authors.is_empty() {
        let names = authors.join(", ");
        CustomSection { name: "authors".into(), data: names.as_bytes().into() }.append_to_component(component);
    }
}

/// What an operator has to be told of a component that wants more than its question.
fn grant(powers: Powers, output: &Path) -> Option<String> {
    let file = output.file_name()?.to_string_lossy();
    (powers != Powers::NONE).then(|| {
        format!("it wants powers: where it is to be used, backstop.toml must say `{file:?} = {powers}` under `[sandbox.grants]`")
    })
}

/// Sees to it that a project has what its compiler will ask for.
fn require(dir: &Path, name: &str, mend: &str) -> Result<(), UsageError> {
    let path = dir.join(name);
    if path.exists() { Ok(()) } else { Err(UsageError(format!("there is no {}: {mend}", path.display()))) }
}

fn no_project(dir: &Path) -> String {
    let manifests: Vec<String> = Language::ALL
        .iter()
        .map(|&one| format!("\n  {:<15} {}", language::manifest(one), language::name(one)))
        .collect();
    format!(
        "{} holds no strategy; a project is known by one of these files:{}\n`backstop strategy new NAME --lang LANG` writes one",
        dir.display(),
        manifests.concat()
    )
}

/// Room for what the language brings along, whatever the configuration at hand says: it may be another one where it is used.
fn with_room_for(language: Language, sandbox: &SandboxConfig) -> SandboxConfig {
    match language {
        Language::Rust | Language::C => sandbox.clone(),
        Language::JavaScript | Language::Python => {
            let room = SandboxConfig::for_interpreters();
            SandboxConfig {
                fuel: sandbox.fuel.max(room.fuel),
                memory: sandbox.memory.max(room.memory),
                module_bytes: sandbox.module_bytes.max(room.module_bytes),
                compile_time: sandbox.compile_time.max(room.compile_time),
                ..sandbox.clone()
            }
        }
    }
}

/// Makes a core module a component; what is one already stays as it is.
fn encode(module: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if !module.starts_with(&CORE_MODULE) {
        return Ok(module);
    }
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    let encoded = encoder.and_then(|mut encoder| encoder.encode());
    encoded.context(
        "the module cannot be made a component; it must be written with the SDK or wit-bindgen's `strategy` world",
    )
}

/// Examines the component beside its place and, if it can be loaded, puts it there in one step: who is watching the file
/// never sees half of it, nor one that cannot run.
fn put(output: &Path, component: &[u8], sandbox: &SandboxConfig) -> anyhow::Result<Result<Report, LoadStrategyError>> {
    let beside = output.with_extension("new.wasm");
    fs::write(&beside, component).with_context(|| format!("cannot write {}", beside.display()))?;
    // Whether it gets the powers it asks for is its operator's affair: here it is to be shown fit to have them.
    let strategy = StrategyRef::File(beside.clone());
    let sandbox = sandbox.clone().with_grant(strategy.clone(), Power::ALL.into_iter().collect());
    let examined = check::examine(&strategy, &sandbox);
    let placed = if examined.is_ok() { fs::rename(&beside, output) } else { fs::remove_file(&beside) };
    placed.with_context(|| format!("cannot write {}", output.display()))?;
    Ok(examined.map(|report| report.named(output.display().to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_who_wrote_a_component_where_it_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signed.wasm");
        let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt/bandit.wasm");
        let mut component = fs::read(plain).unwrap();

        sign(&mut component, &["Ann <ann@example.org>".to_owned(), "Bob".to_owned()]);
        fs::write(&file, component).unwrap();

        let source = StrategyRef::File(file);
        let patient = SandboxConfig { compile_time: std::time::Duration::from_secs(60), ..SandboxConfig::default() };
        let sandbox = patient.with_grant(source.clone(), Power::ALL.into_iter().collect());
        let seen = backstop::strategy::inspect(&source, &sandbox).unwrap();
        assert_eq!(seen.authors.as_deref(), Some("Ann <ann@example.org>, Bob"));
        assert_eq!(serde_json::to_value(seen.powers).unwrap(), serde_json::json!(["observe", "state"]));
    }

    #[test]
    fn says_which_line_grants_what_a_component_wants() {
        let wanted = Powers::from_iter([Power::State, Power::Log]);

        assert!(grant(wanted, Path::new("here/mine.wasm")).unwrap().contains(r#"`"mine.wasm" = ["state", "log"]`"#));
        assert_eq!(grant(Powers::NONE, Path::new("mine.wasm")), None);
    }

    #[test]
    fn names_the_file_after_the_project_and_puts_it_nowhere_else() {
        assert_eq!(file_name("thrifty").unwrap(), "thrifty.wasm");
        assert!(["../thrifty", "/thrifty", ""].iter().all(|name| file_name(name).is_err()));
    }

    #[test]
    fn leaves_a_component_as_it_is() {
        let component = b"\0asm\x0d\0\x01\0".to_vec();

        assert_eq!(encode(component.clone()).unwrap(), component);
    }

    #[test]
    fn keeps_what_works_when_the_new_component_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("mine.wasm");
        fs::write(&output, b"old").unwrap();

        let examined = put(&output, &encode(CORE_MODULE.to_vec()).unwrap(), &SandboxConfig::default()).unwrap();

        assert!(examined.is_err());
        assert_eq!(fs::read(&output).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
