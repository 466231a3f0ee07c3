//! How long a stream may be silent, and how long it may last, to the second on a paused clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backstop::config::{Config, OnInterrupt, ProviderConfig, Timeouts};
use backstop::http::{HeaderMap, HeaderValue};
use backstop::transport::{HttpCall, HttpReply, Transport, TransportError};
use backstop::{Backstop, ChatRequest, FailureKind};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// A provider that sends one token at once, and then this again and again.
struct Then {
    again: &'static str,
    every: Duration,
}

const TOKEN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n";

impl Transport for Then {
    fn send(&self, _: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        let (again, every) = (self.again, self.every);
        let rest = stream::repeat(()).then(move |()| async move {
            sleep(every).await;
            Ok(Bytes::from_static(again.as_bytes()))
        });
        let first = stream::iter([Ok(Bytes::from_static(TOKEN.as_bytes()))]);
        let headers = [("content-type", "text/event-stream")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let headers = HeaderMap::from_iter(headers);
        Box::pin(async move { Ok(HttpReply { status: 200, headers, body: Box::pin(first.chain(rest)) }) })
    }
}

/// Reads a stream to its end: the words, the failure, and when it came.
async fn read(provider: Then, change: impl FnOnce(&mut Config)) -> (usize, FailureKind, Duration) {
    let url = "http://a.invalid/v1".parse().unwrap();
    let mut config = Config::new();
    config.providers.insert("a".to_owned(), ProviderConfig::openai_compatible(url).with_model("m"));
    config.routes["default"].on_interrupt = OnInterrupt::Fail;
    config.routes["default"].deadline = 3_600 * SECOND;
    change(&mut config);
    let backstop = Backstop::builder().config(config).transport(Arc::new(provider)).build().await.unwrap();
    let began = Instant::now();
    let mut stream = backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    let mut words = 0;
    loop {
        match stream.next().await.expect("a cut stream ends with its cause") {
            Ok(chunk) => words += chunk.text.split_whitespace().count(),
            Err(error) => return (words, error.failure.kind, began.elapsed()),
        }
    }
}

fn is_about(time: Duration, expected: Duration) -> bool {
    time + SECOND / 2 >= expected && time <= expected + SECOND / 2
}

// RELIABILITY 49
#[tokio::test(start_paused = true)]
async fn gives_a_silent_stream_up_at_the_idle_limit_and_comments_do_not_change_that() {
    let idle = Timeouts::default().idle;
    assert_eq!(idle, 15 * SECOND);
    for again in [": keep-alive\n\n", "\n\n", ":\n", "event: ping\n\n"] {
        for every in [SECOND / 10, SECOND, 14 * SECOND, 10_000 * SECOND] {
            let (words, kind, took) = read(Then { again, every }, |_| {}).await;

            assert_eq!((words, kind), (1, FailureKind::Timeout), "{again:?} {every:?}");
            assert!(is_about(took, idle), "{again:?} {every:?}: {took:?}");
        }
    }
}

// RELIABILITY 50
#[tokio::test(start_paused = true)]
async fn ends_a_stream_that_goes_on_and_on_at_the_total_limit() {
    let (words, kind, took) = read(Then { again: TOKEN, every: SECOND }, |config| {
        config.providers["a"].timeouts.total = 90 * SECOND;
    })
    .await;

    assert_eq!(kind, FailureKind::Timeout);
    assert!(is_about(took, 90 * SECOND), "{took:?}");
    assert!((89..=91).contains(&words), "{words}");
}

#[tokio::test(start_paused = true)]
async fn ends_a_stream_at_the_deadline_of_its_request() {
    let (_, kind, took) = read(Then { again: TOKEN, every: SECOND }, |config| {
        config.routes["default"].deadline = 30 * SECOND;
    })
    .await;

    assert_eq!(kind, FailureKind::Timeout);
    assert!(is_about(took, 30 * SECOND), "{took:?}");
}
