//! A call's turn at a machine that lets one probe through after a rest.

use std::time::Duration;

/// Whether a machine lets a call through now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It does.
    Ready,
    /// Not before so long. Zero is a rest that an emergency overrules.
    Resting(Duration),
    /// The rest is over, and the one call that may try it is under way.
    Probing,
}

/// How much a call may overrule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Nothing.
    Usual,
    /// Rests that nobody but the host asked for; still with one call at a time.
    Emergency,
}

/// When a call was let through, counted in changes of the machine's phase.
///
/// A result that comes back with an outdated turn teaches the machine nothing: the call was sent before the rest began,
/// or it was a probe that has been given up. So a machine can neither be closed by old news nor wait for a lost probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Turn(u64);

impl Turn {
    /// The turn after this one, which outdates it.
    pub(super) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
