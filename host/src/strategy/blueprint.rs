//! A compiled component with its imports linked and its exports found: what instances are started from.

use wasmtime::component::{Component, InstancePre, Linker};

use crate::config::{Power, Powers, SandboxConfig};

use super::beside::Beside;
use super::bindings::exports::backstop::strategy::{about, choose, observe};
use super::{LoadStrategyError, contract, plain_text, powers, wasi};

/// Longest message kept of the linker, in characters.
const MESSAGE_CHARS: usize = 400;

/// Everything about a guest that its instances share.
pub(super) struct Blueprint {
    linked: InstancePre<Beside>,
    choose: choose::GuestIndices,
    about: Option<about::GuestIndices>,
    observe: Option<observe::GuestIndices>,
    powers: Powers,
    fuel: u64,
    memory: usize,
}

impl Blueprint {
    /// Links a component whose import and export names have been checked, with the powers it was granted; what else it imports
    /// traps when it is called.
    ///
    /// # Errors
    ///
    /// An import or an export of the right name and another kind or type.
    pub(super) fn link(
        component: &Component,
        sandbox: &SandboxConfig,
        powers: Powers,
    ) -> Result<Self, LoadStrategyError> {
        let mut linker = Linker::new(component.engine());
        let linked = powers::link(&mut linker, component, powers)
            .and_then(|()| wasi::link(&mut linker, component, powers.has(Power::Wasi)))
            .and_then(|()| linker.instantiate_pre(component))
            .map_err(|error| LoadStrategyError::WrongImport { message: told(&error) })?;
        let choose = choose::GuestIndices::new(&linked).map_err(|error| wrong_type(&error))?;
        let about = about::GuestIndices::new(&linked).ok();
        let observe = match powers.has(Power::Observe) && exports_observe(component) {
            true => Some(observe::GuestIndices::new(&linked).map_err(|error| wrong_type(&error))?),
            false => None,
        };
        Ok(Self { linked, choose, about, observe, powers, fuel: sandbox.fuel, memory: sandbox.memory })
    }

    pub(super) fn linked(&self) -> &InstancePre<Beside> {
        &self.linked
    }

    pub(super) fn choose(&self) -> &choose::GuestIndices {
        &self.choose
    }

    /// Where it describes itself, if it does.
    pub(super) fn about(&self) -> Option<&about::GuestIndices> {
        self.about.as_ref()
    }

    /// Where it is told outcomes, if it wants to be and was granted that.
    pub(super) fn observe(&self) -> Option<&observe::GuestIndices> {
        self.observe.as_ref()
    }

    /// What it was granted.
    pub(super) fn powers(&self) -> Powers {
        self.powers
    }

    /// Units of fuel for one call.
    pub(super) fn fuel(&self) -> u64 {
        self.fuel
    }

    /// Bytes of memory one instance may have.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }
}

fn exports_observe(component: &Component) -> bool {
    let ty = component.component_type();
    ty.exports(component.engine()).any(|(export, _)| contract::power_of(export) == Some(Power::Observe))
}

/// The load error for an export whose type is not the contract's.
pub(super) fn wrong_type(error: &wasmtime::Error) -> LoadStrategyError {
    LoadStrategyError::WrongType { message: told(error) }
}

fn told(error: &wasmtime::Error) -> String {
    plain_text::tidy(&format!("{error:#}"), MESSAGE_CHARS)
}
