//! What the host adds to a request: everything but HTTP, with a real guest and a transport that answers at once.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to say")]

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;

use backstop::config::{Config, ProviderConfig};
use backstop::http::{HeaderMap, HeaderValue};
use backstop::transport::{HttpCall, HttpReply, Transport, TransportError};
use backstop::{Backstop, ChatRequest};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};

/// Answers at once, the same each time.
struct Instant;

const BODY: &[u8] = br#"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Paris"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11}}"#;

impl Transport for Instant {
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        black_box(call);
        let headers =
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let body = Box::pin(futures_util::stream::iter([Ok(Bytes::from_static(BODY))]));
        Box::pin(std::future::ready(Ok(HttpReply { status: 200, headers, body })))
    }
}

fn travel(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut config = Config::new();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let url = format!("http://{name}.invalid/v1").parse().unwrap();
        config.providers.insert(name.to_owned(), ProviderConfig::openai_compatible(url).with_model("m"));
    }
    let backstop = Backstop::builder().config(config).transport(Arc::new(Instant)).build();
    let backstop = runtime.block_on(backstop).unwrap();
    criterion.bench_function("a request through the loop, 8 targets", |bencher| {
        bencher.to_async(&runtime).iter(|| backstop.chat(ChatRequest::ask("What is the capital of France?")));
    });
}

criterion_group!(benches, travel);
criterion_main!(benches);
