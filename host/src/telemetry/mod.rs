//! What operators see of requests: the log's line, counters for Prometheus, traces and metrics for OpenTelemetry.
//!
//! Each is a [`crate::accounting::RecordSink`]: it is told of a request when it has ended, and reads everything off its record.
//! None sees a prompt, an answer or a key, since no record has them.

mod request_log;
#[cfg(feature = "gateway")]
mod calls;
#[cfg(feature = "gateway")]
mod known;
#[cfg(feature = "gateway")]
mod metrics;
#[cfg(feature = "otel")]
mod otlp;
#[cfg(test)]
mod test_records;

#[cfg(feature = "gateway")]
pub use metrics::{Metrics, ShadowCount};
#[cfg(feature = "otel")]
pub use otlp::Otlp;
pub use request_log::RequestLog;
