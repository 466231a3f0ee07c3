//! Opens connections, secured where the address asks for it, within the time allowed.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::net::TcpStream;
use tower_service::Service;

/// Opens connections; it asks no proxy of the environment.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    within: Duration,
}

/// The connection was not open in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the connection was not open in time")]
pub(super) struct TooLate;

type BoxError = Box<dyn StdError + Send + Sync>;

impl Connector {
    /// Secures connections this way, and gives up those that are not open after so long, name and handshake included.
    pub(super) fn new(config: ClientConfig, within: Duration) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        Self { inner: HttpsConnector::from((http, config)), within }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let opened = tokio::time::timeout(self.within, self.inner.call(uri));
        Box::pin(async move {
            match opened.await {
                Ok(opened) => opened,
                Err(_) => Err(TooLate.into()),
            }
        })
    }
}
