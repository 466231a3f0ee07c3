//! Records for tests: requests as they end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::types::{
    AttemptEnd, AttemptRecord, Event, Failure, FailureKind, NanoUsd, Outcome, RequestId, RequestRecord, TargetName,
    Usage,
};

/// A target's name.
pub(super) fn target(provider: &str, model: &str) -> Arc<TargetName> {
    Arc::new(TargetName::new(provider, model))
}

/// So many milliseconds.
pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The step that begins a HTTP call.
pub(super) fn attempting(target: &Arc<TargetName>, attempt: u32) -> Event {
    Event::Attempting { target: Arc::clone(target), attempt, model_of: (1, 1) }
}

/// The step that ends one badly.
pub(super) fn failed(target: &Arc<TargetName>, kind: FailureKind) -> Event {
    let failure = Failure::new(kind, "slow down").with_status(429);
    Event::Failed { target: Arc::clone(target), failure, took: Duration::ZERO }
}

/// A whole reply that openai gave after groq had limited the rate.
pub(super) fn failed_over() -> RequestRecord {
    let (groq, openai) = (target("groq", "llama"), target("openai", "gpt-4o"));
    let usage = Usage { input: 12, output: 3, ..Usage::default() };
    let limited = Failure::new(FailureKind::RateLimited, "slow down").with_status(429);
    let attempted =
        |target: &Arc<TargetName>, end, took| AttemptRecord { target: Arc::clone(target), end, took: ms(took) };
    RequestRecord {
        id: RequestId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        started: Timestamp::UNIX_EPOCH,
        route: "default".into(),
        strategy: "smart".into(),
        labels: Arc::new([("context".to_owned(), "moderation".to_owned())]),
        streaming: false,
        parent: None,
        steps: vec![
            (ms(0), attempting(&groq, 1)),
            (ms(12), failed(&groq, FailureKind::RateLimited)),
            (ms(12), attempting(&openai, 2)),
            (ms(432), Event::Served { target: Arc::clone(&openai), took: ms(420) }),
            (ms(433), Event::Completed { target: Arc::clone(&openai), usage: Some(usage), took: ms(433) }),
        ],
        attempts: vec![attempted(&groq, AttemptEnd::Failed(limited), 12), attempted(&openai, AttemptEnd::Served, 420)],
        outcome: Outcome::Served,
        error: None,
        served_by: Some(openai),
        usage: Some(usage),
        cost: Some(NanoUsd::from_nanos(18_000)),
        took: ms(433),
    }
}
