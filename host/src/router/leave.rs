//! Leave to make an attempt, and what is left of one that failed.

use std::time::Duration;

use crate::guard::Permit;
use crate::types::{Failure, NanoUsd};

use super::report::Report;
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
    /// What it was booked at, where the price is known.
    pub(super) cost: Option<NanoUsd>,
    /// The request ran out of its own time, for which its target is not to blame.
    pub(super) is_out_of_time: bool,
    /// What its strategy is to be told of it, where it is told anything.
    pub(super) report: Option<Report>,
}
