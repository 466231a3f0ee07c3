//! What readers who stop reading take of memory, and that their providers are held up with them. In a process of its own, since
//! all of it is measured.

#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backstop::config::{Config, ProviderConfig, Timeouts};
use backstop::{AnswerStream, Backstop, ChatRequest};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Readers at a time.
const READERS: usize = 64;

/// The most that one of them may hold of memory.
const MOST_EACH: usize = 256 << 10;

/// Events in a whole stream, and the bytes that come with each word: 32 MiB of them, far beyond what kernels buffer.
const EVENTS: usize = 4_096;
const PADDING: usize = 8 << 10;

/// A provider that writes as fast as it is read, keeps nothing, and knows how much it has sent.
struct Pouring {
    url: Url,
    sent: Arc<AtomicUsize>,
}

impl Pouring {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        tokio::spawn(async move {
            let event: Arc<[u8]> = part(&event("word ", "null")).into();
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(pour(connection, Arc::clone(&event), Arc::clone(&counted)));
            }
        });
        Self { url, sent }
    }

    /// Ends when nothing more is taken of it, for a quarter of a second on end.
    async fn is_held_up(&self) -> usize {
        let (mut before, mut same) = (0, 0);
        while same < 25 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = self.sent.load(Ordering::SeqCst);
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
        before
    }
}

async fn pour(mut connection: TcpStream, event: Arc<[u8]>, sent: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        if connection.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    drop(request);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    if connection.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    for _ in 0..EVENTS {
        if connection.write_all(&event).await.is_err() {
            return;
        }
        sent.fetch_add(event.len(), Ordering::SeqCst);
    }
    let end = [part(&event_end()), b"0\r\n\r\n".to_vec()].concat();
    let _ = connection.write_all(&end).await;
}

fn event(text: &str, finish_reason: &str) -> String {
    let padding = "x".repeat(PADDING);
    let choice = format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{finish_reason}}}"#);
    format!("data: {{\"choices\":[{choice}],\"padding\":\"{padding}\"}}\n\n")
}

fn event_end() -> String {
    event("", "\"stop\"") + "data: [DONE]\n\n"
}

/// A part of a chunked body.
fn part(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

async fn asking(url: Url) -> Backstop {
    let mut config = Config::new();
    let minutes = Duration::from_secs(600);
    let timeouts = Timeouts { connect: minutes, first_token: Some(minutes), idle: minutes, total: minutes };
    config.providers.insert(
        "a".to_owned(),
        ProviderConfig::openai_compatible(url)
            .with_model("m")
            .with_key("TEST_KEY", "sk-test-0123456789")
            .with_timeouts(timeouts),
    );
    config.routes["default"].deadline = minutes;
    Backstop::builder().config(config).build().await.unwrap()
}

/// Opens a stream and reads so many chunks of it.
async fn begin(backstop: &Backstop, chunks: usize) -> AnswerStream {
    let mut stream = backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    for _ in 0..chunks {
        stream.next().await.unwrap().unwrap();
    }
    stream
}

/// The bytes of this process that are in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

// RELIABILITY 50
#[tokio::test]
async fn holds_at_most_256_kib_for_a_reader_who_stops_and_holds_the_provider_up() {
    let provider = Pouring::start().await;
    let backstop = asking(provider.url.clone()).await;
    drop(begin(&backstop, 1).await);
    provider.is_held_up().await;
    // Those who stop at once, and those who were fast until they stopped.
    for chunks in [1, 256] {
        let before = resident();

        let streams = join_all((0..READERS).map(|_| begin(&backstop, chunks))).await;
        let sent = provider.is_held_up().await;

        let each = resident().saturating_sub(before) / READERS;
        println!("{chunks} chunks read: {} KiB each, {} KiB sent", each >> 10, sent >> 10);
        assert!(each <= MOST_EACH, "{chunks} chunks read: {each} bytes each");
        assert!(sent < (READERS + 1) * EVENTS * PADDING, "the provider was not held up");
        let mut streams = streams.into_iter();
        let mut read_on = streams.next().unwrap();
        let mut text = 5 * chunks;
        while let Some(chunk) = read_on.next().await {
            text += chunk.unwrap().text.len();
        }
        assert_eq!(text, 5 * EVENTS, "nothing was lost meanwhile");
        assert_eq!(read_on.finish_reason.as_deref(), Some("stop"));
        drop(streams);
        provider.is_held_up().await;
    }
}
