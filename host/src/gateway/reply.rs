//! A reply: its status, what its headers say of how it came about, and its body.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, IF_NONE_MATCH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use serde_json::Value;

use crate::router::{Answer, AnswerStream, Embeddings};
use crate::types::{NanoUsd, RequestId, TargetName};

use super::dashboard::Asset;
use super::held::Held;
use super::pulse::Running;
use super::replays::{Claim, Replayed};

/// Where OpenAI's SDKs look for a request's name, to show it with their errors.
const SDK_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What the SDKs of OpenAI and Anthropic go by before they repeat a request.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-backstop-request-id");
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-backstop-provider");
const MODEL: HeaderName = HeaderName::from_static("x-backstop-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-backstop-attempts");
const STRATEGY: HeaderName = HeaderName::from_static("x-backstop-strategy");
const COST: HeaderName = HeaderName::from_static("x-backstop-cost-usd");
const REPLAYED: HeaderName = HeaderName::from_static("x-backstop-replayed");
const CACHE: HeaderName = HeaderName::from_static("x-backstop-cache");
const DEGRADED: HeaderName = HeaderName::from_static("x-backstop-degraded");

/// A reply, not yet sent.
pub(super) struct Reply {
    response: Response<ReplyBody>,
    /// The request it answers, where it has a name.
    id: Option<RequestId>,
}

/// How a reply came about.
pub(super) struct Origin {
    pub(super) id: RequestId,
    pub(super) target: Option<Arc<TargetName>>,
    pub(super) attempts: usize,
    pub(super) strategy: Option<Arc<str>>,
    pub(super) cost: Option<NanoUsd>,
    pub(super) is_degraded: bool,
    pub(super) is_cached: bool,
}

/// A reply's body. Dropped before its end, it ends the provider's answer, too.
pub(super) struct ReplyBody {
    content: Content,
    /// The key it is to be given again under.
    claim: Option<Claim>,
    /// Held for its drop: the request runs until then.
    _running: Option<Running>,
    /// Dropped after the content, whose end tells what the request took.
    held: Option<Held>,
}

/// A stream of events.
type Events = dyn Stream<Item = Bytes> + Send;

/// Headers that nearly every reply has: room for them all is made at once.
const ROOM: usize = 10;

/// Bytes of events that are sent together at most, but for the last of them.
const TOGETHER: usize = 8 << 10;

enum Content {
    Whole(Bytes),
    Events(Pin<Box<Events>>),
    Ended,
}

impl Content {
    /// Events; their end may be looked for more than once.
    fn of_events(events: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::Events(Box::pin(events.fuse()))
    }
}

impl Reply {
    /// An answer, as the provider sent it.
    pub(super) fn of_answer(answer: Answer) -> Self {
        let origin = Origin {
            id: answer.id,
            is_degraded: answer.is_degraded(),
            is_cached: answer.from_cache,
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
            is_cached: stream.from_cache,
            target: stream.target.clone(),
            attempts: usize::try_from(stream.attempts).unwrap_or(usize::MAX),
            strategy: Some(Arc::clone(&stream.strategy)),
            cost: stream.cost.filter(|_| stream.from_cache),
        };
        Self::new(StatusCode::OK, Content::of_events(events(stream)))
            .with_type("text/event-stream; charset=utf-8")
            .with(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .with_origin(&origin)
    }

    /// Embeddings, as the provider sent them.
    pub(super) fn of_embeddings(embeddings: Embeddings) -> Self {
        let origin = Origin {
            id: embeddings.id,
            target: Some(embeddings.target),
            attempts: usize::try_from(embeddings.attempts).unwrap_or(usize::MAX),
            strategy: Some(embeddings.strategy),
            cost: embeddings.cost,
            is_degraded: false,
            is_cached: false,
        };
        Self::new(StatusCode::OK, Content::Whole(embeddings.body)).with_type("application/json").with_origin(&origin)
    }

    /// A file of the dashboard; nothing of it where the browser has it already.
    pub(super) fn of_asset(asset: &'static Asset, asked: &HeaderMap) -> Self {
        let has_it =
            asked.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).is_some_and(|tags| asset.is_held(tags));
        let (status, content) = match has_it {
            true => (StatusCode::NOT_MODIFIED, Content::Ended),
            false => (StatusCode::OK, Content::Whole(Bytes::from_static(asset.bytes))),
        };
        let mut reply = Self::new(status, content);
        for (name, value) in asset.headers() {
            say(reply.response.headers_mut(), HeaderName::from_static(name), value);
        }
        reply
    }

