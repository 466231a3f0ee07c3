//! What the library adds to a healthy stream of the caller's own protocol: to its first event, and to a whole stream of a
//! thousand, against a bare client that reads the same bytes from the same server and counts them.
//!
//! To be held: 100 µs more to the first event. A request of the library's is decided by a strategy first, and its bytes are
//! read event by event; the bytes themselves are copied once, from what the socket brought into the splitter's buffer. Each
//! `Chunk::raw` is a slice of that buffer, as tests/tests/shared_bytes.rs shows. Comments, and the event behind them, are copied twice.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark without a server has nothing to measure")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use backstop::scripted::{Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest, Config, ProviderConfig};
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::StreamExt;
use reqwest::Client;
use tokio::runtime::Runtime;
use url::Url;

const EVENT: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":"#,
    r#"[{"index":0,"delta":{"content":" capital"},"finish_reason":null}]}"#,
    "\n\n"
);
const END: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":"#,
    r#"[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n"
);

/// How far an answer is read before the clock stops. What is left is read all the same: the connection is to be used again.
#[derive(Clone, Copy)]
enum Until {
    First,
    End,
}

fn streams(criterion: &mut Criterion) {
    // A runtime of its own for the server: what it does for one call is not to hold up the other side.
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = bare_client();
    for (events, until, name) in [(8, Until::First, "first event"), (1_000, Until::End, "1000 events")] {
        let body = EVENT.repeat(events) + END;
        let length = body.len();
        let script = Script::always(Reply::raw(200, "text/event-stream", body));
        let provider = server.block_on(ScriptedProvider::start(script)).unwrap();
        let backstop = backstop(&runtime, provider.base_url());
        let url: Url = format!("{}/chat/completions", provider.base_url()).parse().unwrap();
        criterion.bench_function(&format!("{name}, bare client"), |bencher| {
            bencher.to_async(&runtime).iter_custom(|calls| measure(calls, || count(&client, &url, length, until)));
        });
        criterion.bench_function(&format!("{name}, through the library"), |bencher| {
            bencher.to_async(&runtime).iter_custom(|calls| measure(calls, || pass_on(&backstop, events, until)));
        });
    }
}

/// The time of so many calls, one after another.
async fn measure<F: Future<Output = Duration>>(calls: u64, mut call: impl FnMut() -> F) -> Duration {
    let mut time = Duration::ZERO;
    for _ in 0..calls {
        time += call().await;
    }
    time
}

/// Counts the bytes of one answer.
async fn count(client: &Client, url: &Url, length: usize, until: Until) -> Duration {
    let begin = Instant::now();
    let body = r#"{"messages":[{"role":"user","content":"What is the capital of France?"}],"model":"m","stream":true}"#;
    let request = client.post(url.clone()).header("content-type", "application/json").body(body);
    let mut pieces = request.send().await.unwrap().bytes_stream();
    let mut counted = pieces.next().await.unwrap().unwrap().len();
    let to_first = begin.elapsed();
    while let Some(piece) = pieces.next().await {
        counted += black_box(piece.unwrap()).len();
    }
    assert_eq!(counted, length);
    until.of(to_first, begin.elapsed())
}

/// Takes one answer from the library, chunk by chunk.
async fn pass_on(backstop: &Backstop, events: usize, until: Until) -> Duration {
    let begin = Instant::now();
    let mut request = ChatRequest::ask("What is the capital of France?");
    request.stream = true;
    let mut stream = backstop.stream(request).await.unwrap();
    let mut counted = usize::from(!black_box(stream.next().await.unwrap().unwrap()).text.is_empty());
    let to_first = begin.elapsed();
    while let Some(chunk) = stream.next().await {
        counted += usize::from(!black_box(chunk.unwrap()).text.is_empty());
    }
    assert_eq!(counted, events);
    until.of(to_first, begin.elapsed())
}

impl Until {
    fn of(self, to_first: Duration, to_end: Duration) -> Duration {
        match self {
            Self::First => to_first,
            Self::End => to_end,
        }
    }
}

fn bare_client() -> Client {
    // Fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tcp_nodelay(true).build().unwrap()
}

fn backstop(runtime: &Runtime, url: Url) -> Backstop {
    let mut config = Config::new();
    config.providers.insert("p".to_owned(), ProviderConfig::openai_compatible(url).with_model("m"));
    runtime.block_on(Backstop::builder().config(config).build()).unwrap()
}

criterion_group!(benches, streams);
criterion_main!(benches);
