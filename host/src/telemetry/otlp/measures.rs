//! Sums and distributions over all requests since the start, as OpenTelemetry's metrics have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::telemetry::calls::{Call, CallEnd, calls};
use crate::types::{RequestRecord, TargetName};

use super::names;
use super::proto::{Data, Histogram, HistogramPoint, KeyValue, Metric, Number, NumberPoint, Sum, Temporality};

/// The bounds the conventions ask for, in tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// The bounds the conventions ask for, in seconds.
const SECONDS: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// All sums and distributions. Their number is bounded by the configuration: no word of a client makes a new one.
#[derive(Debug, Default)]
pub(super) struct Measures {
    durations: BTreeMap<(Arc<TargetName>, &'static str), Distribution>,
    tokens: BTreeMap<(Arc<TargetName>, &'static str), Distribution>,
    requests: BTreeMap<(Arc<str>, &'static str), i64>,
    fail_overs: BTreeMap<Way, i64>,
}

/// A route, and from which provider to which one it went on.
type Way = (Arc<str>, Arc<str>, Arc<str>);

/// How often values fell between bounds.
#[derive(Debug, Clone, PartialEq, Default)]
struct Distribution {
    /// One more than there are bounds.
    counts: [u64; 15],
    sum: f64,
}

impl Measures {
    pub(super) fn enter(&mut self, record: &RequestRecord) {
        *self.requests.entry((Arc::clone(&record.route), record.outcome.name())).or_default() += 1;
        for (from, to) in record.fail_overs() {
            let way: Way = (Arc::clone(&record.route), Arc::clone(from), Arc::clone(to));
            *self.fail_overs.entry(way).or_default() += 1;
        }
        for call in calls(record) {
            let key = (Arc::clone(call.target), error(&call));
            self.durations.entry(key).or_default().add(call.took().as_secs_f64(), &SECONDS);
        }
        if let (Some(target), Some(usage)) = (&record.served_by, record.usage) {
            for (kind, tokens) in [("input", usage.all_input()), ("output", usage.output)] {
                let key = (Arc::clone(target), kind);
                self.tokens.entry(key).or_default().add(tokens as f64, &TOKENS);
            }
        }
    }

    /// All metrics at a moment. Cumulative: one that does not arrive takes nothing with it.
    pub(super) fn metrics(&self, started: Timestamp, now: Timestamp) -> Vec<Metric> {
        let times = Times { started: nanos(started), now: nanos(now) };
        let durations = self.durations.iter().map(|((target, error), distribution)| {
            let error = Some(*error).filter(|error| !error.is_empty());
            let error = error.map(|error| KeyValue::text(names::ERROR_TYPE, error));
            distribution.point(&times, of_target(target).into_iter().chain(error).collect(), &SECONDS)
        });
        let tokens = self.tokens.iter().map(|((target, kind), distribution)| {
            let kind = KeyValue::text(names::TOKEN_TYPE, *kind);
            distribution.point(&times, of_target(target).into_iter().chain([kind]).collect(), &TOKENS)
        });
        let requests = self.requests.iter().map(|((route, outcome), count)| {
            times.number(*count, vec![KeyValue::text(names::ROUTE, &**route), KeyValue::text(names::OUTCOME, *outcome)])
        });
        let fail_overs = self.fail_overs.iter().map(|((route, from, to), count)| {
            let way = [(names::ROUTE, route), (names::FROM, from), (names::TO, to)];
            times.number(*count, way.map(|(name, text)| KeyValue::text(name, &**text)).to_vec())
        });
        let metrics = [
            histogram(names::DURATION, "s", "Duration of a HTTP call to a provider.", durations.collect()),
            histogram(names::TOKEN_USAGE, "{token}", "Tokens of an answer.", tokens.collect()),
            sum(names::REQUESTS, "{request}", "Requests that have ended.", requests.collect()),
            sum(names::FAIL_OVERS, "{fail-over}", "Times a request went on to another provider.", fail_overs.collect()),
        ];
        metrics.into_iter().flatten().collect()
    }
}

/// Since when it was counted, and when it was told, in nanoseconds.
struct Times {
    started: u64,
    now: u64,
}

impl Times {
    fn number(&self, count: i64, attributes: Vec<KeyValue>) -> NumberPoint {
        let value = Some(Number::Int(count));
        NumberPoint { start_time_unix_nano: self.started, time_unix_nano: self.now, value, attributes }
    }
}

impl Distribution {
    fn add(&mut self, value: f64, bounds: &[f64; 14]) {
        // A bound belongs to the interval below it.
        let place = bounds.iter().filter(|bound| **bound < value).count();
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum += value;
    }

    fn point(&self, times: &Times, attributes: Vec<KeyValue>, bounds: &[f64; 14]) -> HistogramPoint {
        HistogramPoint {
            start_time_unix_nano: times.started,
            time_unix_nano: times.now,
            count: self.counts.iter().sum(),
            sum: Some(self.sum),
            bucket_counts: self.counts.to_vec(),
            explicit_bounds: bounds.to_vec(),
            attributes,
        }
    }
}

fn of_target(target: &TargetName) -> Vec<KeyValue> {
    vec![
        KeyValue::text(names::OPERATION, names::CHAT),
        KeyValue::text(names::PROVIDER, names::provider(&target.provider)),
        KeyValue::text(names::REQUEST_MODEL, &*target.model),
        KeyValue::text(names::RESPONSE_MODEL, &*target.model),
    ]
}

/// The conventions' `error.type`; empty where there was no error.
fn error(call: &Call<'_>) -> &'static str {
    match call.end {
        CallEnd::Served => "",
        CallEnd::Failed(failure) => failure.kind.name(),
        CallEnd::Cancelled | CallEnd::Abandoned => call.end.name(),
    }
}

/// A metric; none where there is nothing to tell yet.
fn histogram(name: &str, unit: &str, description: &str, data_points: Vec<HistogramPoint>) -> Option<Metric> {
    let has_points = !data_points.is_empty();
    let data = Histogram { data_points, aggregation_temporality: Temporality::Cumulative.into() };
    has_points.then(|| metric(name, unit, description, Data::Histogram(data)))
}

fn sum(name: &str, unit: &str, description: &str, data_points: Vec<NumberPoint>) -> Option<Metric> {
    let has_points = !data_points.is_empty();
    let data = Sum { data_points, aggregation_temporality: Temporality::Cumulative.into(), is_monotonic: true };
    has_points.then(|| metric(name, unit, description, Data::Sum(data)))
}

fn metric(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), description: description.to_owned(), unit: unit.to_owned(), data: Some(data) }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}
