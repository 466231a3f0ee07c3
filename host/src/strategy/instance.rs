//! One instance of a guest in a store of its own, with fuel for each call and bounds on what it may hold.

use std::sync::Arc;

use wasmtime::Store;

use crate::types::{Ask, ChatRequest, Decision, Observation, RosterTarget, StateRead};

use super::beside::{Beside, Shared};
use super::bindings::exports::backstop::strategy::about::Description;
use super::bindings::exports::backstop::strategy::choose::Guest;
use super::bindings::exports::backstop::strategy::observe;
use super::blueprint::Blueprint;
use super::convert::{self, Scratch};
use super::effort::Effort;
use super::engine::DEADLINE_TICKS;
use super::fault::StrategyFault;
use super::nonsense;
use super::powers::Shown;
use super::world::QuestionWorld;

/// Questions an instance is asked before a fresh one takes its place: what it leaks or wears out ends with it.
const LIFETIME_CALLS: u32 = 100_000;

/// Bytes one answer may bring into the host's memory.
const ANSWER_BYTES: usize = 256 << 10;

/// Why a guest did not start.
pub(super) enum StartError {
    /// It trapped, or met a bound.
    Fault(StrategyFault),
    /// An export has the contract's name and another type.
    WrongType(wasmtime::Error),
}

/// A running guest. Any failure of a call spoils it: it is to be dropped then.
pub(super) struct Instance {
    store: Store<Beside>,
    guest: Guest,
    observe: Option<observe::Guest>,
    scratch: Scratch,
    fuel: u64,
    calls: u32,
}

impl Instance {
    /// Starts a guest: its memories are made and its start function is run.
    ///
    /// # Errors
    ///
    /// A trap, a bound that was met, or a type that is not the contract's.
    pub(super) fn start(blueprint: &Blueprint, shared: Shared) -> Result<Self, StartError> {
        let fuel = blueprint.fuel();
        let fault = |error: wasmtime::Error| StartError::Fault(StrategyFault::from_error(&error, fuel));
        let mut store = store_for(blueprint, shared).map_err(fault)?;
        let instance = blueprint.linked().instantiate(&mut store).map_err(fault)?;
        let guest = blueprint.choose().load(&mut store, &instance).map_err(StartError::WrongType)?;
        let observe = blueprint.observe().map(|observe| observe.load(&mut store, &instance)).transpose();
        let observe = observe.map_err(StartError::WrongType)?;
        Ok(Self { store, guest, observe, scratch: Scratch::default(), fuel, calls: 0 })
    }

    /// Tells the guest who may be chosen and what the operator set. The inner error is the guest's own refusal.
    pub(super) fn configure(
        &mut self,
        roster: &[RosterTarget],
        options: &str,
    ) -> Result<Result<(), String>, StrategyFault> {
        let Self { store, guest, fuel, .. } = self;
        refuel(store, *fuel)
            .and_then(|()| convert::with_roster(roster, |targets| guest.call_configure(store, targets, options)))
            .map_err(|error| StrategyFault::from_error(&error, *fuel))
    }

    /// Asks who is next about a request, which it is shown where it may be.
    pub(super) fn next(&mut self, ask: &Ask, request: Option<&Arc<ChatRequest>>) -> Result<Decision, StrategyFault> {
        let Self { store, guest, scratch, fuel, calls, .. } = self;
        *calls = calls.saturating_add(1);
        let beside = store.data_mut();
        beside.world = QuestionWorld::of(ask);
        beside.read.clear();
        if let Some(request) = request {
            beside.shown = Shown::of(Arc::clone(request));
        }
        let answered =
            refuel(store, *fuel).and_then(|()| scratch.with_ask(ask, |ask| guest.call_next(&mut *store, ask)));
        let decision = answered.map_err(|error| StrategyFault::from_error(&error, *fuel))?;
        if request.is_some() {
            store.data_mut().shown = Shown::default();
        }
        Ok(nonsense::check(convert::decision(decision), ask)?)
    }

    /// What the latest question had it read of its state.
    pub(super) fn take_read(&mut self) -> Option<StateRead> {
        self.store.data_mut().read.take()
    }

    /// Tells it of an outcome, where it listens.
    pub(super) fn observe(&mut self, outcome: &Observation) -> Result<(), StrategyFault> {
        let Self { store, observe: Some(observe), fuel, calls, .. } = self else { return Ok(()) };
        *calls = calls.saturating_add(1);
        store.data_mut().world = QuestionWorld::of_outcome(outcome);
        let told = refuel(store, *fuel)
            .and_then(|()| convert::with_outcome(outcome, |outcome| observe.call_observe(&mut *store, outcome)));
        store.data_mut().read.clear();
        told.map_err(|error| StrategyFault::from_error(&error, *fuel))
    }

    /// What the latest call took.
    pub(super) fn effort(&self) -> Effort {
        let left = self.store.get_fuel().unwrap_or(self.fuel);
        Effort { fuel: self.fuel.saturating_sub(left), memory: self.store.data().bounds.held() }
    }

    /// Whether it has been asked often enough.
    pub(super) fn is_worn(&self) -> bool {
        self.calls >= LIFETIME_CALLS
    }
}

/// Asks a guest what it says of itself, in an instance that is used for nothing else: `configure` comes before all else in
/// one that decides.
pub(super) fn describe(blueprint: &Blueprint) -> Result<Option<Description>, StrategyFault> {
    let Some(about) = blueprint.about() else { return Ok(None) };
    let shared = Shared::scratch(&"".into());
    let described = store_for(blueprint, shared).and_then(|mut store| {
        let instance = blueprint.linked().instantiate(&mut store)?;
        let guest = about.load(&mut store, &instance)?;
        refuel(&mut store, blueprint.fuel())?;
        guest.call_describe(&mut store)
    });
    described.map(Some).map_err(|error| StrategyFault::from_error(&error, blueprint.fuel()))
}

fn store_for(blueprint: &Blueprint, shared: Shared) -> wasmtime::Result<Store<Beside>> {
    let mut store = Store::new(blueprint.linked().engine(), Beside::new(blueprint.memory(), shared));
    store.limiter(|beside| &mut beside.bounds);
    store.set_hostcall_fuel(ANSWER_BYTES);
    refuel(&mut store, blueprint.fuel())?;
    Ok(store)
}

fn refuel(store: &mut Store<Beside>, fuel: u64) -> wasmtime::Result<()> {
    store.set_epoch_deadline(DEADLINE_TICKS);
    store.set_fuel(fuel)
}

impl StartError {
    /// As the fault of a guest that has started before, and so is of the right type.
    pub(super) fn into_fault(self, fuel: u64) -> StrategyFault {
        match self {
            Self::Fault(fault) => fault,
            Self::WrongType(error) => StrategyFault::from_error(&error, fuel),
        }
    }
}
