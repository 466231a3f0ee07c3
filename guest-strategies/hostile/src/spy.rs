//! What a guest that looks everywhere can find.

/// Whether the text, given backwards, is anywhere in this guest's memory.
#[cfg(target_arch = "wasm32")]
pub(crate) fn has_seen(backwards: &str) -> bool {
    let Some(first) = backwards.bytes().next_back() else { return false };
    let end = core::arch::wasm32::memory_size(0) << 16;
    (1..end.saturating_sub(backwards.len())).any(|at| byte(at) == first && is_at(at, backwards))
}

/// Natively there is no memory of one's own to look through.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn has_seen(_: &str) -> bool {
    false
}

#[cfg(target_arch = "wasm32")]
fn is_at(at: usize, backwards: &str) -> bool {
    backwards.bytes().rev().zip(at..).all(|(wanted, at)| byte(at) == wanted)
}

#[cfg(target_arch = "wasm32")]
fn byte(at: usize) -> u8 {
    #[allow(unsafe_code, reason = "to look where one should not is the point")]
    // SAFETY: there is none in the eyes of the language; the address lies within the guest's memory.
    unsafe {
        core::ptr::with_exposed_provenance::<u8>(at).read_volatile()
    }
}
