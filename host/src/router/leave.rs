//! Leave to make an attempt, and what is left of one that failed.

use std::time::Duration;

use crate::guard::Permit;
use crate::types::{Failure, NanoUsd};

use super::seat::Seat;

/// Leave to send: the guard's permit, and whom it is for.
pub(super) struct Leave {
    pub(super) permit: Permit,
    pub(super) seat: Seat,
}

/// An attempt that did not serve.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) took: Duration,
    pub(super) cost: NanoUsd,
}
