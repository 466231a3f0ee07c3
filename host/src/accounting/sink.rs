//! Who else is told of requests: logs, metrics, traces.

use std::sync::Arc;

use crate::types::RequestRecord;

/// Is told of every request, on the task that runs it: must return soon and must not block.
pub trait RecordSink: Send + Sync {
    /// Takes note of a request that has ended, however it did.
    fn ended(&self, record: &Arc<RequestRecord>);
}
