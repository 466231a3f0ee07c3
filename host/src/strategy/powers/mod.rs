//! The powers a guest imports, each a small interface of the contract: linked where granted, and nowhere else.

mod content;
mod log;
mod state;

use wasmtime::component::{Component, Linker};

use crate::config::{Power, Powers};

use super::beside::Beside;
use super::contract;

pub(super) use content::Shown;
pub(super) use state::ReadLog;

/// Answers the imports of the contract that were granted. Those that were not are for the caller to refuse.
pub(super) fn link(linker: &mut Linker<Beside>, component: &Component, granted: Powers) -> wasmtime::Result<()> {
    let ty = component.component_type();
    for (import, _) in ty.imports(component.engine()) {
        let Some(power) = contract::power_of(import).filter(|power| granted.has(*power)) else { continue };
        match power {
            Power::State => state::link(linker.instance(import)?)?,
            Power::Content => content::link(linker.instance(import)?)?,
            Power::Log => log::link(linker.instance(import)?)?,
            // One is exported, the other no interface of the contract.
            Power::Observe | Power::Wasi => {}
        }
    }
    Ok(())
}
