//! The contract's types and calls as wasmtime generates them from `wit/`; nothing else belongs here.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "observing-strategy",
    ownership: Borrowing { duplicate_if_necessary: true },
});
