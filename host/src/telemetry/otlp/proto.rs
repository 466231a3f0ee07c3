//! The messages of OTLP 1.x that are sent, field by field as its `.proto` files number them. What is never set is left out.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct TraceRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub(super) spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(super) name: String,
    #[prost(enumeration = "SpanKind", tag = "6")]
    pub(super) kind: i32,
    #[prost(fixed64, tag = "7")]
    pub(super) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub(super) end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    pub(super) events: Vec<SpanEvent>,
    #[prost(message, optional, tag = "15")]
    pub(super) status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    pub(super) flags: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SpanEvent {
    #[prost(fixed64, tag = "1")]
    pub(super) time_unix_nano: u64,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(enumeration = "StatusCode", tag = "3")]
    pub(super) code: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
pub(super) enum SpanKind {
    Unspecified = 0,
    Server = 2,
    Client = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
pub(super) enum StatusCode {
    Unset = 0,
    Error = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricsRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) description: String,
    #[prost(string, tag = "3")]
    pub(super) unit: String,
    #[prost(oneof = "Data", tags = "7, 9")]
    pub(super) data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Data {
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sum {
    #[prost(message, repeated, tag = "1")]
    pub(super) data_points: Vec<NumberPoint>,
    #[prost(enumeration = "Temporality", tag = "2")]
    pub(super) aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    pub(super) is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NumberPoint {
    #[prost(fixed64, tag = "2")]
    pub(super) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    pub(super) time_unix_nano: u64,
    #[prost(oneof = "Number", tags = "6")]
    pub(super) value: Option<Number>,
    #[prost(message, repeated, tag = "7")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Number {
    #[prost(sfixed64, tag = "6")]
    Int(i64),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(message, repeated, tag = "1")]
    pub(super) data_points: Vec<HistogramPoint>,
    #[prost(enumeration = "Temporality", tag = "2")]
    pub(super) aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistogramPoint {
    #[prost(fixed64, tag = "2")]
    pub(super) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    pub(super) time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    pub(super) count: u64,
    #[prost(double, optional, tag = "5")]
    pub(super) sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    pub(super) bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    pub(super) explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "9")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
pub(super) enum Temporality {
    Unspecified = 0,
    Cumulative = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4")]
    pub(super) value: Option<Any>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

impl KeyValue {
    pub(super) fn text(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new(key, Any::Text(value.into()))
    }

    pub(super) fn int(key: &str, value: impl TryInto<i64>) -> Self {
        Self::new(key, Any::Int(value.try_into().unwrap_or(i64::MAX)))
    }

    pub(super) fn double(key: &str, value: f64) -> Self {
        Self::new(key, Any::Double(value))
    }

    pub(super) fn bool(key: &str, value: bool) -> Self {
        Self::new(key, Any::Bool(value))
    }

    fn new(key: impl Into<String>, value: Any) -> Self {
        Self { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
    }
}

impl Scope {
    /// Who made it.
    pub(super) fn backstop() -> Self {
        Self { name: "backstop".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by OpenTelemetry's own package for Python (`official/make.py`).
    const TRACE: &[u8] = include_bytes!("official/trace.bin");
    const METRICS: &[u8] = include_bytes!("official/metrics.bin");

    fn resource() -> Option<Resource> {
        Some(Resource { attributes: vec![KeyValue::text("service.name", "backstop")] })
    }

    fn scope() -> Option<Scope> {
        Some(Scope { name: "backstop".into(), version: "1.2.3".into() })
    }

    #[test]
    fn writes_spans_as_the_official_package_does() {
        let event = SpanEvent {
            time_unix_nano: 1_500_000_000,
            name: "backstop.decided".into(),
            attributes: vec![KeyValue::text("why", "b")],
        };
        let span = Span {
            trace_id: (0..16).collect(),
            span_id: (0..8).collect(),
            parent_span_id: (8..16).collect(),
            name: "chat default".into(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: 1_000_000_000,
            end_time_unix_nano: 2_000_000_000,
            attributes: vec![
                KeyValue::text("text", "a"),
                KeyValue::bool("flag", true),
                KeyValue::int("number", -7),
                KeyValue::double("fraction", 0.5),
            ],
            events: vec![event],
            status: Some(Status { message: "down".into(), code: StatusCode::Error.into() }),
            flags: 0x301,
        };
        let scope_spans = vec![ScopeSpans { scope: scope(), spans: vec![span] }];
        let message = TraceRequest { resource_spans: vec![ResourceSpans { resource: resource(), scope_spans }] };

        assert_eq!(TraceRequest::decode(TRACE).unwrap(), message);
        assert_eq!(message.encode_to_vec(), TRACE);
    }

    #[test]
    fn writes_metrics_as_the_official_package_does() {
        let durations = HistogramPoint {
            start_time_unix_nano: 1,
            time_unix_nano: 2,
            count: 3,
            sum: Some(4.5),
            bucket_counts: vec![1, 2, 0],
            explicit_bounds: vec![0.5, 1.0],
            attributes: vec![KeyValue::text("kind", "a")],
        };
        let counts = NumberPoint {
            start_time_unix_nano: 1,
            time_unix_nano: 2,
            value: Some(Number::Int(3)),
            attributes: vec![KeyValue::text("kind", "b")],
        };
        let aggregation_temporality = Temporality::Cumulative.into();
        let histogram = Histogram { data_points: vec![durations], aggregation_temporality };
        let sum = Sum { data_points: vec![counts], aggregation_temporality, is_monotonic: true };
        let metric = |name: &str, description: &str, unit: &str, data| Metric {
            name: name.into(),
            description: description.into(),
            unit: unit.into(),
            data: Some(data),
        };
        let metrics = vec![
            metric("duration", "How long.", "s", Data::Histogram(histogram)),
            metric("count", "How many.", "{request}", Data::Sum(sum)),
        ];
        let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics }];
        let resource_metrics = vec![ResourceMetrics { resource: resource(), scope_metrics }];
        let message = MetricsRequest { resource_metrics };

        assert_eq!(MetricsRequest::decode(METRICS).unwrap(), message);
        assert_eq!(message.encode_to_vec(), METRICS);
    }
}
