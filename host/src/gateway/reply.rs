//! A reply: its status, what its headers say of how it came about, and its body.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use serde_json::Value;

use crate::router::{Answer, AnswerStream};
use crate::types::{NanoUsd, RequestId, TargetName};

use super::pulse::Running;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-backstop-request-id");
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-backstop-provider");
const MODEL: HeaderName = HeaderName::from_static("x-backstop-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-backstop-attempts");
const STRATEGY: HeaderName = HeaderName::from_static("x-backstop-strategy");
const COST: HeaderName = HeaderName::from_static("x-backstop-cost-usd");
const DEGRADED: HeaderName = HeaderName::from_static("x-backstop-degraded");

/// A reply, not yet sent.
pub(super) struct Reply {
    response: Response<ReplyBody>,
}

/// How a reply came about.
pub(super) struct Origin {
    pub(super) id: RequestId,
    pub(super) target: Option<Arc<TargetName>>,
    pub(super) attempts: usize,
    pub(super) strategy: Option<Arc<str>>,
    pub(super) cost: Option<NanoUsd>,
    pub(super) is_degraded: bool,
}

/// A reply's body. Dropped before its end, it ends the provider's answer, too.
pub(super) struct ReplyBody {
    content: Content,
    /// Held for its drop: the request runs until then.
    _running: Option<Running>,
}

enum Content {
    Whole(Bytes),
    Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    Ended,
}

impl Reply {
    /// An answer, as the provider sent it.
    pub(super) fn of_answer(answer: Answer) -> Self {
        let origin = Origin {
            id: answer.id,
            is_degraded: answer.is_degraded(),
            target: answer.target,
            attempts: usize::try_from(answer.attempts).unwrap_or(usize::MAX),
            strategy: Some(answer.strategy),
            cost: answer.cost,
        };
        Self::new(StatusCode::OK, Content::Whole(answer.body)).with_type("application/json").with_origin(&origin)
    }

    /// An answer that comes piece by piece, in the shape its events are written in. What it costs is known when its headers are
    /// long gone.
    pub(super) fn of_stream<S>(stream: AnswerStream, events: impl FnOnce(AnswerStream) -> S) -> Self
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let origin = Origin {
            id: stream.id,
            is_degraded: stream.is_degraded(),
            target: stream.target.clone(),
            attempts: usize::try_from(stream.attempts).unwrap_or(usize::MAX),
            strategy: Some(Arc::clone(&stream.strategy)),
            cost: None,
        };
        Self::new(StatusCode::OK, Content::Events(Box::pin(events(stream))))
            .with_type("text/event-stream; charset=utf-8")
            .with(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .with_origin(&origin)
    }

    pub(super) fn of_json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, Content::Whole(Bytes::from(body.to_string()))).with_type("application/json")
    }

    /// Nothing but the methods a path takes.
    pub(super) fn of_methods(allowed: &'static str) -> Self {
        Self::new(StatusCode::NO_CONTENT, Content::Ended).with(ALLOW, HeaderValue::from_static(allowed))
    }

    pub(super) fn with_allowed(self, allowed: &'static str) -> Self {
        self.with(ALLOW, HeaderValue::from_static(allowed))
    }

    pub(super) fn with_retry_after(self, seconds: u64) -> Self {
        self.with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Says how it came about.
    pub(super) fn with_origin(mut self, origin: &Origin) -> Self {
        let headers = self.response.headers_mut();
        say(headers, REQUEST_ID, &origin.id.to_string());
        headers.insert(ATTEMPTS, HeaderValue::from(origin.attempts));
        if let Some(target) = &origin.target {
            say(headers, PROVIDER, &target.provider);
            say(headers, MODEL, &target.model);
        }
        if let Some(strategy) = &origin.strategy {
            say(headers, STRATEGY, strategy);
        }
        if let Some(cost) = origin.cost {
            say(headers, COST, cost.to_string().trim_start_matches('$'));
        }
        if origin.is_degraded {
            headers.insert(DEGRADED, HeaderValue::from_static("true"));
        }
        self
    }

    /// Says the request's name once more where Anthropic's clients look for it.
    pub(super) fn with_request_id(mut self) -> Self {
        let headers = self.response.headers_mut();
        if let Some(id) = headers.get(REQUEST_ID).cloned() {
            headers.insert(ANTHROPIC_REQUEST_ID, id);
        }
        self
    }

    /// The reply as it is sent; the request runs until its body has gone.
    pub(super) fn keeping(self, running: Running) -> Response<ReplyBody> {
        let mut response = self.response;
        response.body_mut()._running = Some(running);
        response
    }

    fn new(status: StatusCode, content: Content) -> Self {
        let mut response = Response::new(ReplyBody { content, _running: None });
        *response.status_mut() = status;
        Self { response }
    }

    fn with_type(self, content_type: &'static str) -> Self {
        self.with(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }
}

/// Adds a header; a value that no header can hold is left out.
fn say(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Events(events) => match events.as_mut().poll_next(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => return Poll::Pending,
            },
            Content::Ended => None,
        };
        if !matches!((&self.content, &piece), (Content::Events(_), Some(_))) {
            self.content = Content::Ended;
        }
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Events(_) => false,
            Content::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Content::Events(_) => SizeHint::default(),
            Content::Ended => SizeHint::with_exact(0),
        }
    }
}