    /// Events that are no provider's.
    pub(super) fn of_events(events: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::new(StatusCode::OK, Content::of_events(events))
            .with_type("text/event-stream; charset=utf-8")
            .with(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
    }

    pub(super) fn of_json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, Content::Whole(Bytes::from(body.to_string()))).with_type("application/json")
    }

    pub(super) fn of_text(content_type: &'static str, text: String) -> Self {
        Self::new(StatusCode::OK, Content::Whole(Bytes::from(text))).with_type(content_type)
    }

    /// Nothing but the methods a path takes.
    pub(super) fn of_methods(allowed: &'static str) -> Self {
        Self::new(StatusCode::NO_CONTENT, Content::Ended).with(ALLOW, HeaderValue::from_static(allowed))
    }

    pub(super) fn with_allowed(self, allowed: &'static str) -> Self {
        self.with(ALLOW, HeaderValue::from_static(allowed))
    }

    /// Says how to be let in.
    pub(super) fn with_challenge(self) -> Self {
        self.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(super) fn with_retry_after(self, seconds: u64) -> Self {
        self.with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Says that all has been tried: a client that repeats the request, as SDKs do by themselves, has everyone tried once more.
    pub(super) fn without_repetition(self) -> Self {
        self.with(SHOULD_RETRY, HeaderValue::from_static("false"))
    }

    /// Says how it came about.
    pub(super) fn with_origin(mut self, origin: &Origin) -> Self {
        self.id = Some(origin.id);
        let headers = self.response.headers_mut();
        headers.reserve(ROOM);
        if let Ok(id) = HeaderValue::try_from(origin.id.to_string()) {
            headers.insert(REQUEST_ID, id.clone());
            headers.insert(SDK_REQUEST_ID, id);
        }
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
        if origin.is_cached {
            headers.insert(CACHE, HeaderValue::from_static("hit"));
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

    /// Is kept, to be given again under a key; no stand-in of an answer is.
    pub(super) fn claiming(mut self, claim: Option<Claim>) -> Self {
        let is_degraded = self.response.headers().contains_key(DEGRADED);
        let claim = claim.filter(|_| !is_degraded).map(|mut claim| {
            claim.head(self.response.status(), self.response.headers());
            claim
        });
        self.response.body_mut().claim = claim;
        self
    }

    /// A reply that was given before.
    pub(super) fn again(replayed: Replayed) -> Self {
        let mut reply = Self::new(replayed.status, Content::Whole(replayed.body));
        *reply.response.headers_mut() = replayed.headers;
        reply.with(REPLAYED, HeaderValue::from_static("true"))
    }

    /// Has the request take up its place within its key's limits until the reply has gone.
    pub(super) fn holding(mut self, mut held: Held) -> Self {
        held.id = self.id;
        self.response.body_mut().held = Some(held);
        self
    }

    /// The reply as it is sent; the request runs until its body has gone.
    pub(super) fn keeping(self, running: Running) -> Response<ReplyBody> {
        let mut response = self.response;
        response.body_mut()._running = Some(running);
        response
    }

    fn new(status: StatusCode, content: Content) -> Self {
        let mut response = Response::new(ReplyBody { content, claim: None, _running: None, held: None });
        *response.status_mut() = status;
        Self { response, id: None }
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

/// Events that came together go together: each by itself would be a packet of its own. Nothing is waited for.
fn with_those_that_are_there(first: Bytes, mut events: Pin<&mut Events>, cx: &mut Context<'_>) -> Bytes {
    let mut all: Option<BytesMut> = None;
    while all.as_ref().map_or(first.len(), BytesMut::len) < TOGETHER
        && let Poll::Ready(Some(next)) = events.as_mut().poll_next(cx)
    {
        all.get_or_insert_with(|| BytesMut::from(&first[..])).extend_from_slice(&next);
    }
    all.map_or(first, BytesMut::freeze)
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Events(events) => match events.as_mut().poll_next(cx) {
                Poll::Ready(piece) => piece.map(|first| with_those_that_are_there(first, events.as_mut(), cx)),
                Poll::Pending => return Poll::Pending,
            },
            Content::Ended => None,
        };
        let this = &mut *self;
        if let (Some(claim), Some(piece)) = (&mut this.claim, &piece) {
            claim.piece(piece);
        }
        if !matches!((&this.content, &piece), (Content::Events(_), Some(_))) {
            // The reply has been handed on in full; whether a stream was whole, its last event says.
            this.claim.take().into_iter().for_each(Claim::keep);
            this.content = Content::Ended;
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
