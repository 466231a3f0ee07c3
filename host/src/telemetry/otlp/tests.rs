//! The queue and the task behind it, on paused time and without a network.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use prost::Message;
use secrecy::SecretString;

use super::proto::{MetricsRequest, Span, TraceRequest};
use super::{Otlp, QUEUE};
use crate::clock::{Clock, SystemClock};
use crate::config::TelemetryConfig;
use crate::telemetry::test_records::failed_over;
use crate::transport::{HttpCall, HttpReply, Transport, TransportError};
use crate::types::{RequestId, RequestRecord, TraceParent};

/// Keeps what is sent; it answers, or never does.
#[derive(Default)]
struct Wire {
    calls: Mutex<Vec<HttpCall>>,
    hangs: bool,
}

impl Transport for Wire {
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        self.calls.lock().unwrap().push(call);
        Box::pin(async {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            let body = futures_util::stream::iter([Ok(Bytes::from_static(b"{}"))]);
            Ok(HttpReply { status: 200, headers: HeaderMap::new(), body: Box::pin(body) })
        })
    }
}

impl Wire {
    fn bodies(&self, path: &str) -> Vec<Bytes> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.url.path() == path).map(|call| call.body.clone()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let messages = self.bodies("/otlp/v1/traces").into_iter().map(|body| TraceRequest::decode(body).unwrap());
        let resources = messages.flat_map(|message| message.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

fn start(wire: &Arc<Wire>) -> Otlp {
    let config = TelemetryConfig {
        otlp_endpoint: Some("http://127.0.0.1:4318/otlp/".parse().unwrap()),
        otlp_headers: vec![("authorization".to_owned(), SecretString::from("canary"))],
        ..TelemetryConfig::default()
    };
    Otlp::start(&config, wire.clone(), Arc::new(SystemClock::start())).unwrap()
}

async fn pass(time: Duration) {
    let clock = SystemClock::start();
    clock.sleep_until(clock.now() + time).await;
}

#[tokio::test]
async fn is_not_there_where_no_collector_is_named() {
    let wire = Arc::new(Wire::default());

    assert!(Otlp::start(&TelemetryConfig::default(), wire, Arc::new(SystemClock::start())).is_none());
}

#[tokio::test(start_paused = true)]
async fn sends_spans_soon_and_metrics_now_and_then() {
    let wire = Arc::new(Wire::default());
    let otlp = start(&wire);
    let sink = otlp.sink();

    for _ in 0..3 {
        sink.ended(&Arc::new(failed_over()));
    }
    pass(Duration::from_secs(3)).await;
    let soon = (wire.bodies("/otlp/v1/traces").len(), wire.bodies("/otlp/v1/metrics").len());
    pass(Duration::from_secs(60)).await;

    assert_eq!((soon, wire.spans().len()), ((1, 0), 9));
    let metrics = wire.bodies("/otlp/v1/metrics");
    assert_eq!(metrics.len(), 2);
    assert!(MetricsRequest::decode(metrics[0].clone()).is_ok());
    let header = wire.calls.lock().unwrap()[0].headers["authorization"].clone();
    assert!(header == "canary" && header.is_sensitive());
    otlp.stop().await;
    assert_eq!(wire.bodies("/otlp/v1/traces").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn loses_traces_and_nothing_else_to_a_collector_that_hangs() {
    let wire = Arc::new(Wire { hangs: true, ..Wire::default() });
    let otlp = start(&wire);
    let sink = otlp.sink();

    sink.ended(&Arc::new(failed_over()));
    pass(Duration::from_secs(3)).await;
    for _ in 0..QUEUE + 100 {
        sink.ended(&Arc::new(failed_over()));
    }

    let lost = otlp.queue.lost.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(lost, 100);
    let clock = SystemClock::start();
    otlp.stop().await;
    assert!(clock.now().since(crate::clock::Moment::START) < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn follows_the_callers_trace_and_its_wish_not_to_be_recorded() {
    let wire = Arc::new(Wire::default());
    let otlp = start(&wire);
    let parent = |sampled| Some(TraceParent { trace: 7, span: 9, sampled });

    otlp.sink().ended(&Arc::new(RequestRecord { parent: parent(false), ..failed_over() }));
    otlp.sink().ended(&Arc::new(RequestRecord { parent: parent(true), ..failed_over() }));
    otlp.sink().ended(&Arc::new(RequestRecord { id: RequestId(5), ..failed_over() }));
    otlp.stop().await;

    let spans = wire.spans();
    let traces: Vec<_> = spans.iter().map(|span| u128::from_be_bytes(span.trace_id[..].try_into().unwrap())).collect();
    assert_eq!(traces, [7, 7, 7, 5, 5, 5]);
    assert_eq!(spans[0].parent_span_id, 9_u64.to_be_bytes());
    assert!(spans[3].parent_span_id.is_empty());
    let mut ids: Vec<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "{spans:#?}");
}
