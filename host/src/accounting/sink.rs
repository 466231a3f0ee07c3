//! Whoever is told of requests and alerts: the store, metrics, traces, the dashboard.

use std::sync::Arc;

use crate::types::{Alert, RequestRecord};

/// Is told what happens, on the task it happens on: must return soon and must not block.
pub trait RecordSink: Send + Sync {
    /// A request has begun. Its record says so far who asked and when.
    fn began(&self, record: &RequestRecord) {
        let _ = record;
    }

    /// A request has ended, however it did.
    fn ended(&self, record: &Arc<RequestRecord>);

    /// Something an operator should know of.
    fn alerted(&self, alert: &Alert) {
        let _ = alert;
    }
}
