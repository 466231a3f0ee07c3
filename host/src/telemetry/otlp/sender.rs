//! The task that tells the collector: spans soon after their request has ended, metrics now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Clock, Moment};
use crate::types::RequestRecord;

use super::collector::{Collector, SendError, Signal};
use super::measures::Measures;
use super::names;
use super::proto::{
    KeyValue, MetricsRequest, Resource, ResourceMetrics, ResourceSpans, Scope, ScopeMetrics, ScopeSpans, Span,
    TraceRequest,
};
use super::spans::spans;

/// How long spans wait for others to be sent along with them.
const SPANS_EVERY: Duration = Duration::from_secs(2);

/// How often metrics are sent.
const METRICS_EVERY: Duration = Duration::from_secs(30);

/// Spans of one message, unless a single request brings more.
const FULL: usize = 512;

/// Records taken out of the queue at once.
const HANDFUL: usize = 64;

/// What is to be sent, and to whom.
pub(super) struct Sender {
    collector: Collector,
    resource: Resource,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    spans: Vec<Span>,
    measures: Measures,
    /// Records that did not fit into the queue.
    lost: Arc<AtomicU64>,
    reached: Reached,
}

/// Whether the latest message arrived: only a change is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

impl Sender {
    pub(super) fn new(collector: Collector, service: &str, clock: Arc<dyn Clock>, lost: Arc<AtomicU64>) -> Self {
        let attributes = vec![
            KeyValue::text(names::SERVICE, service),
            KeyValue::text(names::SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        ];
        Self {
            collector,
            resource: Resource { attributes },
            started: clock.wall(),
            clock,
            spans: Vec::new(),
            measures: Measures::default(),
            lost,
            reached: Reached::Yes,
        }
    }

    /// Sends until it is told to stop, and then what is left.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Arc<RequestRecord>>, mut stop: oneshot::Receiver<()>) {
        let mut spans_due: Option<Moment> = None;
        let mut metrics_due = self.clock.now() + METRICS_EVERY;
        let mut handful = Vec::with_capacity(HANDFUL);
        loop {
            let due = spans_due.map_or(metrics_due, |due| due.min(metrics_due));
            tokio::select! {
                taken = queue.recv_many(&mut handful, HANDFUL) => {
                    if taken == 0 {
                        break;
                    }
                    handful.drain(..).for_each(|record| self.enter(&record));
                    spans_due.get_or_insert(self.clock.now() + SPANS_EVERY);
                }
                () = self.clock.sleep_until(due) => {}
                _ = &mut stop => break,
            }
            let now = self.clock.now();
            if self.spans.len() >= FULL || spans_due.is_some_and(|due| due <= now) {
                self.send_spans().await;
                spans_due = None;
            }
            if metrics_due <= now {
                self.send_metrics().await;
                metrics_due = self.clock.now() + METRICS_EVERY;
            }
        }
        while let Ok(record) = queue.try_recv() {
            self.enter(&record);
        }
        self.send_spans().await;
        self.send_metrics().await;
    }

    fn enter(&mut self, record: &RequestRecord) {
        self.measures.enter(record);
        self.spans.extend(spans(record));
    }

    /// Sends the spans there are. Those that do not arrive are gone: to keep them would take room without bound.
    async fn send_spans(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        let spans = std::mem::take(&mut self.spans);
        let scope_spans = vec![ScopeSpans { scope: Some(Scope::backstop()), spans }];
        let resource_spans = vec![ResourceSpans { resource: Some(self.resource.clone()), scope_spans }];
        let sent = self.collector.send(Signal::Traces, &TraceRequest { resource_spans }).await;
        self.note(sent);
    }

    async fn send_metrics(&mut self) {
        let metrics = self.measures.metrics(self.started, self.clock.wall());
        if metrics.is_empty() {
            return;
        }
        let scope_metrics = vec![ScopeMetrics { scope: Some(Scope::backstop()), metrics }];
        let resource_metrics = vec![ResourceMetrics { resource: Some(self.resource.clone()), scope_metrics }];
        let sent = self.collector.send(Signal::Metrics, &MetricsRequest { resource_metrics }).await;
        self.note(sent);
    }

    fn note(&mut self, sent: Result<(), SendError>) {
        let (reached, before) = (if sent.is_ok() { Reached::Yes } else { Reached::No }, self.reached);
        self.reached = reached;
        match (sent, before) {
            (Ok(()), Reached::No) => tracing::info!("the collector of traces is reached again"),
            (Err(error), Reached::Yes) => tracing::warn!("traces and metrics do not reach their collector: {error}"),
            (Ok(()), Reached::Yes) | (Err(_), Reached::No) => {}
        }
        if reached == Reached::Yes {
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(lost, "requests without traces: they came faster than their collector took them");
            }
        }
    }
}
