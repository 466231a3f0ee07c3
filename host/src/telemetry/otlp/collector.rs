//! The collector: where it is, and one message sent to it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use secrecy::ExposeSecret;
use thiserror::Error;
use url::Url;

use crate::clock::Clock;
use crate::config::TelemetryConfig;
use crate::transport::{HttpCall, Transport, TransportError, collect};

/// How long a message may take, its answer included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read at most; nothing of it is used.
const ANSWER: usize = 64 << 10;

/// Somebody who collects traces and metrics.
pub(super) struct Collector {
    traces: Url,
    metrics: Url,
    headers: HeaderMap,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
}

/// What a message is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

/// Why a message has not arrived.
#[derive(Debug, Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("it answered {0}")]
    Refused(u16),
    #[error("it has not answered within {PATIENCE:?}")]
    Silent,
}

impl Collector {
    /// The collector of a configuration; `None` where it has none.
    pub(super) fn new(config: &TelemetryConfig, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Option<Self> {
        let endpoint = config.otlp_endpoint.as_ref()?;
        let below = |path: &str| {
            let mut url = endpoint.clone();
            url.set_path(&format!("{}/{path}", endpoint.path().trim_end_matches('/')));
            url
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        for (name, secret) in &config.otlp_headers {
            // They were checked when they were read.
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(secret.expose_secret())) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Some(Self { traces: below("v1/traces"), metrics: below("v1/metrics"), headers, transport, clock })
    }

    /// Sends a message, and waits for the answer.
    pub(super) async fn send(&self, signal: Signal, message: &impl Message) -> Result<(), SendError> {
        let url = match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
        };
        let call = HttpCall {
            provider: "otlp".into(),
            url: url.clone(),
            headers: self.headers.clone(),
            body: Bytes::from(message.encode_to_vec()),
            connect_timeout: PATIENCE,
        };
        let late = self.clock.sleep_until(self.clock.now() + PATIENCE);
        tokio::select! {
            sent = self.exchange(call) => sent,
            () = late => Err(SendError::Silent),
        }
    }

    async fn exchange(&self, call: HttpCall) -> Result<(), SendError> {
        let reply = self.transport.send(call).await?;
        if !(200..300).contains(&reply.status) {
            return Err(SendError::Refused(reply.status));
        }
        // Read to its end, so that the connection serves the next message.
        collect(reply.body, ANSWER).await?;
        Ok(())
    }
}
