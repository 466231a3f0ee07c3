//! What happened: statistics, costs and the records of requests. In memory, for as long as the process lives.

mod sink;
mod news;
mod alarm;
mod archive;
mod exchange;
mod stats;
mod costs;
mod timeline;
mod records;
mod account;
mod calendar;
mod treasury;
pub mod recording;
#[cfg(feature = "store")]
mod database;
#[cfg(feature = "store")]
mod lock_file;
#[cfg(feature = "store")]
pub mod ledger;
#[cfg(feature = "store")]
pub mod store;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::types::{RequestId, RequestRecord};

pub use account::{Account, Scope, Window};
pub use alarm::{About, Alarm};
pub use archive::{Archive, Change, Changes, NotebookName};
pub use calendar::{Calendar, Turned, date_of, day_of, month_of_day};
pub use costs::{CostLine, Costs};
pub use exchange::{Exchange, SharedPages};
pub use news::{News, NewsReceiver};
pub use sink::RecordSink;
pub use stats::Stats;
pub use timeline::{BucketView, TimelineView};
pub use treasury::{Ask, Back, Holder, Lent, Need, Posting, PostingKind, Refusal, Slice, Treasury};

use news::Wire;
use records::Records;
use timeline::Timeline;

/// How long what is recorded gathers before it is written.
const GATHERING: Duration = Duration::from_millis(50);

/// Keeps the books of one [`crate::client::Backstop`].
pub struct Accounts {
    stats: Mutex<Stats>,
    costs: Mutex<Costs>,
    timeline: Mutex<Timeline>,
    records: Mutex<Records>,
    alarm: Arc<Alarm>,
    sinks: Vec<Arc<dyn RecordSink>>,
    wire: Arc<Wire>,
}

impl Accounts {
    /// Empty books, which keep the records of that many requests; whoever is to be told of requests and alerts is told from now on.
    #[must_use]
    pub fn new(sinks: Vec<Arc<dyn RecordSink>>, clock: Arc<dyn Clock>, kept_records: usize) -> Self {
        let wire = Arc::new(Wire::default());
        Self {
            stats: Mutex::default(),
            costs: Mutex::default(),
            timeline: Mutex::default(),
            records: Mutex::new(Records::none(kept_records)),
            alarm: Arc::new(Alarm::new(sinks.clone(), Arc::clone(&wire), clock)),
            sinks,
            wire,
        }
    }

    /// Takes note of a request that has begun.
    pub fn begin(&self, record: &RequestRecord) {
        self.sinks.iter().for_each(|sink| sink.began(record));
    }

    /// Enters a finished request.
    pub fn enter(&self, record: RequestRecord, now: Timestamp) {
        lock(&self.stats).enter(&record);
        lock(&self.costs).enter(&record, now);
        lock(&self.timeline).enter(&record, now);
        let record = Arc::new(record);
        self.sinks.iter().for_each(|sink| sink.ended(&record));
        self.wire.send_with(|| News::Ended(Arc::clone(&record)));
        lock(&self.records).keep(record);
    }

    /// What happens from now on, for whoever listens.
    #[must_use]
    pub fn news(&self) -> NewsReceiver {
        self.wire.receiver()
    }

    /// Tells whoever listens that another configuration has taken over.
    pub fn reloaded(&self, notices: &[String]) {
        self.wire.send_with(|| News::Reloaded { notices: notices.into() });
    }

    /// Where alerts are raised.
    #[must_use]
    pub fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    /// The requests of the last so many minutes, a day at most.
    #[must_use]
    pub fn timeline(&self, minutes: u32, now: Timestamp) -> TimelineView {
        lock(&self.timeline).view(minutes, now)
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

    /// The story of a request, while it is kept.
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
