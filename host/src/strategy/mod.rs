//! A guest component as the host sees it: loaded, sandboxed, asked.
//!
//! The way of a strategy, and of this folder: a [`StrategyRef`](crate::config::StrategyRef) becomes bytes (`source`), the bytes are looked
//! over before anything is compiled (`outline`, `contract`), compiled under a time limit (`compile`, `cache`), linked
//! (`blueprint`, `wasi`), proven by one `configure` and one `next` ([`Strategy::load`]) and from then on asked by way of warm
//! instances (`pool`, `instance`). [`Supervised`] is what the router holds: it always has an answer, for where the guest
//! fails, declared order decides.
//!
//! Everything that comes from a guest is hostile until `nonsense` has seen it. A guest has no powers but the question: the
//! linker answers nothing outside `wasi:*`, and that only with traps unless the operator grants more.

mod supervised;
mod declared_order;
#[expect(clippy::module_inception, reason = "the folder is named after the noun it is about")]
mod strategy;
mod inspection;
mod load;
mod load_error;
mod source;
mod built_in;
mod outline;
mod contract;
mod compile;
mod cache;
mod blueprint;
mod wasi;
mod pool;
mod instance;
mod beside;
mod world;
mod fault;
mod nonsense;
mod convert;
mod plain_text;
mod engine;
mod bindings;

#[cfg(test)]
mod test_guests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod prebuilt_tests;

pub use built_in::{BUILT_IN, resolve_name};
pub use fault::StrategyFault;
pub use inspection::{Description, Inspection, inspect};
pub use load_error::LoadStrategyError;
pub use nonsense::Nonsense;
pub use outline::ModuleKind;
pub use strategy::Strategy;
pub use supervised::{Ruling, StrategyHealth, Supervised};
