//! The transport that is the network: hyper, with everything switched off that acts on its own account.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::http::header::{ACCEPT, USER_AGENT};
use ::http::{HeaderMap, HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::sync::OnceCell;
use url::Url;

use super::call::{HttpCall, HttpReply, Transport};
use super::connector::Connector;
use super::{TransportError, error, tls};

/// Idle connections are closed before the other side (nginx: 75 s) closes them under a request.
const IDLE: Duration = Duration::from_secs(50);

/// The most of a reply that is read ahead of its reader over HTTP/1.1, and the longest head. hyper's own choice, 400 KiB, is
/// what every reader who stops would hold.
const MOST_AHEAD: usize = 32 << 10;

/// The same over HTTP/2, where the other side is told. At a distance of 200 ms it still lets half a megabyte pass in a second.
const STREAM_WINDOW: u32 = 128 << 10;

/// The same for all streams of a connection together: so many that stopped readers do not stop the others.
const CONNECTION_WINDOW: u32 = 256 * STREAM_WINDOW;

/// How we call ourselves.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("backstop/", env!("CARGO_PKG_VERSION")));

/// Sends calls over HTTP/1.1 and HTTP/2 and keeps connections for the next.
///
/// It follows no redirect, retries nothing, asks no proxy of the environment and keeps no cookie: a key goes where the
/// operator said and nowhere else.
#[derive(Debug, Default)]
pub struct HttpTransport {
    clients: Mutex<HashMap<ClientKey, Client<Connector, Full<Bytes>>>>,
    /// Root certificates are read when the first `https` call is made: a program that only asks local servers never does.
    secure: OnceCell<ClientConfig>,
}

/// What a client is fixed to when it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClientKey {
    secure: bool,
    connect_timeout: Duration,
}

impl HttpTransport {
    /// A transport without a connection yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A transport that secures connections this way.
    #[cfg(test)]
    pub(super) fn secured_by(config: ClientConfig) -> Self {
        Self { clients: Mutex::default(), secure: OnceCell::new_with(Some(config)) }
    }

    /// Asks for something without sending anything but headers: not for providers.
    ///
    /// # Errors
    /// When nobody answers at the address.
    pub async fn get(
        &self,
        url: Url,
        headers: HeaderMap,
        connect_timeout: Duration,
    ) -> Result<HttpReply, TransportError> {
        let body = Bytes::new();
        self.ask(Method::GET, HttpCall { provider: "".into(), url, headers, body, connect_timeout }).await
    }

    /// Sends a request of any method: for whoever stands below a permit, and for registries.
    ///
    /// # Errors
    /// When nobody answers at the address.
    pub(crate) async fn ask(&self, method: Method, call: HttpCall) -> Result<HttpReply, TransportError> {
        let client = self.client(&call).await?;
        let HttpCall { url, headers, body, .. } = call;
        let uri = url.as_str().parse::<Uri>();
        let uri = uri.map_err(|error| TransportError::Connect { place: error::place(&url), why: error.to_string() })?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
        let reply = client.request(request).await.map_err(|error| TransportError::before_reply(&url, &error))?;
        let (head, body) = reply.into_parts();
        let pieces = body.into_data_stream();
        let body = pieces.map(move |piece| piece.map_err(|error| TransportError::within_reply(&url, &error)));
        Ok(HttpReply { status: head.status.as_u16(), headers: head.headers, body: Box::pin(body) })
    }

    async fn client(&self, call: &HttpCall) -> Result<Client<Connector, Full<Bytes>>, TransportError> {
        let key = ClientKey { secure: call.url.scheme() == "https", connect_timeout: call.connect_timeout };
        if let Some(client) = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(client.clone());
        }
        let untrusted = |why: String| TransportError::Tls { place: error::place(&call.url), why };
        let config = if key.secure {
            self.secure.get_or_try_init(read_roots).await.map_err(untrusted)?.clone()
        } else {
            tls::trusting_nobody().map_err(|error| untrusted(error.to_string()))?
        };
        let client = build(key, config);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(clients.entry(key).or_insert(client).clone())
    }
}

impl Transport for HttpTransport {
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        Box::pin(self.ask(Method::POST, call))
    }
}

