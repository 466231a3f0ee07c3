//! Traces and metrics in OpenTelemetry's protocol (OTLP over HTTP, protobuf), with the names of its GenAI conventions.
//!
//! `spans` and `measures` make them of finished records, `proto` has the messages, `names` the names. Here is who sends them: a
//! task of its own behind a bounded queue. A collector that is slow, full or gone costs traces, never a request.

mod proto;
mod names;
mod spans;
mod measures;
mod collector;
mod sender;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::accounting::RecordSink;
use crate::clock::Clock;
use crate::config::TelemetryConfig;
use crate::transport::Transport;
use crate::types::RequestRecord;

use collector::Collector;
use sender::Sender;

/// Requests that may wait to be told of.
const QUEUE: usize = 2_048;

/// How long the last spans may take to be sent when the program ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// Tells a collector of requests until it is stopped.
pub struct Otlp {
    queue: Queue,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    clock: Arc<dyn Clock>,
}

/// The requests' end of the queue.
#[derive(Clone)]
struct Queue {
    records: mpsc::Sender<Arc<RequestRecord>>,
    /// Records there was no room for.
    lost: Arc<AtomicU64>,
}

impl Otlp {
    /// Starts to tell the collector the configuration names; `None` where it names none. Needs a runtime.
    #[must_use]
    pub fn start(config: &TelemetryConfig, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Option<Self> {
        let collector = Collector::new(config, transport, Arc::clone(&clock))?;
        let (records, queued) = mpsc::channel(QUEUE);
        let (stop, stopped) = oneshot::channel();
        let lost = Arc::new(AtomicU64::new(0));
        let sender = Sender::new(collector, &config.service_name, Arc::clone(&clock), Arc::clone(&lost));
        let task = tokio::spawn(sender.run(queued, stopped));
        Some(Self { queue: Queue { records, lost }, stop, task, clock })
    }

    /// What a [`crate::Backstop`] is to tell of its requests.
    #[must_use]
    pub fn sink(&self) -> Arc<dyn RecordSink> {
        Arc::new(self.queue.clone())
    }

    /// Sends what is still there, for 3 seconds at most.
    pub async fn stop(mut self) {
        // Where nobody hears it the task has ended already.
        let _ = self.stop.send(());
        let late = self.clock.sleep_until(self.clock.now() + FAREWELL);
        tokio::select! {
            _ = &mut self.task => {}
            () = late => {
                tracing::warn!("the latest traces could not be sent in time");
                self.task.abort();
            }
        }
    }
}

impl RecordSink for Queue {
    fn ended(&self, record: &Arc<RequestRecord>) {
        if self.records.try_send(Arc::clone(record)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
