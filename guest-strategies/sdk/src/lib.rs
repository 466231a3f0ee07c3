//! Write strategies for Backstop: who an LLM request goes to next, as a WebAssembly component.
//!
//! A strategy is asked before each attempt. It sees numbers (who is ready, what each would cost, what failed already) and
//! answers with a target, and perhaps a wait. The host sends the request and enforces cooldowns, limits, budgets, attempts
//! and deadlines whatever the answer is.
//!
//! This is a whole strategy:
//!
//! ```
//! use backstop_strategy::{Ask, Decision, NoOptions, Roster, Select, Strategy, export};
//!
//! /// The cheapest that is ready, each once.
//! struct Thrifty;
//!
//! impl Strategy for Thrifty {
//!     type Options = NoOptions;
//!
//!     fn configure(_: &Roster, _: NoOptions) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!
//!     fn next(&self, ask: &Ask<'_>) -> Decision {
//!         match ask.candidates().ready().untried().cheapest() {
//!             Some(candidate) => Decision::attempt(&candidate).because("cheapest"),
//!             None => Decision::give_up().because("nothing cheap is left"),
//!         }
//!     }
//! }
//!
//! export!(Thrifty);
//! ```
//!
//! Its crate is a `cdylib`; name, version and summary come from its `Cargo.toml`. `backstop strategy build` makes a
//! component of it. Tests run natively, with [`testing`]. A strategy that only wants another *order* leaves the rest (retries, waits,
//! emergencies, hedges) to [`Fallback`], as the built-in ones do. One that is to learn implements [`Observe`] as well and remembers
//! with [`powers::state`]; what is in [`powers`] has to be granted by the operator.

// Who and what is asked about, then the question, then the answer.
mod roster;
mod state;
mod failure;
mod question;
mod ask;
mod candidate;
mod select;
mod decision;
mod outcome;
// What a strategy is.
mod strategy;
mod observe;
pub mod powers;
mod options;
mod wait;
mod hedge;
// What strategies have in common.
mod backoff;
mod fallback;
mod nearest;
mod words;
// The border.
#[doc(hidden)]
pub mod contract;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use ask::Ask;
pub use backoff::Backoff;
pub use candidate::{Candidate, Candidates};
pub use decision::{Attempt, Decision, Verdict};
pub use failure::Failure;
pub use fallback::{Fallback, FallbackOptions, Order};
pub use hedge::Hedge;
pub use observe::Observe;
pub use options::{NoOptions, OptionValue, Options, Schema, Share, read_options, read_value, schema_of};
pub use outcome::{End, Outcome};
pub use question::{Extra, PastAttempt, Question};
pub use roster::{Roster, Target};
pub use select::Select;
/// JSON, as options arrive.
pub use serde_json::Value;
pub use state::{Standing, State};
pub use strategy::{Description, Strategy};
pub use wait::Wait;
pub use words::dollars;

/// Exports a strategy; with `: Observe` one that is told what became of attempts. Natively there is nothing to export to, so all it does is to check that the type is a strategy.
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! export {
    ($strategy:ty) => {
        const _: fn() = || {
            fn is_a_strategy<S: $crate::Strategy>() {}
            is_a_strategy::<$strategy>();
        };
    };
    ($strategy:ty: Observe) => {
        const _: fn() = || {
            fn observes<S: $crate::Observe>() {}
            observes::<$strategy>();
        };
    };
}
