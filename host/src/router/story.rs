//! The record of one request in the making: every step is told to the observer and kept, and the end is always entered.

use std::sync::Arc;
use std::time::Duration;

use crate::accounting::Accounts;
use crate::clock::{Clock, Moment};
use crate::types::{
    AttemptEnd, AttemptRecord, ErrorKind, Event, Failure, NanoUsd, Observer, Outcome, RequestId, RequestRecord,
    TargetName, Usage,
};

/// Writes one request's record. Dropped without an end, it enters the request as abandoned: the caller went away.
pub(super) struct Story {
    id: RequestId,
    attempts: u32,
    record: Option<RequestRecord>,
    observer: Option<Arc<dyn Observer>>,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    began: Moment,
}

impl Story {
    pub(super) fn begin(
        record: RequestRecord,
        observer: Option<Arc<dyn Observer>>,
        accounts: Arc<Accounts>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let began = clock.now();
        Self { id: record.id, attempts: 0, record: Some(record), observer, accounts, clock, began }
    }

    /// The request's labels.
    pub(super) fn labels(&self) -> Arc<[(String, String)]> {
        self.record.as_ref().map(|record| Arc::clone(&record.labels)).unwrap_or_default()
    }

    /// Takes note of a step.
    pub(super) fn tell(&mut self, event: Event) {
        if let Some(observer) = &self.observer {
            observer.on_event(&event);
        }
        log(&event, self.id);
        let at = self.clock.now().since(self.began);
        if let Some(record) = &mut self.record {
            record.steps.push((at, event));
        }
    }

    /// Takes note of a failed HTTP call.
    pub(super) fn failed(&mut self, target: &Arc<TargetName>, failure: &Failure, took: Duration) {
        self.attempted(target, AttemptEnd::Failed(failure.clone()), took);
        self.tell(Event::Failed { target: Arc::clone(target), failure: failure.clone(), took });
    }

    /// Takes note of a HTTP call that served.
    pub(super) fn served(&mut self, target: &Arc<TargetName>, took: Duration) {
        self.attempted(target, AttemptEnd::Served, took);
        self.tell(Event::Served { target: Arc::clone(target), took });
    }

    /// Takes note of a HTTP call that was given up because another one was faster.
    pub(super) fn cancelled(&mut self, target: &Arc<TargetName>, took: Duration) {
        self.attempted(target, AttemptEnd::Cancelled, took);
        self.tell(Event::Cancelled { target: Arc::clone(target), took });
    }

    fn attempted(&mut self, target: &Arc<TargetName>, end: AttemptEnd, took: Duration) {
        self.attempts = self.attempts.saturating_add(1);
        if let Some(record) = &mut self.record {
            record.attempts.push(AttemptRecord { target: Arc::clone(target), end, took });
        }
    }

    /// A stream that was served has broken: the attempt that served becomes one that failed.
    pub(super) fn broke(&mut self, target: &Arc<TargetName>, failure: &Failure, took: Duration) {
        let mut attempts = self.record.iter_mut().flat_map(|record| record.attempts.iter_mut().rev());
        if let Some(served) = attempts.find(|attempt| attempt.end == AttemptEnd::Served) {
            served.end = AttemptEnd::Failed(failure.clone());
        }
        self.tell(Event::Failed { target: Arc::clone(target), failure: failure.clone(), took });
    }

    /// The HTTP calls made so far, oldest first; none once the record is entered.
    pub(super) fn attempts(&self) -> &[AttemptRecord] {
        self.record.as_ref().map_or(&[], |record| &record.attempts)
    }

    /// The request's name.
    pub(super) fn id(&self) -> RequestId {
        self.id
    }

    /// How many HTTP calls were made.
    pub(super) fn attempts_made(&self) -> u32 {
        self.attempts
    }

    /// Since the request began.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.now().since(self.began)
    }

    /// Enters the request as answered.
    pub(super) fn end_served(&mut self, target: &Arc<TargetName>, usage: Option<Usage>, cost: Option<NanoUsd>) {
        let took = self.elapsed();
        self.tell(Event::Completed { target: Arc::clone(target), usage, took });
        if let Some(record) = &mut self.record {
            record.served_by = Some(Arc::clone(target));
            record.usage = usage;
            record.cost = cost;
        }
        self.end(Outcome::Served);
    }

    /// Enters the request as answered from the cache: nobody was asked, and it costs nothing.
    pub(super) fn end_cached(&mut self, target: &Arc<TargetName>, age: Duration) {
        self.tell(Event::FromCache { target: Arc::clone(target), age });
        if let Some(record) = &mut self.record {
            record.served_by = Some(Arc::clone(target));
            record.cost = Some(NanoUsd::ZERO);
        }
        self.end(Outcome::Cached);
    }

    /// Enters the request as one that nobody has answered, or not in full.
    pub(super) fn fail(&mut self, error: Option<ErrorKind>, outcome: Outcome) {
        if let Some(record) = &mut self.record {
            record.error = error;
        }
        self.end(outcome);
    }

    /// Enters the request with an end. The first end counts.
    fn end(&mut self, outcome: Outcome) {
        let Some(mut record) = self.record.take() else { return };
        record.outcome = outcome;
        record.took = self.clock.now().since(self.began);
        self.accounts.enter(record, self.clock.wall());
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}

/// The line of an event in the log. What a fail-over looks like is fixed here: `failed over from … to …` is not known
/// until the next attempt, so each failed attempt is a warning and each attempt names its place.
fn log(event: &Event, id: RequestId) {
    let id = tracing::field::display(id);
    match event {
        Event::Failed { target, failure, took } => {
            tracing::warn!(id, %target, kind = %failure.kind, took_ms = took.as_millis(), "attempt failed: {}", failure.message);
        }
        Event::StrategyFault { message } => tracing::warn!(id, "strategy fault: {message}"),
        Event::Denied { target, why, .. } => tracing::debug!(id, %target, "not admitted: {why}"),
        Event::Waiting { target, wait, ahead } => {
            tracing::debug!(id, %target, wait_ms = wait.as_millis(), ahead, "waiting");
        }
        Event::Attempting { target, attempt, .. } => tracing::debug!(id, %target, attempt, "attempting"),
        Event::Served { target, took } => tracing::debug!(id, %target, took_ms = took.as_millis(), "served"),
        Event::Decided { verdict, reason, .. } => tracing::debug!(id, verdict, reason, "decided"),
        Event::Cancelled { target, took } => {
            tracing::debug!(id, %target, took_ms = took.as_millis(), "given up: another was faster");
        }
        Event::Adapted { target, notes } => tracing::debug!(id, %target, "adapted: {}", notes.join("; ")),
        Event::Resuming { target, goes_on } => tracing::debug!(id, %target, goes_on, "resuming"),
        Event::Joined => tracing::debug!(id, "waiting for an equal request's answer"),
        Event::FromCache { target, age } => tracing::debug!(id, %target, age_ms = age.as_millis(), "from the cache"),
        Event::Completed { target, took, .. } => tracing::debug!(id, %target, took_ms = took.as_millis(), "completed"),
    }
}
