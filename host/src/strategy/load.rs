//! The way from a source to a guest that is ready to be configured: read, looked over, compiled, linked, described.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Component;

use crate::clock::{Clock, SystemClock};
use crate::config::{SandboxConfig, StrategyRef};

use super::blueprint::Blueprint;
use super::cache::Cache;
use super::engine::engine;
use super::inspection::{Description, Inspection};
use super::outline::{ModuleKind, Outline};
use super::{LoadStrategyError, cache, compile, contract, instance, source};

/// Loads a guest and links the powers it was granted: it was compiled and described then, and has not been configured. Whether it
/// asks for more is another question. One that is not the one it is pinned to is not even looked over. Blocks, for as long as compiling
/// may take.
pub(super) fn load(
    source: &StrategyRef,
    pin: Option<&str>,
    sandbox: &SandboxConfig,
) -> Result<(Blueprint, Inspection), LoadStrategyError> {
    let content: Arc<[u8]> = source::read(source, sandbox)?.into();
    let digest = cache::digest(&content);
    if let Some(expected) = pin.filter(|pin| *pin != digest) {
        return Err(LoadStrategyError::Unpinned { expected: expected.to_owned(), found: digest });
    }
    let bytes = content.len();
    let outline = Outline::of(&content, sandbox.memory)?;
    let kind = outline.kind;
    let limit = time_limit(source, sandbox);
    let (component, outline) = as_component(content, outline, sandbox.memory, limit)?;
    contract::check(&outline.imports, &outline.exports)?;
    let (component, compile_time) = compiled(component, &digest, sandbox, limit)?;
    let blueprint = Blueprint::link(&component, sandbox, sandbox.powers_of(source))?;
    let described = instance::describe(&blueprint).map_err(|fault| LoadStrategyError::FailsAtStart { fault })?;
    let description = described.map(Description::read).transpose()?;
    let Outline { imports, exports, authors, .. } = outline;
    let powers = contract::powers_wanted(&imports, &exports);
    let compile_ms = compile_time.map(|time| time.as_secs_f64() * 1_000.0);
    let source = source.name().to_string();
    let inspection =
        Inspection { source, description, kind, bytes, digest, authors, powers, imports, exports, compile_ms };
    Ok((blueprint, inspection))
}

/// How long compiling may take. The limit is against hostile modules: one of our own must start on a busy machine too.
fn time_limit(source: &StrategyRef, sandbox: &SandboxConfig) -> Duration {
    match source {
        StrategyRef::BuiltIn(_) => Duration::from_secs(60).max(sandbox.compile_time),
        StrategyRef::File(_) | StrategyRef::Registry(_) => sandbox.compile_time,
    }
}

/// Makes a component of a core module; leaves a component as it is.
fn as_component(
    bytes: Arc<[u8]>,
    outline: Outline,
    memory: usize,
    limit: Duration,
) -> Result<(Arc<[u8]>, Outline), LoadStrategyError> {
    match outline.kind {
        ModuleKind::Component => return Ok((bytes, outline)),
        ModuleKind::CoreModule => {}
    }
    if let Some(import) = outline.imports.iter().find(|import| import.starts_with("wasi_")) {
        return Err(LoadStrategyError::Preview1 { import: import.clone() });
    }
    if !outline.carries_types {
        return Err(LoadStrategyError::PlainModule);
    }
    let component = compile::encode(bytes, limit)?;
    let outline = Outline::of(&component, memory)?;
    Ok((component, outline))
}

/// Takes the compiled component from the cache, or compiles it and keeps it there.
fn compiled(
    bytes: Arc<[u8]>,
    digest: &str,
    sandbox: &SandboxConfig,
    limit: Duration,
) -> Result<(Component, Option<Duration>), LoadStrategyError> {
    let engine = engine()?;
    let cache = open_cache(sandbox);
    if let Some(component) = cache.as_ref().and_then(|cache| cache.get(engine, digest)) {
        return Ok((component, None));
    }
    let clock = SystemClock::start();
    let begun = clock.now();
    let component = compile::compile(engine, bytes, limit)?;
    let compile_time = clock.now().since(begun);
    if let Some(cache) = cache {
        cache.put(engine, digest, &component);
    }
    Ok((component, Some(compile_time)))
}

