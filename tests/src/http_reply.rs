//! HTTP by hand: bytes out, and what came back. A real client would mend what a test wants broken.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A reply, or as much of it as came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status; 0 where the connection was closed without a reply.
    pub status: u16,
    /// The headers as they came, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without the marks of its chunks.
    pub body: Vec<u8>,
    /// Whether the body came to its proper end.
    pub is_whole: bool,
}

/// How long a reply is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that posts JSON to `/v1/chat/completions`.
#[must_use]
pub fn post(body: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends bytes and returns the reply to them, as far as it comes.
///
/// # Panics
/// Where the address cannot be reached, or nothing happens for too long.
pub async fn exchange(address: SocketAddr, sent: &[u8]) -> HttpReply {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    // Who refuses a request need not read it to its end.
    let _ = stream.write_all(sent).await;
    timeout(PATIENCE, HttpReply::read(&mut stream)).await.expect("a reply or an end")
}

impl HttpReply {
    /// Reads one reply.
    pub async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let reply = Self::parse(&bytes);
            if reply.is_whole {
                return reply;
            }
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return reply,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(theirs, _)| theirs == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON: {error}: {}", self.text()))
    }

    /// Headers that say how the reply came about, without the request's name and without time.
    #[must_use]
    pub fn origin(&self) -> String {
        let ours = self.headers.iter().filter(|(name, _)| name.starts_with("x-backstop-"));
        let lines =
            ours.filter(|(name, _)| name != "x-backstop-request-id").map(|(name, text)| format!("{name}: {text}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut reply = Self { status: 0, headers: Vec::new(), body: Vec::new(), is_whole: false };
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return reply };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        reply.status = status.unwrap_or(0);
        let headers = lines.filter_map(|line| line.split_once(": "));
        reply.headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let rest = &bytes[end + 4..];
        if reply.header("transfer-encoding") == Some("chunked") {
            (reply.body, reply.is_whole) = unchunked(rest);
        } else {
            let length = reply.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            reply.is_whole = rest.len() >= length || reply.status == 204;
            reply.body = rest[..rest.len().min(length)].to_vec();
        }
        reply
    }
}

fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("a chunk's size");
        let chunk = &rest[end + 2..];
        if size == 0 {
            return (body, chunk.starts_with(b"\r\n"));
        }
        if chunk.len() < size + 2 {
            body.extend_from_slice(&chunk[..chunk.len().min(size)]);
            break;
        }
        body.extend_from_slice(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    (body, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_chunks_and_notices_a_missing_end() {
        let whole =
            HttpReply::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        let cut = HttpReply::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\nc");

        assert_eq!((whole.text().as_str(), whole.is_whole), ("abc", true));
        assert_eq!((cut.text().as_str(), cut.is_whole), ("abc", false));
    }
}
