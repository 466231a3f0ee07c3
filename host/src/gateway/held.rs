//! A request's place among all others and within its key's limits, held until its reply has gone and told what it took.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::client::Backstop;
use crate::clock::Clock;
use crate::types::{Outcome, RequestId, RequestRecord};

use super::keys::Place;

/// A place, given back when it is dropped.
pub(super) struct Held {
    place: Option<Place>,
    _among_all: OwnedSemaphorePermit,
    backstop: Backstop,
    clock: Arc<dyn Clock>,
    /// The request in the records, once it has a name.
    pub(super) id: Option<RequestId>,
}

impl Held {
    pub(super) fn new(
        place: Place,
        among_all: OwnedSemaphorePermit,
        backstop: Backstop,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { place: Some(place), _among_all: among_all, backstop, clock, id: None }
    }

    /// Nobody could answer: no tokens were taken.
    pub(super) fn unused(mut self) {
        if let Some(place) = self.place.take() {
            place.settle(0, self.clock.now());
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let record = self.id.and_then(|id| self.backstop.explain(id));
        if let Some(tokens) = record.and_then(|record| taken(&record)) {
            place.settle(tokens, self.clock.now());
        }
    }
}

/// The tokens a request took, where that is known.
fn taken(record: &RequestRecord) -> Option<u64> {
    match record.outcome {
        Outcome::Served => record.usage.map(|usage| usage.total()),
        Outcome::Cached | Outcome::Degraded | Outcome::Failed => Some(0),
        // What came of it before it broke off was made, and nobody has counted it.
        Outcome::Pending | Outcome::Interrupted | Outcome::Abandoned | Outcome::Unknown => None,
    }
}
