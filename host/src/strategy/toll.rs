//! What a call out of a guest costs it, so that endless calls end as soon as endless loops do.

use wasmtime::AsContextMut;

use super::beside::Beside;

/// Fuel for one call.
const CALL_FUEL: u64 = 200;

/// Takes the fuel of a call out of the guest, and one unit for each byte that is moved for it.
pub(super) fn charge(store: &mut impl AsContextMut<Data = Beside>, bytes: usize) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    let toll = CALL_FUEL.saturating_add(bytes as u64);
    let left = store.get_fuel()?.checked_sub(toll).ok_or(wasmtime::Trap::OutOfFuel)?;
    store.set_fuel(left)
}
