//! What an attempt brought once it serves.

use std::sync::Arc;

use crate::clock::Moment;
use crate::guard::InFlight;
use crate::types::{AttemptPlan, TargetId, TargetName};

use super::limits::Limits;
use super::report::Report;

/// What an attempt brought, and the proof of leave that is still to be settled.
pub(super) struct Served<R> {
    pub(super) received: R,
    pub(super) flight: InFlight,
    pub(super) quota_left: Option<f32>,
    pub(super) plan: AttemptPlan,
    pub(super) target: Arc<TargetName>,
    pub(super) id: TargetId,
    pub(super) sent: Moment,
    pub(super) limits: Limits,
    /// When a stream's first token came.
    pub(super) first_token: Option<Moment>,
    /// What its strategy is to be told of it, where it is told anything.
    pub(super) report: Option<Report>,
}
