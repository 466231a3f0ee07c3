//! `wasi:*` as guests get it: traps, or with the grant clocks and randomness taken from the question.
//!
//! Toolchains other than Rust's put imports of WASI into components that hardly use them. wasmtime-wasi would answer them all
//! over an empty context, at the price of an async runtime in the guest's calls and 40 crates in everybody's build, and
//! its clock and randomness would still have to be replaced: a decision must depend on nothing but its question. What is
//! left once those two are ours is a few functions that have nothing to tell, so they are here.

use wasmtime::StoreContextMut;
use wasmtime::component::{Component, Linker, LinkerInstance};

use super::beside::Beside;
use super::toll::charge;

/// Most random bytes of one call.
const RANDOM_BYTES: u64 = 64 << 10;

/// Answers a component's imports: of WASI 0.2 what the grant covers, anything else with traps.
pub(super) fn link(linker: &mut Linker<Beside>, component: &Component, granted: bool) -> wasmtime::Result<()> {
    if granted {
        let ty = component.component_type();
        for (import, _) in ty.imports(component.engine()) {
            // By the exact name that is imported, whatever the patch version.
            if let Some((interface, _)) = import.split_once("@0.2.") {
                grant(linker, import, interface)?;
            }
        }
    }
    linker.define_unknown_imports_as_traps(component)
}

fn grant(linker: &mut Linker<Beside>, import: &str, interface: &str) -> wasmtime::Result<()> {
    match interface {
        "wasi:random/random" => grant_random(linker.instance(import)?, "get-random-u64", "get-random-bytes"),
        "wasi:random/insecure" => {
            grant_random(linker.instance(import)?, "get-insecure-random-u64", "get-insecure-random-bytes")
        }
        "wasi:random/insecure-seed" => linker.instance(import)?.func_wrap("insecure-seed", |mut store, (): ()| {
            charge(&mut store, 0)?;
            let world = &mut store.data_mut().world;
            Ok(((world.random(), world.random()),))
        }),
        "wasi:clocks/monotonic-clock" => grant_monotonic(linker.instance(import)?),
        "wasi:clocks/wall-clock" => grant_wall(linker.instance(import)?),
        "wasi:cli/environment" => grant_environment(linker.instance(import)?),
        _ => Ok(()),
    }
}

fn grant_random(mut instance: LinkerInstance<'_, Beside>, number: &str, bytes: &str) -> wasmtime::Result<()> {
    instance.func_wrap(number, |mut store: StoreContextMut<'_, Beside>, (): ()| {
        charge(&mut store, 0)?;
        Ok((store.data_mut().world.random(),))
    })?;
    instance.func_wrap(bytes, |mut store: StoreContextMut<'_, Beside>, (length,): (u64,)| {
        wasmtime::ensure!(length <= RANDOM_BYTES, "asked for {length} random bytes, and may have {RANDOM_BYTES}");
        let length = usize::try_from(length)?;
        charge(&mut store, length)?;
        let world = &mut store.data_mut().world;
        let bytes = std::iter::repeat_with(|| world.random().to_le_bytes()).flatten();
        Ok((bytes.take(length).collect::<Vec<u8>>(),))
    })
}

/// Time stands still within a question.
fn grant_monotonic(mut instance: LinkerInstance<'_, Beside>) -> wasmtime::Result<()> {
    instance.func_wrap("now", |mut store: StoreContextMut<'_, Beside>, (): ()| {
        charge(&mut store, 0)?;
        Ok((store.data().world.now_ms.saturating_mul(1_000_000),))
    })?;
    instance.func_wrap("resolution", |_: StoreContextMut<'_, Beside>, (): ()| Ok((1_000_000_u64,)))
}

fn grant_wall(mut instance: LinkerInstance<'_, Beside>) -> wasmtime::Result<()> {
    instance.func_wrap("now", |mut store: StoreContextMut<'_, Beside>, (): ()| {
        charge(&mut store, 0)?;
        let now_ms = store.data().world.now_ms;
        let below_second = u32::try_from(now_ms % 1_000)?;
        Ok((Datetime { seconds: now_ms / 1_000, nanoseconds: below_second * 1_000_000 },))
    })?;
    instance.func_wrap("resolution", |_: StoreContextMut<'_, Beside>, (): ()| {
        Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },))
    })
}

/// No variables, no arguments, no directory: what runtimes read while they start.
fn grant_environment(mut instance: LinkerInstance<'_, Beside>) -> wasmtime::Result<()> {
    instance.func_wrap("get-environment", |mut store: StoreContextMut<'_, Beside>, (): ()| {
        charge(&mut store, 0)?;
        Ok((Vec::<(String, String)>::new(),))
    })?;
    instance.func_wrap("get-arguments", |mut store: StoreContextMut<'_, Beside>, (): ()| {
        charge(&mut store, 0)?;
        Ok((Vec::<String>::new(),))
    })?;
    instance.func_wrap("initial-cwd", |_: StoreContextMut<'_, Beside>, (): ()| Ok((None::<String>,)))
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(Debug, Clone, Copy, wasmtime::component::ComponentType, wasmtime::component::Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}
