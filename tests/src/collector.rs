//! A collector of OpenTelemetry's on a real socket: it keeps what it is sent, refuses it, or never answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::protobuf::Wire;

/// How it takes what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// 200.
    Accepts,
    /// 503.
    Refuses,
    /// It reads, and says nothing.
    Hangs,
}

/// A running collector. It ends when it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<CollectedMessage>>>,
    _serving: JoinSet<()>,
}

/// One message it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedMessage {
    /// `/v1/traces` or `/v1/metrics`.
    pub path: String,
    /// The whole head as text.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("an address");
        let messages = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let kept = Arc::clone(&messages);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, manner, Arc::clone(&kept)));
            }
        });
        Self { address, messages, _serving: serving }
    }

    /// Where it is: what `OTEL_EXPORTER_OTLP_ENDPOINT` takes.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was sent so far.
    #[must_use]
    pub fn messages(&self) -> Vec<CollectedMessage> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans it was sent.
    #[must_use]
    pub fn spans(&self) -> Vec<Wire> {
        let messages = self.messages();
        let traces = messages.iter().filter(|message| message.path == "/v1/traces");
        traces.flat_map(|message| Wire::parse(&message.body).all(&[1, 2, 2])).collect()
    }

    /// The metrics of the latest message about them.
    #[must_use]
    pub fn metrics(&self) -> Vec<Wire> {
        let messages = self.messages();
        let latest = messages.iter().rfind(|message| message.path == "/v1/metrics");
        latest.map(|message| Wire::parse(&message.body).all(&[1, 2, 2])).unwrap_or_default()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, kept: Arc<Mutex<Vec<CollectedMessage>>>) {
    let mut bytes = Vec::new();
    while let Some(message) = read(&mut stream, &mut bytes).await {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        let status = match manner {
            Manner::Accepts => "200 OK",
            Manner::Refuses => "503 Service Unavailable",
            Manner::Hangs => continue,
        };
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<CollectedMessage> {
    loop {
        if let Some(message) = take(bytes) {
            return Some(message);
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn take(bytes: &mut Vec<u8>) -> Option<CollectedMessage> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let whole = end + length.unwrap_or(0);
    if bytes.len() < whole {
        return None;
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let message = CollectedMessage { path, head, body: bytes[end..whole].to_vec() };
    bytes.drain(..whole);
    Some(message)
}
