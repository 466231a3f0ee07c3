//! The nouns every stage shares: plain values, parsed once at the edge and trusted afterwards.

mod money;
mod usage;
mod target;
mod failure;
mod decision;
mod request;
mod unsaid;
mod event;
mod record;

pub use decision::{Ask, AttemptPlan, Decision, PastAttempt, Standing, State, Verdict};
pub use event::{Event, Observer};
pub use failure::{Again, Effect, Elsewhere, Failure, FailureKind};
pub use money::{LongInput, NanoUsd, ParseMoneyError, Price, Rates};
pub use record::{AttemptEnd, AttemptRecord, CandidateRecord, Outcome, RequestId, RequestRecord};
pub use request::{ChatRequest, Needs, ParseRequestError};
pub use target::{RosterTarget, TargetId, TargetName};
pub(crate) use unsaid::{Mark, Place, Unsaid};
pub use usage::Usage;
