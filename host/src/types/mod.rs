//! The nouns every stage shares: plain values, parsed once at the edge and trusted afterwards.

mod money;
mod usage;
mod target;
mod failure;
mod decision;
mod request;
mod embedding_input;
mod embedding_request;
mod event;
mod record;

pub use decision::{Ask, AttemptPlan, Decision, PastAttempt, Standing, State, Verdict};
pub use embedding_request::EmbeddingRequest;
pub use event::{Event, Observer};
pub use failure::{Again, Effect, Elsewhere, Failure, FailureKind};
pub use money::{LongInput, NanoUsd, ParseMoneyError, Price, Rates};
pub use record::{AttemptEnd, AttemptRecord, CandidateRecord, Outcome, RequestId, RequestRecord};
pub use request::{ChatRequest, Needs, ParseRequestError};
pub use target::{RosterTarget, TargetId, TargetName};
pub use usage::Usage;
