//! A guest component as the host sees it: loaded, sandboxed, asked.
//!
//! The way of a strategy, and of this folder: a [`StrategyRef`](crate::config::StrategyRef) becomes bytes (`source`, `registry`), the bytes are looked
//! over before anything is compiled (`outline`, `contract`), compiled under a time limit (`compile`, `cache`), linked
//! (`blueprint`, `wasi`), proven by one `configure` and one `next` ([`Strategy::load`]) and from then on asked by way of warm
//! instances (`pool`, `instance`). [`Supervised`] is what the router holds: it always has an answer, for where the guest
//! fails, declared order decides.
//!
//! Everything that comes from a guest is hostile until `nonsense` has seen it. A guest has no powers but the question and what the
//! operator grants it: `powers` answers the contract's own (`notebook` and `logbook` are behind them, and other instances behind
//! [`Exchange`](crate::accounting::Exchange)), `wasi` what toolchains import, and the rest is refused or traps. A strategy that was
//! granted `observe` is told outcomes by [`Outcomes`].

mod supervised;
mod declared_order;
mod learning;
mod outcomes;
#[expect(clippy::module_inception, reason = "the folder is named after the noun it is about")]
mod strategy;
mod inspection;
mod named;
mod load;
mod load_error;
mod source;
#[cfg(feature = "oci")]
mod registry;
mod built_in;
mod outline;
mod contract;
mod compile;
mod cache;
mod folder;
mod blueprint;
mod wasi;
mod powers;
mod toll;
mod pool;
mod instance;
mod effort;
mod beside;
mod world;
mod notebook;
mod logbook;
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
pub use effort::Effort;
pub use fault::StrategyFault;
pub use inspection::{Description, Inspection, inspect};
pub use learning::Learning;
pub use load_error::LoadStrategyError;
pub use named::Named;
pub use nonsense::Nonsense;
pub use outcomes::Outcomes;
pub use outline::ModuleKind;
#[cfg(feature = "oci")]
pub use registry::{PublishError, Published, Pulled, RegistryError, publish, pull};
pub use strategy::{Answered, Strategy};
pub use supervised::{Ruling, StrategyHealth, Supervised};
