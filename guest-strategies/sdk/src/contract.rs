//! The contract's types under the contract's names: what the generated glue is told to use in place of types of its own.

pub use crate::Question as Ask;
pub use crate::{Attempt, Decision, Description, Extra, Failure, PastAttempt, Standing, State, Target, Verdict};

/// A place in the roster.
pub type TargetIndex = u32;