fn open_cache(sandbox: &SandboxConfig) -> Option<Cache> {
    let opened = Cache::open(sandbox.compile_cache.as_deref()?);
    opened
        .inspect_err(|error| tracing::warn!(%error, "compiled strategies are not kept (`sandbox.compile_cache`)"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::strategy::inspect;
    use crate::strategy::test_guests::{TestGuest, component, first_of_all};

    use super::*;

    fn with_cache(folder: &Path) -> SandboxConfig {
        SandboxConfig { compile_cache: Some(folder.join("compiled")), ..SandboxConfig::default() }
    }

    fn file(folder: &Path, module: &[u8]) -> StrategyRef {
        let path = folder.join("strategy.wasm");
        fs::write(&path, module).unwrap();
        StrategyRef::File(path)
    }

    #[cfg(unix)]
    #[test]
    fn compiles_once_and_again_where_the_kept_code_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let (source, sandbox) = (file(folder.path(), &first_of_all()), with_cache(folder.path()));

        let first = load(&source, None, &sandbox).unwrap();
        let second = load(&source, None, &sandbox).unwrap();
        for entry in fs::read_dir(folder.path().join("compiled")).unwrap() {
            fs::write(entry.unwrap().path(), b"damaged").unwrap();
        }
        let third = load(&source, None, &sandbox).unwrap();

        let compiled = [first, second, third].map(|(_, inspection)| inspection.compile_ms.is_some());
        assert_eq!(compiled, [true, false, true]);
    }

    #[cfg(unix)]
    #[test]
    fn compiles_each_time_where_the_cache_is_not_private() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (source, sandbox) = (file(folder.path(), &first_of_all()), with_cache(folder.path()));
        load(&source, None, &sandbox).unwrap();
        fs::set_permissions(folder.path().join("compiled"), fs::Permissions::from_mode(0o777)).unwrap();

        let (_, again) = load(&source, None, &sandbox).unwrap();

        assert!(again.compile_ms.is_some());
    }

    #[test]
    fn tells_what_a_guest_says_of_itself() {
        let guest = TestGuest {
            world: "export backstop:strategy/choose@1.0.0; export backstop:strategy/about@1.0.0;",
            more: r#"(func (export "backstop:strategy/about@1.0.0#describe") (result i32) (i32.const 3000))
                (data (i32.const 3000) "\00\10\00\00\05\00\00\00\05\10\00\00\05\00\00\00\0a\10\00\00\0f\00\00\00\19\10\00\00\11\00\00\00")
                (data (i32.const 4096) "first1.2.0takes the first{\22properties\22:{}}")"#,
            ..TestGuest::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let bytes = component(&guest.module());

        let inspection = inspect(&file(folder.path(), &bytes), &SandboxConfig::default()).unwrap();

        let described = inspection.description.unwrap();
        assert_eq!((&*described.name, &*described.version, &*described.summary), ("first", "1.2.0", "takes the first"));
        assert_eq!(described.options_schema, Some(serde_json::json!({"properties": {}})));
        assert_eq!((inspection.kind, inspection.bytes), (ModuleKind::Component, bytes.len()));
        assert_eq!(inspection.exports.len(), 2);
        assert_eq!(inspection.digest, cache::digest(&bytes));
    }

    #[test]
    fn looks_at_nothing_of_a_file_that_is_not_the_pinned_one() {
        let folder = tempfile::tempdir().unwrap();
        let (source, sandbox) = (file(folder.path(), b"no component"), SandboxConfig::default());

        let error = load(&source, Some("ab"), &sandbox).err().unwrap();
        let pinned = load(&source, Some(&cache::digest(b"no component")), &sandbox).err().unwrap();

        assert!(matches!(error, LoadStrategyError::Unpinned { .. }), "{error}");
        assert!(matches!(pinned, LoadStrategyError::NotWasm), "{pinned}");
    }

    #[test]
    fn says_where_a_guest_fails_that_describes_itself_badly() {
        let guest = TestGuest {
            world: "export backstop:strategy/choose@1.0.0; export backstop:strategy/about@1.0.0;",
            more: r#"(func (export "backstop:strategy/about@1.0.0#describe") (result i32) (unreachable))"#,
            ..TestGuest::default()
        };
        let folder = tempfile::tempdir().unwrap();

        let error = inspect(&file(folder.path(), &guest.module()), &SandboxConfig::default()).unwrap_err();

        insta::assert_snapshot!(error, @"it fails when it is started: trapped: wasm `unreachable` instruction executed");
    }
}
