//! What the host keeps beside an instance: the world it may see, and the bounds on what it may hold.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::fault::OverLimit;
use super::logbook::Logbook;
use super::notebook::Notebook;
use super::powers::{ReadLog, Shown};
use super::world::QuestionWorld;

/// Elements of all its tables together; CPython's have some 20,000.
const TABLE_ELEMENTS: usize = 200_000;

/// What the host keeps beside an instance.
pub(super) struct Beside {
    /// What WASI calls are answered from.
    pub(super) world: QuestionWorld,
    /// What `state` calls are answered from.
    pub(super) notebook: Arc<Notebook>,
    /// What was read of it since the call began.
    pub(super) read: ReadLog,
    /// What `content` calls are answered from.
    pub(super) shown: Shown,
    /// Where `log` lines go.
    pub(super) logbook: Arc<Logbook>,
    /// What it may hold.
    pub(super) bounds: Bounds,
}

/// What all instances of a strategy on a route have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) notebook: Arc<Notebook>,
    pub(super) logbook: Arc<Logbook>,
}

/// Bounds on what one store holds. To exceed one is a trap, so that no guest runs on with an allocation that failed.
#[derive(Debug)]
pub(super) struct Bounds {
    memory: usize,
    /// Bytes of all memories together.
    held: usize,
    /// Elements of all tables together.
    elements: usize,
}

impl Beside {
    /// Beside an instance that may hold so many bytes of memory.
    pub(super) fn new(memory: usize, shared: Shared) -> Self {
        let Shared { notebook, logbook } = shared;
        Self {
            world: QuestionWorld::default(),
            notebook,
            read: ReadLog::default(),
            shown: Shown::default(),
            logbook,
            bounds: Bounds { memory, held: 0, elements: 0 },
        }
    }
}

impl Shared {
    /// For a guest whose state is thrown away.
    pub(super) fn scratch(name: &Arc<str>) -> Self {
        Self { notebook: Notebook::scratch(), logbook: Logbook::of(name) }
    }
}

impl Bounds {
    /// Bytes of all memories together.
    pub(super) fn held(&self) -> usize {
        self.held
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.held.saturating_add(desired.saturating_sub(current));
        if asked > self.memory {
            return Err(OverLimit::Memory { asked, limit: self.memory }.into());
        }
        self.held = asked;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.elements.saturating_add(desired.saturating_sub(current));
        if asked > TABLE_ELEMENTS {
            return Err(OverLimit::Table { asked, limit: TABLE_ELEMENTS }.into());
        }
        self.elements = asked;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        200
    }

    fn tables(&self) -> usize {
        200
    }

    fn memories(&self) -> usize {
        20
    }
}
