//! What happened: statistics, costs and the records of requests. In memory, for as long as the process lives.

mod stats;
mod costs;
mod records;
mod sink;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::types::{RequestId, RequestRecord};

pub use costs::{CostLine, Costs};
pub use sink::RecordSink;
pub use stats::Stats;

use records::Records;

/// Keeps the books of one [`crate::client::Backstop`].
#[derive(Default)]
pub struct Accounts {
    stats: Mutex<Stats>,
    costs: Mutex<Costs>,
    records: Mutex<Records>,
    sinks: Vec<Arc<dyn RecordSink>>,
}

impl Accounts {
    /// Empty books whose entries these are told of, too.
    #[must_use]
    pub fn with_sinks(sinks: Vec<Arc<dyn RecordSink>>) -> Self {
        Self { sinks, ..Self::default() }
    }

    /// Enters a finished request.
    pub fn enter(&self, record: RequestRecord, now: Timestamp) {
        lock(&self.stats).enter(&record);
        lock(&self.costs).enter(&record, now);
        let record = Arc::new(record);
        for sink in &self.sinks {
            sink.ended(&record);
        }
        lock(&self.records).keep(record);
    }

    /// The counts since the start or the latest reset.
    #[must_use]
    pub fn stats(&self) -> Stats {
        lock(&self.stats).clone()
    }

    /// Begins the counts anew.
    pub fn reset_stats(&self) {
        *lock(&self.stats) = Stats::default();
    }

    /// What was spent.
    #[must_use]
    pub fn costs(&self) -> Costs {
        lock(&self.costs).clone()
    }

    /// Forgets what was spent, at one provider or at all of them.
    pub fn reset_costs(&self, provider: Option<&str>) {
        lock(&self.costs).reset(provider);
    }

    /// The story of a request, while it is kept (the latest 1,000 are).
    #[must_use]
    pub fn record(&self, id: RequestId) -> Option<Arc<RequestRecord>> {
        lock(&self.records).find(id)
    }

    /// The latest requests, newest first.
    #[must_use]
    pub fn latest(&self, most: usize) -> Vec<Arc<RequestRecord>> {
        lock(&self.records).latest(most)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
