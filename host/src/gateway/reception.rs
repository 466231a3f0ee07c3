//! Where a request goes by its method and path, and what its client is told when it goes nowhere.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::ORIGIN;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch;
use url::{Host, Url};

use crate::client::Backstop;
use crate::clock::Clock;
use crate::random::Random;
use crate::router::RouteError;
use crate::types::{RequestId, TargetName};

use super::bounds::Bounds;
use super::refusal::Refusal;
use super::reply::{Origin, Reply};
use super::{chat, inbound, messages, models, status};

/// What all connections share.
pub(super) struct Reception {
    pub(super) backstop: Backstop,
    pub(super) bounds: Bounds,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether the gateway is stopping.
    pub(super) stopping: watch::Receiver<bool>,
    random: Random,
}

/// What there is.
#[derive(Clone, Copy)]
enum Endpoint {
    Chat,
    Messages,
    CountTokens,
    Models,
    Alive,
    Ready,
}

/// In whose shape a client is told of errors.
#[derive(Clone, Copy)]
enum Shape {
    OpenAi,
    Anthropic,
}

impl Shape {
    fn at(path: &str) -> Self {
        if path.starts_with("/v1/messages") { Self::Anthropic } else { Self::OpenAi }
    }
}

/// Why a request has no answer.
enum Unanswered {
    Refused(Refusal),
    Failed(RouteError),
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<RouteError> for Unanswered {
    fn from(error: RouteError) -> Self {
        Self::Failed(error)
    }
}

impl Endpoint {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Self::Chat),
            "/v1/messages" => Some(Self::Messages),
            "/v1/messages/count_tokens" => Some(Self::CountTokens),
            "/v1/models" => Some(Self::Models),
            "/healthz" => Some(Self::Alive),
            "/readyz" => Some(Self::Ready),
            _ => None,
        }
    }

    /// The methods it takes, as the header `allow` has them.
    fn allowed(self) -> &'static str {
        match self {
            Self::Chat | Self::Messages | Self::CountTokens => "POST, OPTIONS",
            Self::Models | Self::Alive | Self::Ready => "GET, HEAD, OPTIONS",
        }
    }

    fn takes(self, method: &Method) -> bool {
        match self {
            Self::Chat | Self::Messages | Self::CountTokens => method == Method::POST,
            Self::Models | Self::Alive | Self::Ready => method == Method::GET || method == Method::HEAD,
        }
    }
}

impl Reception {
    pub(super) fn new(
        backstop: Backstop,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { backstop, bounds, clock, stopping, random: Random::from_system() }
    }

