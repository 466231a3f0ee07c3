//! One HTTP call and what comes back: the seam at which a caller, or a test, may bring a transport of its own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use url::Url;

use super::TransportError;

/// Sends calls. It neither retries nor follows redirects nor decides anything: one call is one request on the wire.
pub trait Transport: Send + Sync {
    /// Sends a call and waits for the head of the reply. Dropping the future, or the body, gives the call up.
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>>;
}

/// One POST request.
#[derive(Clone)]
pub struct HttpCall {
    /// Which provider it goes to, for logs and for transports that are no network.
    pub provider: Arc<str>,
    /// Where it goes.
    pub url: Url,
    /// Its headers; those that hold keys are marked sensitive.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
}

/// The head of a reply, and its body as it comes.
pub struct HttpReply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: ByteStream,
}

/// A body as it comes, in pieces of any size.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Reads a body to its end, at most `limit` bytes of it.
///
/// # Errors
/// When the connection breaks before the end, or the body is longer.
pub async fn collect(mut body: ByteStream, limit: usize) -> Result<Bytes, TransportError> {
    let Some(first) = body.next().await.transpose()? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(TransportError::TooLarge { limit });
    }
    let Some(second) = body.next().await.transpose()? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(piece) = next {
        if whole.len() + piece.len() > limit {
            return Err(TransportError::TooLarge { limit });
        }
        whole.extend_from_slice(&piece);
        next = body.next().await.transpose()?;
    }
    Ok(whole.freeze())
}

impl fmt::Debug for HttpCall {
    /// Without the body, which holds the prompt, and without the query, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        f.debug_struct("HttpCall")
            .field("provider", &self.provider)
            .field("url", &url.as_str())
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

impl fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;
    use futures_util::stream;

    use super::*;

    fn body(pieces: &'static [&'static str]) -> ByteStream {
        Box::pin(stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes())))))
    }

    #[tokio::test]
    async fn collects_no_more_than_the_limit() {
        assert_eq!(collect(body(&[]), 3).await.unwrap(), "");
        assert_eq!(collect(body(&["abc"]), 3).await.unwrap(), "abc");
        assert_eq!(collect(body(&["a", "b", "c"]), 3).await.unwrap(), "abc");
        for pieces in [&["abcd"][..], &["ab", "cd"], &["a", "b", "c", "d"]] {
            assert!(matches!(collect(body(pieces), 3).await, Err(TransportError::TooLarge { limit: 3 })));
        }
    }

    #[test]
    fn shows_neither_key_nor_prompt() {
        let mut key = HeaderValue::from_static("Bearer canary");
        key.set_sensitive(true);
        let call = HttpCall {
            provider: "p".into(),
            url: Url::parse("http://127.0.0.1:9/v1?key=canary").unwrap(),
            headers: HeaderMap::from_iter([(::http::header::AUTHORIZATION, key)]),
            body: Bytes::from_static(b"canary"),
            connect_timeout: Duration::from_secs(1),
        };

        let shown = format!("{call:?}");

        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("Sensitive") && shown.contains("http://127.0.0.1:9/v1"), "{shown}");
    }
}
