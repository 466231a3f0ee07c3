//! A server on loopback that replies to each exchange's address with what was recorded.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::exchange::{Api, Exchange};

/// The lengths of the pieces a stream comes in, over and over: within a letter, within a line, over several events.
const PIECES: [usize; 5] = [1, 17, 300, 5, 4_096];

/// What belongs to one connection, or to the length on the wire, is the server's own.
const NOT_REPLAYED: [&str; 5] = ["connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"];

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Begins to serve exchanges.
    pub(super) async fn start(exchanges: &[Arc<Exchange>]) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let by_id: HashMap<String, Arc<Exchange>> =
            exchanges.iter().map(|exchange| (exchange.id.clone(), Arc::clone(exchange))).collect();
        let by_id = Arc::new(by_id);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let by_id = Arc::clone(&by_id);
                tokio::spawn(async move {
                    // Whoever goes away early has heard enough.
                    let _ = serve(stream, &by_id).await;
                });
            }
        });
        Ok(Self { address, task })
    }

    /// Where an exchange's provider is found.
    pub(super) fn base_url(&self, exchange: &Exchange) -> String {
        let version = if exchange.api() == Api::OpenAi || exchange.api() == Api::Other { "/v1" } else { "" };
        format!("http://{}/{}{version}", self.address, exchange.id)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, by_id: &HashMap<String, Arc<Exchange>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let path = read_request(&mut stream).await?;
    let id = path.split('/').nth(1).unwrap_or_default();
    match by_id.get(id) {
        Some(exchange) => reply(stream.get_mut(), exchange).await?,
        None => stream.write_all(b"HTTP/1.1 418 \r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await?,
    }
    stream.flush().await?;
    stream.get_mut().shutdown().await
}

/// Reads a request to its end, and returns its path.
async fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    tokio::io::copy(&mut stream.take(length), &mut tokio::io::sink()).await?;
    Ok(first.split(' ').nth(1).unwrap_or_default().to_owned())
}

async fn reply(stream: &mut TcpStream, exchange: &Exchange) -> io::Result<()> {
    let body = exchange.response.body.as_bytes();
    let is_stream = exchange.stream && exchange.is_success();
    let mut head = format!("HTTP/1.1 {} \r\nconnection: close\r\n", exchange.status());
    for (name, value) in &exchange.response.headers {
        let value = value.as_str().unwrap_or_default();
        if !NOT_REPLAYED.contains(&name.as_str()) && !value.contains(['\r', '\n']) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if !is_stream {
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).await?;
        return stream.write_all(body).await;
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut rest = body;
    for length in PIECES.into_iter().cycle() {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        if piece.is_empty() {
            break;
        }
        stream.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await?;
        rest = after;
    }
    stream.write_all(b"0\r\n\r\n").await
}
