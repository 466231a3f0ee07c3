//! What a guest did wrong when it was asked: one decision lost, never the request.

use thiserror::Error;
use wasmtime::Trap;

use super::{Nonsense, plain_text};

/// Why a strategy gave no decision that can be used. The instance it came from is not used again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StrategyFault {
    /// The call used up its fuel.
    #[error("ran out of fuel after {fuel} units (`sandbox.fuel` allows more)")]
    OutOfFuel {
        /// Units for one call.
        fuel: u64,
    },
    /// The call was ended by the clock before its fuel was used up.
    #[error("did not answer within 150 ms")]
    TimedOut,
    /// Recursion without an end.
    #[error("used up its call stack")]
    StackOverflow,
    /// It asked for more memory than it may have.
    #[error("asked for {asked} bytes of memory, and may have {limit} (`sandbox.memory_mib` allows more)")]
    OutOfMemory {
        /// Bytes it would have come to, all its memories together.
        asked: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// It called something of `wasi:*` that is not answered.
    #[error("called `{import}`, which is not granted (`sandbox.wasi = true` answers clocks and randomness)")]
    NotGranted {
        /// Interface and function.
        import: String,
    },
    /// Any other trap, or an answer that cannot be read: pointers out of bounds, text that is not UTF-8, an endless list.
    #[error("trapped: {message}")]
    Trapped {
        /// What wasmtime says of it.
        message: String,
    },
    /// An answer that can be read and makes no sense.
    #[error("answered nonsense: {0}")]
    Nonsense(#[from] Nonsense),
    /// A fresh instance refused the configuration that another had taken.
    #[error("refused, in a fresh instance, the configuration it had taken before: {message}")]
    ChangedItsMind {
        /// The guest's own words.
        message: String,
    },
}

/// The guest would exceed what it may have; raised by the store's limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum OverLimit {
    #[error("asked for {asked} bytes of memory")]
    Memory { asked: usize, limit: usize },
    #[error("asked for {asked} table elements, and may have {limit}")]
    Table { asked: usize, limit: usize },
}

/// Longest message kept of a trap, in characters.
const MESSAGE_CHARS: usize = 300;

impl StrategyFault {
    /// Tells what a failed call of a guest with so much fuel was.
    pub(super) fn from_error(error: &wasmtime::Error, fuel: u64) -> Self {
        if let Some(OverLimit::Memory { asked, limit }) = error.downcast_ref() {
            return Self::OutOfMemory { asked: *asked, limit: *limit };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::OutOfFuel { fuel },
            Some(Trap::Interrupt) => Self::TimedOut,
            Some(Trap::StackOverflow) => Self::StackOverflow,
            Some(trap) => Self::trapped(trap.to_string().trim_start_matches("wasm trap: ")),
            None => Self::from_message(&error.root_cause().to_string()),
        }
    }

    /// A fresh instance that refuses what another had taken.
    pub(super) fn changed_its_mind(message: &str) -> Self {
        Self::ChangedItsMind { message: plain_text::tidy(message, MESSAGE_CHARS) }
    }

    fn from_message(message: &str) -> Self {
        // The text of the trap that wasmtime links in place of an import nobody answers.
        let import = message.strip_prefix("unknown import: `").and_then(|rest| rest.split_once('`'));
        match import {
            Some((import, _)) => Self::NotGranted { import: plain_text::tidy(import, MESSAGE_CHARS) },
            None => Self::trapped(message),
        }
    }

    fn trapped(message: &str) -> Self {
        Self::Trapped { message: plain_text::tidy(message, MESSAGE_CHARS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_traps_apart_that_mean_something_to_an_operator() {
        let told = |trap: Trap| StrategyFault::from_error(&trap.into(), 7).to_string();

        insta::assert_snapshot!(told(Trap::OutOfFuel), @"ran out of fuel after 7 units (`sandbox.fuel` allows more)");
        insta::assert_snapshot!(told(Trap::Interrupt), @"did not answer within 150 ms");
        insta::assert_snapshot!(told(Trap::StackOverflow), @"used up its call stack");
        insta::assert_snapshot!(told(Trap::UnreachableCodeReached), @"trapped: wasm `unreachable` instruction executed");
    }

    #[test]
    fn names_the_import_that_was_not_granted() {
        let error = wasmtime::Error::msg("unknown import: `wasi:cli/exit@0.2.0#exit` has not been defined");

        let fault = StrategyFault::from_error(&error, 7);

        assert_eq!(fault, StrategyFault::NotGranted { import: "wasi:cli/exit@0.2.0#exit".to_owned() });
    }
}