/// Reads the system's root certificates where that holds up no other request.
async fn read_roots() -> Result<ClientConfig, String> {
    match tokio::task::spawn_blocking(tls::trusting_the_system).await {
        Ok(config) => {
            config.map_err(|error| format!("{error}: install the system's root certificates (ca-certificates)"))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn build(key: ClientKey, config: ClientConfig) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .http1_max_buf_size(MOST_AHEAD)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .build(Connector::new(config, key.connect_timeout))
}

#[cfg(test)]
mod tests {
    use ::http::header;

    use super::super::collect;
    use super::super::scripted::{Act, Scripted};
    use super::*;
    use crate::types::FailureKind;

    fn call(url: &str) -> HttpCall {
        HttpCall {
            provider: "p".into(),
            url: Url::parse(url).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{\"a\":1}"),
            connect_timeout: Duration::from_secs(5),
        }
    }

    async fn body_of(act: Act) -> Result<Bytes, TransportError> {
        let server = Scripted::start(act).await;
        let reply = HttpTransport::new().send(call(&server.url())).await?;
        collect(reply.body, 1 << 20).await
    }

    #[tokio::test]
    async fn sends_one_request_and_reads_the_reply() {
        let server = Scripted::start(Act::Reply("HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nhi")).await;

        let reply = HttpTransport::new().send(call(&server.url())).await.unwrap();

        assert_eq!((reply.status, reply.headers["x-a"].to_str().unwrap()), (200, "b"));
        assert_eq!(collect(reply.body, 10).await.unwrap(), "hi");
        let sent = server.request(0);
        assert!(sent.starts_with("POST /v1 HTTP/1.1\r\n") && sent.ends_with("{\"a\":1}"), "{sent}");
        assert!(!sent.contains("referer") && !sent.contains("cookie") && !sent.contains("accept-encoding"), "{sent}");
    }

    #[tokio::test]
    async fn says_who_refused() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

        let error = HttpTransport::new().send(call(&format!("http://{free}/v1?key=secret"))).await.unwrap_err();

        assert_eq!(error.to_string(), format!("could not connect to {free}: connection refused"));
        assert_eq!(error.failure().kind, FailureKind::Connection);
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_no_connection() {
        let error = HttpTransport::new().send(call("http://nowhere.invalid/")).await.unwrap_err();

        assert!(error.to_string().starts_with("could not connect to nowhere.invalid:80: "), "{error}");
    }

    #[tokio::test]
    async fn a_reset_before_the_head_is_no_reply() {
        for act in
            [Act::Reset, Act::Reply(""), Act::Reply("HTTP/1.1 200 OK\r\ncontent-"), Act::Reply("SSH-2.0\r\n\r\n")]
        {
            let server = Scripted::start(act).await;

            let error = HttpTransport::new().send(call(&server.url())).await.unwrap_err();

            assert!(matches!(error, TransportError::NoReply { .. }), "{error:?}");
            assert_eq!(error.failure().kind, FailureKind::Connection);
            assert_eq!(server.connections(), 1, "no hidden retry after {act:?}");
        }
    }

    #[tokio::test]
    async fn follows_no_redirect() {
        let elsewhere = Scripted::start(Act::Reply("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
        for status in [301, 302, 303, 307, 308] {
            let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
            let server = Scripted::start(Act::Reply(head.leak())).await;

            let reply = HttpTransport::new().send(call(&server.url())).await.unwrap();

            assert_eq!(reply.status, status);
            assert_eq!(reply.headers[header::LOCATION], elsewhere.url());
        }
        assert_eq!(elsewhere.connections(), 0);
    }

    #[tokio::test]
    async fn a_body_cut_short_is_an_error_and_no_end() {
        for reply in [
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nhel",
        ] {
            let error = body_of(Act::Reply(reply)).await.unwrap_err();

            assert!(matches!(error, TransportError::BrokenOff { .. }), "{reply}: {error:?}");
            assert_eq!(error.failure().kind, FailureKind::Interrupted);
        }
    }

    #[tokio::test]
    async fn a_body_beyond_its_length_is_cut_off() {
        let reply = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi there";

        assert_eq!(body_of(Act::Reply(reply)).await.unwrap(), "hi");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_not_trusted() {
        let server = Scripted::start(Act::Greet("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
        let url = server.url().replace("http:", "https:");

        let error = HttpTransport::new().send(call(&url)).await.unwrap_err();

        assert!(matches!(error, TransportError::Tls { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn gives_up_a_connection_that_does_not_open_in_time() {
        // It listens, but never answers the greeting of TLS.
        let server = Scripted::start(Act::Greet("")).await;
        let mut call = call(&server.url().replace("http:", "https:"));
        call.connect_timeout = Duration::from_millis(30);

        let error = HttpTransport::new().send(call).await.unwrap_err();

        assert!(matches!(error, TransportError::ConnectTimeout { .. }), "{error:?}");
        assert_eq!(error.failure().kind, FailureKind::Timeout);
    }

    #[tokio::test]
    async fn reads_no_certificates_for_plain_http() {
        let transport = HttpTransport::new();

        transport.client(&call("http://127.0.0.1:9/")).await.unwrap();

        assert!(!transport.secure.initialized());
        transport.client(&call("https://127.0.0.1:9/")).await.unwrap();
        assert!(transport.secure.initialized());
    }

    #[tokio::test]
    async fn shares_clients_of_equal_limits() {
        let transport = HttpTransport::new();
        let mut slow = call("http://127.0.0.1:9/");
        slow.connect_timeout = Duration::from_secs(9);

        for call in [call("http://127.0.0.1:9/"), call("http://127.0.0.2:9/"), slow] {
            transport.client(&call).await.unwrap();
        }

        assert_eq!(transport.clients.lock().unwrap().len(), 2);
    }
}
