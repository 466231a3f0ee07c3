//! A provider that writes as fast as it is read, keeps nothing, and knows how much it has sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Events in a whole stream, and the bytes that come with each word: 32 MiB of them, far beyond what kernels buffer.
pub const EVENTS: usize = 4_096;
/// See [`EVENTS`].
pub const PADDING: usize = 8 << 10;

/// A running provider.
#[derive(Debug)]
pub struct Pouring {
    /// Where its API begins.
    pub url: Url,
    sent: Arc<AtomicUsize>,
}

impl Pouring {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let url = format!("http://{address}/v1").parse().expect("an address");
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

    /// What it has sent in all, in bytes of events.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// Ends when nothing more is taken of it, for a quarter of a second on end; what it has sent until then.
    pub async fn is_held_up(&self) -> usize {
        let (mut before, mut same) = (0, 0);
        while same < 25 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = self.sent();
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