    /// Answers a request, whatever becomes of it: a panic costs the request it happens in, and no other.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let shape = Shape::at(request.uri().path());
        match AssertUnwindSafe(self.serve(request)).catch_unwind().await {
            Ok(Ok(reply)) => reply,
            Ok(Err(Unanswered::Refused(refusal))) => self.refuse(&refusal, shape),
            Ok(Err(Unanswered::Failed(error))) => self.fail(&error, shape),
            Err(_) => self.refuse(&Refusal::Panicked, shape),
        }
    }

    async fn serve(&self, request: Request<Incoming>) -> Result<Reply, Unanswered> {
        let endpoint = Endpoint::at(request.uri().path()).ok_or(Refusal::NoSuchPath)?;
        if request.method() == Method::OPTIONS {
            return Ok(Reply::of_methods(endpoint.allowed()).with_origin(&self.nobody()));
        }
        if !endpoint.takes(request.method()) {
            return Err(Refusal::WrongMethod { allowed: endpoint.allowed() }.into());
        }
        match endpoint {
            Endpoint::Chat => self.chat(request).await,
            Endpoint::Messages => self.messages(request).await,
            Endpoint::CountTokens => self.count_tokens(request).await,
            Endpoint::Models => Ok(self.tell(&models::list(&self.backstop))),
            Endpoint::Alive => Ok(self.tell(&json!({"status": "ok"}))),
            Endpoint::Ready if *self.stopping.borrow() => Err(Refusal::Stopping.into()),
            Endpoint::Ready => Ok(self.tell(&json!({"status": "ready"}))),
        }
    }

    async fn chat(&self, request: Request<Incoming>) -> Result<Reply, Unanswered> {
        let (headers, body) = self.read(request).await?;
        let request = chat::parse(&body, &headers)?;
        drop(body);
        Ok(chat::answer(&self.backstop, request).await?)
    }

    async fn messages(&self, request: Request<Incoming>) -> Result<Reply, Unanswered> {
        let (headers, body) = self.read(request).await?;
        let request = messages::parse(&body, &headers)?;
        drop(body);
        Ok(messages::answer(&self.backstop, request).await?)
    }

    async fn count_tokens(&self, request: Request<Incoming>) -> Result<Reply, Unanswered> {
        let (headers, body) = self.read(request).await?;
        let request = messages::parse_counted(&body, &headers)?;
        Ok(self.tell(&messages::count(&self.backstop, &request)?).with_request_id())
    }

    async fn read(&self, request: Request<Incoming>) -> Result<(HeaderMap, Bytes), Refusal> {
        let (head, body) = request.into_parts();
        check_page(&head.headers)?;
        inbound::check_type(&head.headers)?;
        let body = inbound::read(body, &self.bounds, &*self.clock).await?;
        Ok((head.headers, body))
    }

    fn tell(&self, said: &serde_json::Value) -> Reply {
        Reply::of_json(StatusCode::OK, said).with_origin(&self.nobody())
    }

    fn refuse(&self, refusal: &Refusal, shape: Shape) -> Reply {
        let (status, origin) = (status::of_refusal(refusal), self.nobody());
        tracing::info!(id = %origin.id, status = status.as_u16(), "refused: {refusal}");
        let reply = match shape {
            Shape::OpenAi => Reply::of_json(status, &refusal.to_json()).with_origin(&origin),
            Shape::Anthropic => error_in_messages(status, &refusal.to_string(), &origin),
        };
        match refusal {
            Refusal::WrongMethod { allowed } => reply.with_allowed(allowed),
            _ => reply,
        }
    }

    fn fail(&self, error: &RouteError, shape: Shape) -> Reply {
        let record = error.id().and_then(|id| self.backstop.explain(id));
        let target: Option<Arc<TargetName>> = match error {
            RouteError::Rejected { target, .. } => Some(Arc::clone(target)),
            _ => None,
        };
        let origin = Origin {
            target,
            attempts: error.attempts().len(),
            strategy: record.map(|record| Arc::clone(&record.strategy)),
            ..error.id().map_or_else(|| self.nobody(), |id| Origin { id, ..self.nobody() })
        };
        let status = status::of_route(error);
        if error.id().is_none() {
            // It has not got as far as to have a record, and so a line of its own.
            tracing::info!(id = %origin.id, status = status.as_u16(), "refused: {error}");
        }
        let reply = match shape {
            Shape::OpenAi => Reply::of_json(status, &error.to_json()).with_origin(&origin),
            Shape::Anthropic => error_in_messages(status, &messages::error_message(error), &origin),
        };
        match status::retry_after(error) {
            Some(seconds) => reply.with_retry_after(seconds),
            None => reply,
        }
    }

    /// The origin of what no provider was asked for. It has a name, too, by which it is found in the log.
    fn nobody(&self) -> Origin {
        let id = RequestId((u128::from(self.random.next()) << 64) | u128::from(self.random.next()));
        Origin { id, target: None, attempts: 0, strategy: None, cost: None, is_degraded: false }
    }
}

fn error_in_messages(status: StatusCode, message: &str, origin: &Origin) -> Reply {
    Reply::of_json(status, &messages::error_body(status, message, origin.id)).with_origin(origin).with_request_id()
}

/// Refuses pages of other sites, which a browser on this machine would otherwise let spend the operator's money: by a name of
/// theirs that leads here, a browser lets them read the replies, too.
fn check_page(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let url = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
    let is_here = url.as_ref().and_then(Url::host).is_some_and(|host| match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    });
    if is_here { Ok(()) } else { Err(Refusal::ForeignPage) }
}
