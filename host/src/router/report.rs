//! What a strategy is told of an attempt: once, whatever becomes of it.

use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::{Moment, whole_ms};
use crate::types::{FailureKind, NanoUsd, Observation, ObservedEnd, Usage};

use super::Router;
use super::journey::Journey;
use super::route::Route;

/// The report on an attempt that is under way. Dropped without another end, it tells that nobody waited for one: the caller
/// went away. There is none where the route's strategy is told nothing.
#[must_use = "dropped, it tells that the attempt was abandoned"]
pub(super) struct Report(Option<Box<Open>>);

struct Open {
    router: Arc<Router>,
    route: Arc<Route>,
    sequence: u64,
    target: u32,
    streaming: bool,
    labels: Arc<[(String, String)]>,
    sent: Moment,
    first_token: Option<Moment>,
    /// What it is booked at where nobody knows how it ended.
    worst_case: Option<NanoUsd>,
}

impl Journey {
    /// Opens the report on an attempt that is sent now, where the strategy wants one.
    pub(super) fn report(&self, target: u32, sent: Moment, worst_case: Option<NanoUsd>) -> Option<Report> {
        if !self.route.observes() {
            return None;
        }
        Some(Report(Some(Box::new(Open {
            router: Arc::clone(&self.router),
            route: Arc::clone(&self.route),
            sequence: self.sequence,
            target,
            streaming: self.streaming,
            labels: Arc::clone(&self.labels),
            sent,
            first_token: None,
            worst_case,
        }))))
    }
}

impl Report {
    /// A stream's first token is here.
    pub(super) fn first_token(&mut self, at: Option<Moment>) {
        if let Some(open) = &mut self.0 {
            open.first_token = at;
        }
    }

    /// The answer came to its end.
    pub(super) fn served(mut self, usage: Option<Usage>, cost: Option<NanoUsd>) {
        self.end(ObservedEnd::Served, usage, |_| cost);
    }

    /// The attempt failed.
    pub(super) fn failed(mut self, kind: FailureKind, cost: Option<NanoUsd>) {
        self.end(ObservedEnd::Failed(kind), None, |_| cost);
    }

    /// Another attempt of the request was faster.
    pub(super) fn outrun(mut self) {
        self.end(ObservedEnd::Outrun, None, |worst_case| worst_case);
    }

    fn end(&mut self, end: ObservedEnd, usage: Option<Usage>, cost: impl FnOnce(Option<NanoUsd>) -> Option<NanoUsd>) {
        let Some(open) = self.0.take() else { return };
        let (now, wall) = (open.router.clock.now(), open.router.clock.wall());
        open.route.tell(Observation {
            sequence: open.sequence,
            entropy: open.router.random.next(),
            now_ms: ms_of(wall),
            target: open.target,
            end,
            took_ms: whole_ms(now.since(open.sent)),
            first_token_ms: open.first_token.map(|at| whole_ms(at.since(open.sent))),
            cost: cost(open.worst_case),
            usage,
            streaming: open.streaming,
            labels: open.labels,
        });
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.end(ObservedEnd::Abandoned, None, |worst_case| worst_case);
    }
}

fn ms_of(wall: Timestamp) -> u64 {
    u64::try_from(wall.as_millisecond()).unwrap_or(0)
}
