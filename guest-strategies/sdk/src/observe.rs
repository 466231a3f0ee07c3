//! What an author writes who wants to be told what became of attempts.

use crate::{Outcome, Roster, Strategy};

/// Is told what became of each attempt. Exported with `export!(Mine: Observe)`, granted as `observe`.
///
/// Outcomes come one at a time and in order, off the requests' way, to any instance: what is learnt from them goes into
/// [`powers::state`](crate::powers::state), where `next` finds it.
pub trait Observe: Strategy {
    /// Takes note of an attempt that is over.
    fn observe(&self, roster: &Roster, outcome: &Outcome);
}
