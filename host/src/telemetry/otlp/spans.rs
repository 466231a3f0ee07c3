//! From a finished request's record to its spans: one for the request, and one below it for each HTTP call.

use std::time::Duration;

use crate::clock::whole_ms;
use crate::random::Random;
use crate::telemetry::calls::{Call, CallEnd, calls};
use crate::types::{Event, RequestId, RequestRecord};

use super::names;
use super::proto::{KeyValue, Span, SpanEvent, SpanKind, Status, StatusCode};

/// The span's own flag: it is sampled. And what is known of its parent: whether it is of another program.
const SAMPLED: u32 = 0x101;
const PARENT_IS_REMOTE: u32 = 0x200;

/// The spans of a request; none where the caller's own trace is one that is not recorded.
pub(super) fn spans(record: &RequestRecord) -> Vec<Span> {
    if record.parent.is_some_and(|parent| !parent.sampled) {
        return Vec::new();
    }
    let ids = span_ids(record.id);
    let next_id = || id(ids.next());
    let request = of_request(record, next_id());
    let calls = calls(record);
    let below = calls.iter().map(|call| of_call(record, call, &request, next_id()));
    let below: Vec<Span> = below.collect();
    std::iter::once(request).chain(below).collect()
}

fn of_request(record: &RequestRecord, span_id: Vec<u8>) -> Span {
    let parent = record.parent;
    let trace = parent.map_or(record.id.0, |parent| parent.trace);
    let mut attributes = of_operation(
        record
            .served_by
            .as_ref()
            .or(record.attempts.last().map(|attempt| &attempt.target))
            .map(|target| &*target.provider),
        &record.route,
    );
    attributes.extend(outcome(record));
    attributes.extend(usage(record));
    attributes.extend(record.labels.iter().map(|(name, text)| KeyValue::text(format!("{}{name}", names::LABEL), text)));
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id,
        parent_span_id: parent.map(|parent| id(parent.span)).unwrap_or_default(),
        name: format!("{} {}", names::CHAT, record.route),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: moment(record, Duration::ZERO),
        end_time_unix_nano: moment(record, record.took),
        attributes,
        events: record.steps.iter().filter_map(|(at, event)| step(moment(record, *at), event)).collect(),
        status: record.error.map(|error| failed(error.name())),
        flags: if parent.is_some() { SAMPLED | PARENT_IS_REMOTE } else { SAMPLED },
    }
}

fn of_call(record: &RequestRecord, call: &Call<'_>, request: &Span, span_id: Vec<u8>) -> Span {
    let mut attributes = of_operation(Some(&call.target.provider), &call.target.model);
    attributes.push(KeyValue::int(names::ATTEMPT, call.number));
    attributes.push(KeyValue::text(names::END, call.end.name()));
    let waited = call.first_token().filter(|_| record.streaming);
    attributes.extend(waited.map(|waited| KeyValue::int(names::FIRST_TOKEN, whole_ms(waited))));
    let mut status = None;
    if let CallEnd::Failed(failure) = call.end {
        attributes.push(KeyValue::text(names::ERROR_TYPE, failure.kind.name()));
        attributes.extend(failure.status.map(|status| KeyValue::int(names::STATUS, status)));
        status = Some(failed(&failure.message));
    }
    Span {
        trace_id: request.trace_id.clone(),
        span_id,
        parent_span_id: request.span_id.clone(),
        name: format!("{} {}", names::CHAT, call.target.model),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: moment(record, call.began),
        end_time_unix_nano: moment(record, call.ended),
        attributes,
        events: Vec::new(),
        status,
        flags: SAMPLED,
    }
}

/// What the conventions ask of every span: to callers, a route is a model.
fn of_operation(provider: Option<&str>, model: &str) -> Vec<KeyValue> {
    vec![
        KeyValue::text(names::OPERATION, names::CHAT),
        KeyValue::text(names::PROVIDER, provider.map_or("backstop", names::provider)),
        KeyValue::text(names::REQUEST_MODEL, model),
    ]
}

fn outcome(record: &RequestRecord) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::text(names::REQUEST_ID, record.id.to_string()),
        KeyValue::text(names::ROUTE, &*record.route),
        KeyValue::text(names::STRATEGY, &*record.strategy),
        KeyValue::text(names::OUTCOME, record.outcome.name()),
        KeyValue::int(names::ATTEMPTS, record.attempts.len()),
        KeyValue::bool(names::STREAMING, record.streaming),
    ];
    attributes.extend(record.error.map(|error| KeyValue::text(names::ERROR_TYPE, error.name())));
    attributes.extend(record.served_by.as_ref().map(|target| KeyValue::text(names::RESPONSE_MODEL, &*target.model)));
    attributes.extend(record.cost.map(|cost| KeyValue::double(names::COST, cost.as_dollars())));
    attributes.extend(record.first_token().map(|waited| KeyValue::int(names::FIRST_TOKEN, whole_ms(waited))));
    attributes
}

/// The tokens, on the request's span alone: who adds up all spans must not count them twice.
fn usage(record: &RequestRecord) -> Vec<KeyValue> {
    let Some(usage) = record.usage else { return Vec::new() };
    let cached = [(names::CACHE_READ_TOKENS, usage.cache_read), (names::CACHE_CREATION_TOKENS, usage.cache_creation)];
    let cached = cached.into_iter().filter(|(_, tokens)| *tokens > 0);
    let all =
        [(names::INPUT_TOKENS, usage.all_input()), (names::OUTPUT_TOKENS, usage.output)].into_iter().chain(cached);
    all.map(|(name, tokens)| KeyValue::int(name, tokens)).collect()
}

/// What is worth a mark on the request's span; calls have spans of their own.
fn step(time_unix_nano: u64, event: &Event) -> Option<SpanEvent> {
    let (name, attributes) = match event {
        Event::Decided { verdict, reason, .. } => {
            let reason = reason.iter().map(|reason| KeyValue::text(names::REASON, reason));
            ("backstop.decided", std::iter::once(KeyValue::text(names::VERDICT, verdict)).chain(reason).collect())
        }
        Event::StrategyFault { message } => ("backstop.strategy_fault", vec![KeyValue::text(names::REASON, message)]),
        Event::Waiting { target, wait, .. } => (
            "backstop.waiting",
            vec![KeyValue::text(names::TARGET, target.to_string()), KeyValue::int(names::WAIT, whole_ms(*wait))],
        ),
        Event::Denied { target, why, .. } => (
            "backstop.denied",
            vec![KeyValue::text(names::TARGET, target.to_string()), KeyValue::text(names::REASON, why)],
        ),
        Event::Attempting { .. }
        | Event::Failed { .. }
        | Event::Served { .. }
        | Event::Cancelled { .. }
        | Event::Adapted { .. }
        | Event::Resuming { .. }
        | Event::Joined
        | Event::FromCache { .. }
        | Event::Completed { .. } => return None,
    };
    Some(SpanEvent { time_unix_nano, name: name.to_owned(), attributes })
}

fn failed(message: &str) -> Status {
    Status { message: message.to_owned(), code: StatusCode::Error.into() }
}

fn moment(record: &RequestRecord, since: Duration) -> u64 {
    let start = u64::try_from(record.started.as_nanosecond()).unwrap_or(0);
    start.saturating_add(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Ids of a request's spans follow from its own, which is random: nothing has to be drawn or kept.
fn span_ids(request: RequestId) -> Random {
    let [high, low] = [request.0 >> 64, request.0].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    Random::seeded(low ^ high.rotate_left(32))
}

fn id(number: u64) -> Vec<u8> {
    number.max(1).to_be_bytes().to_vec()
}
