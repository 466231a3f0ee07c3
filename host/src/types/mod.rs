//! The nouns every stage shares: plain values, parsed once at the edge and trusted afterwards.

mod money;
mod usage;
mod key_account;
mod target;
mod failure;
mod decision;
mod fields;
mod chat_input;
mod purse;
mod request;
mod embedding_input;
mod embedding_request;
mod unsaid;
mod event;
mod record;
mod summary;
mod alert;
pub(crate) mod as_json;
mod trace;

pub use alert::{Alert, AlertKind};
pub use decision::{Ask, AttemptPlan, Decision, PastAttempt, Standing, State, Verdict};
pub use embedding_request::EmbeddingRequest;
pub use event::{Event, Observer};
pub use failure::{Again, Effect, Elsewhere, Failure, FailureKind};
pub use fields::Fields;
pub use key_account::KeyAccount;
pub use money::{LongInput, NanoUsd, ParseMoneyError, Price, Rates};
pub use purse::Purse;
pub use record::{AttemptEnd, AttemptRecord, CandidateRecord, ErrorKind, Outcome, RequestId, RequestRecord};
pub use request::{CacheWish, ChatRequest, Needs, ParseRequestError};
pub use summary::RequestSummary;
pub use target::{RosterTarget, TargetId, TargetName};
pub use trace::TraceParent;
pub(crate) use unsaid::{Mark, Place, Unsaid};
pub use usage::Usage;
