//! `log`: lines into the host's log.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, LinkerInstance};

use crate::strategy::beside::Beside;
use crate::strategy::logbook;
use crate::strategy::toll::charge;

/// `log.level`.
#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "its variants are only ever lifted from guests")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
}

/// Answers the interface.
pub(super) fn link(mut instance: LinkerInstance<'_, Beside>) -> wasmtime::Result<()> {
    instance.func_wrap("line", |mut store: StoreContextMut<'_, Beside>, (level, text): (Level, String)| {
        charge(&mut store, text.len())?;
        let beside = store.data();
        beside.logbook.write(level.into(), &text, beside.world.now_ms);
        Ok(())
    })
}

impl From<Level> for logbook::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
        }
    }
}
