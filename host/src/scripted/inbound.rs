//! Reads requests off a connection: as much of HTTP/1.1 as clients send.

use std::io;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest head that is read.
pub(super) const LONGEST_HEAD: usize = 64 << 10;

/// The longest body that is read.
pub(super) const LONGEST_BODY: usize = 32 << 20;

/// A request as it was read.
#[derive(Debug)]
pub(super) struct InboundRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) keeps_alive: bool,
}

/// Why no request was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadRequestError {
    #[error("the connection ended")]
    Gone,
    #[error("the request is longer than {LONGEST_HEAD} bytes of head and {LONGEST_BODY} bytes of body")]
    TooLong,
    #[error("not a request of HTTP/1: {0}")]
    Malformed(&'static str),
}

impl From<io::Error> for ReadRequestError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// A connection's bytes that were read and not yet used.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    buffer: BytesMut,
}

impl Inbound {
    /// Reads the next request. `writer` is told to go on where the caller expects it.
    pub(super) async fn request(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Result<InboundRequest, ReadRequestError> {
        let head = self.until(reader, b"\r\n\r\n", LONGEST_HEAD).await?;
        let mut request = parse_head(&head)?;
        let is = |name: &str, wanted: &str| {
            request.headers.get(name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
        };
        if is("expect", "100-continue") {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = if is("transfer-encoding", "chunked") {
            self.chunks(reader).await?
        } else {
            self.exactly(reader, content_length(&request.headers)?).await?
        };
        Ok(request)
    }

    /// Ends when the caller leaves. Bytes that come meanwhile are kept for the next request, up to the longest head.
    pub(super) async fn departure(&mut self, reader: &mut (impl AsyncRead + Unpin)) {
        while self.buffer.len() < LONGEST_HEAD {
            if self.fill(reader).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    async fn fill(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> Result<(), ReadRequestError> {
        match reader.read_buf(&mut self.buffer).await? {
            0 => Err(ReadRequestError::Gone),
            _ => Ok(()),
        }
    }

    /// Takes the bytes up to and with the mark.
    async fn until(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        mark: &[u8],
        longest: usize,
    ) -> Result<Bytes, ReadRequestError> {
        loop {
            if let Some(place) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(self.buffer.split_to(place + mark.len()).freeze());
            }
            if self.buffer.len() > longest {
                return Err(ReadRequestError::TooLong);
            }
            self.fill(reader).await?;
        }
    }

    async fn exactly(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        length: usize,
    ) -> Result<Bytes, ReadRequestError> {
        if length > LONGEST_BODY {
            return Err(ReadRequestError::TooLong);
        }
        while self.buffer.len() < length {
            self.fill(reader).await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn chunks(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> Result<Bytes, ReadRequestError> {
        let mut body = BytesMut::new();
        loop {
            let line = self.until(reader, b"\r\n", LONGEST_HEAD).await?;
            let size = std::str::from_utf8(&line).ok().and_then(|line| line.split([';', '\r']).next());
            let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
            let size = size.ok_or(ReadRequestError::Malformed("the size of a chunk is not a number"))?;
            if size > LONGEST_BODY.saturating_sub(body.len()) {
                return Err(ReadRequestError::TooLong);
            }
            if size == 0 {
                while self.until(reader, b"\r\n", LONGEST_HEAD).await?.len() > 2 {}
                return Ok(body.freeze());
            }
            body.extend_from_slice(&self.exactly(reader, size).await?);
            self.exactly(reader, 2).await?;
        }
    }
}

fn parse_head(head: &[u8]) -> Result<InboundRequest, ReadRequestError> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(ReadRequestError::Malformed("the first line has not three words"));
    };
    if !version.starts_with("HTTP/1.") {
        return Err(ReadRequestError::Malformed("the version is not HTTP/1"));
    }
    let headers: HeaderMap = lines.filter_map(parse_header).collect();
    let says_close = headers.get("connection").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    Ok(InboundRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: Bytes::new(),
        keeps_alive: version == "HTTP/1.1" && !says_close,
    })
}

fn parse_header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
}

fn content_length(headers: &HeaderMap) -> Result<usize, ReadRequestError> {
    let Some(value) = headers.get("content-length") else { return Ok(0) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.ok_or(ReadRequestError::Malformed("content-length is not a number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(bytes: &[u8]) -> Result<InboundRequest, ReadRequestError> {
        Inbound::default().request(&mut &*bytes, &mut Vec::new()).await
    }

    #[tokio::test]
    async fn reads_a_request_with_a_length() {
        let request = read(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET").await.unwrap();

        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/x"));
        assert_eq!(request.body, "{}");
        assert!(request.keeps_alive);
    }

    #[tokio::test]
    async fn reads_a_request_in_chunks() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let request =
            read(format!("{head}3;x=y\r\nabc\r\n2\r\nde\r\n0\r\ntrailer: x\r\n\r\n").as_bytes()).await.unwrap();

        assert_eq!(request.body, "abcde");
    }

    #[tokio::test]
    async fn reads_two_requests_that_came_at_once() {
        let mut bytes: &[u8] = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\n\r\n";
        let mut inbound = Inbound::default();

        let first = inbound.request(&mut bytes, &mut Vec::new()).await.unwrap();
        let second = inbound.request(&mut bytes, &mut Vec::new()).await.unwrap();

        assert_eq!((first.path.as_str(), first.keeps_alive), ("/a", true));
        assert_eq!((second.path.as_str(), second.keeps_alive), ("/b", false));
    }

    #[tokio::test]
    async fn tells_a_caller_that_waits_for_it_to_go_on() {
        let mut bytes: &[u8] = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx";
        let mut told = Vec::new();

        Inbound::default().request(&mut bytes, &mut told).await.unwrap();

        assert_eq!(told, b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[tokio::test]
    async fn refuses_what_is_too_long() {
        let long_head = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(2 * LONGEST_HEAD));
        let long_body = "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n";
        let long_chunk = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n";

        for request in [long_head.as_str(), long_body, long_chunk] {
            assert!(matches!(read(request.as_bytes()).await, Err(ReadRequestError::TooLong)));
        }
    }

    proptest! {
        #[test]
        fn survives_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), in_head in any::<bool>()) {
            let mut request = if in_head { Vec::new() } else { b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec() };
            request.extend(bytes);

            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read(&request));
        }
    }
}
