//! A gateway that runs somewhere, asked through its admin API.

use std::time::Duration;

use backstop::config::{Config, Sources};
use backstop::http::HeaderMap;
use backstop::http::header::AUTHORIZATION;
use backstop::transport::{HttpCall, HttpReply, HttpTransport, Transport, TransportError, collect};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;
use url::Url;

/// How long a connection may take: it is mostly this machine.
const CONNECT: Duration = Duration::from_secs(2);

/// The largest answer.
const LARGEST: usize = 32 << 20;

/// A gateway.
pub(crate) struct Remote {
    transport: HttpTransport,
    base: Url,
    key: Option<SecretString>,
}

/// Why a gateway does not tell what it was asked for.
#[derive(Debug, Error)]
pub(crate) enum RemoteError {
    #[error("no gateway answers at {url}: {source}")]
    Absent { url: String, source: Box<TransportError> },
    #[error("{url} is no address of a gateway; such as http://127.0.0.1:7878 would be one")]
    NoAddress { url: String },
    #[error("the gateway at {url} says: {message}{mend}")]
    Refused { url: String, status: u16, message: String, mend: &'static str },
    #[error("what answers at {url} is no gateway of Backstop's")]
    Foreign { url: String },
}

impl RemoteError {
    /// Whether nothing is there at all.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

impl Remote {
    /// The gateway named, else the one that listens where the configuration says.
    pub(crate) fn of(named: Option<Url>, config: &Config, sources: &Sources) -> Option<Self> {
        let base = named.or_else(|| Url::parse(&format!("http://{}", config.gateway.listen)).ok())?;
        Some(Self { transport: HttpTransport::new(), base, key: sources.admin_key() })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &Url {
        &self.base
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When nobody answers, or the answer is a refusal.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RemoteError> {
        let (url, headers) = (self.at(path)?, self.headers()?);
        let reply = self.transport.get(url, headers, CONNECT).await;
        self.read(reply.map_err(|source| self.absent(source))?).await
    }

    /// Has something done.
    ///
    /// # Errors
    /// When nobody answers, or the answer is a refusal.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, RemoteError> {
        let mut headers = self.headers()?;
        headers.insert("content-type", backstop::http::HeaderValue::from_static("application/json"));
        let body = Bytes::from(body.to_string());
        let call =
            HttpCall { provider: "gateway".into(), url: self.at(path)?, headers, body, connect_timeout: CONNECT };
        let reply = self.transport.send(call).await;
        self.read(reply.map_err(|source| self.absent(source))?).await
    }

    async fn read<T: DeserializeOwned>(&self, reply: HttpReply) -> Result<T, RemoteError> {
        let status = reply.status;
        let body = collect(reply.body, LARGEST).await.map_err(|source| self.absent(source))?;
        if status == 200 {
            return serde_json::from_slice(&body).map_err(|_| RemoteError::Foreign { url: self.base.to_string() });
        }
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let Some(message) = said.pointer("/error/message").and_then(Value::as_str) else {
            return Err(RemoteError::Foreign { url: self.base.to_string() });
        };
        let mend = match status {
            401 | 403 => "; set BACKSTOP_ADMIN_KEY to a key made with `backstop keys create NAME --admin`",
            _ => "",
        };
        Err(RemoteError::Refused { url: self.base.to_string(), status, message: message.to_owned(), mend })
    }

    fn at(&self, path: &str) -> Result<Url, RemoteError> {
        self.base.join(path).map_err(|_| RemoteError::NoAddress { url: self.base.to_string() })
    }

    fn headers(&self) -> Result<HeaderMap, RemoteError> {
        let Some(key) = &self.key else { return Ok(HeaderMap::new()) };
        let bearer = format!("Bearer {}", key.expose_secret());
        let mut value = backstop::http::HeaderValue::from_str(&bearer).map_err(|_| RemoteError::Refused {
            url: self.base.to_string(),
            status: 401,
            message: "BACKSTOP_ADMIN_KEY cannot stand in a header".to_owned(),
            mend: "",
        })?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    fn absent(&self, source: TransportError) -> RemoteError {
        RemoteError::Absent { url: self.base.to_string(), source: Box::new(source) }
    }
}
