//! Where a request goes by its method and path, and what its client is told when it goes nowhere.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::client::Backstop;
use crate::clock::Clock;
use crate::random::Random;
use crate::router::RouteError;
use crate::telemetry::{Metrics, ShadowCount};
use crate::types::{ChatRequest, RequestId, TargetName};

use super::admin::Admin;
use super::bounds::Bounds;
use super::endpoint::{Endpoint, Shape};
use super::held::Held;
use super::keys::{Caller, Denied, Keys};
use super::pages::{check_host, check_page};
use super::refusal::Refusal;
use super::replays::{Claim, Replays, Turn};
use super::reply::{Origin, Reply};
use super::{chat, embeddings, inbound, messages, models, status};

/// How long a request waits for what other gateways do not use of its key's limits, and how often it looks whether that is here.
const LONGEST_WAIT_FOR_OTHERS: Duration = Duration::from_millis(250);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What all connections share.
pub(super) struct Reception {
    pub(super) backstop: Backstop,
    admin: Admin,
    replays: Arc<Replays>,
    pub(super) bounds: Bounds,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether the gateway is stopping.
    pub(super) stopping: watch::Receiver<bool>,
    keys: Arc<Keys>,
    metrics: Option<Arc<Metrics>>,
    random: Random,
    /// A permit for each request that may be answered at once.
    places: Arc<Semaphore>,
}

/// Why a request is not answered by a provider now.
enum Unanswered {
    Refused(Refusal),
    Failed(RouteError),
    /// It was answered before.
    Again(Box<Reply>),
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

impl Reception {
    pub(super) fn new(
        backstop: Backstop,
        admin: Admin,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
        stopping: watch::Receiver<bool>,
        keys: Arc<Keys>,
    ) -> Self {
        let random = Random::from_system();
        Self {
            backstop,
            admin,
            bounds,
            clock,
            stopping,
            keys,
            metrics: None,
            replays: Arc::new(Replays::new()),
            random,
            places: Arc::new(Semaphore::new(bounds.requests)),
        }
    }

    pub(super) fn with_metrics(mut self, metrics: Option<Arc<Metrics>>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Answers a request, whatever becomes of it: a panic costs the request it happens in, and no other.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let shape = Shape::at(request.uri().path());
        match AssertUnwindSafe(self.serve(request)).catch_unwind().await {
            Ok(Ok(reply)) => reply,
            Ok(Err(Unanswered::Refused(refusal))) => self.refuse(&refusal, shape),
            Ok(Err(Unanswered::Failed(error))) => self.fail(&error, shape),
            Ok(Err(Unanswered::Again(reply))) => *reply,
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
        let caller = self.admit(endpoint, request.headers())?;
        match endpoint {
            Endpoint::Chat => self.chat(request, &caller).await,
            Endpoint::Embeddings => self.embeddings(request, &caller).await,
            Endpoint::Messages => self.messages(request, &caller).await,
            Endpoint::CountTokens => self.count_tokens(request, &caller).await,
            Endpoint::Models => Ok(self.tell(&models::list(&self.backstop, &caller))),
            Endpoint::Alive => Ok(self.tell(&json!({"status": "ok"}))),
            Endpoint::Ready if *self.stopping.borrow() => Err(Refusal::Stopping.into()),
            Endpoint::Ready => Ok(self.ready()),
            Endpoint::Metrics => self.metrics(),
            Endpoint::Page(asset) => Ok(Reply::of_asset(asset, request.headers())),
            Endpoint::Admin(_) => self.administer(request, &caller).await,
        }
    }

    async fn administer(&self, request: Request<Incoming>, caller: &Caller) -> Result<Reply, Unanswered> {
        let (head, body) = request.into_parts();
        if caller.is_anyone() {
            check_page(&head.headers)?;
            check_host(&head.headers)?;
        }
        let body = inbound::read(body, &self.bounds, &*self.clock).await?;
        let answered = self.admin.answer(&head.method, &head.uri, &head.headers, &body).await;
        Ok(answered.map_err(|error| Refusal::Admin(Box::new(error)))?.with_origin(&self.nobody()))
    }

    /// Lets a client in.
    fn admit(&self, endpoint: Endpoint, headers: &HeaderMap) -> Result<Caller, Refusal> {
        match endpoint.purpose() {
            Some(purpose) => Ok(self.keys.admit(headers, purpose, self.clock.wall())?),
            None => Ok(Caller::anyone()),
        }
    }

    /// Takes in a request to be answered: its body, and the reply it had before, where it is sent again.
    async fn take_in(&self, request: Request<Incoming>, caller: &Caller) -> Result<TakenIn, Unanswered> {
        let (head, body) = request.into_parts();
        // Before the body is read: who cannot be answered soon is told at once, and costs next to nothing.
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Refusal::Busy { limit: self.bounds.requests })?;
        if caller.is_anyone() {
            check_page(&head.headers)?;
        }
        inbound::check_type(&head.headers)?;
        let body = inbound::read(body, &self.bounds, &*self.clock).await?;
        let whose = caller.name().unwrap_or_default();
        let claim = match self.replays.turn(&head.headers, whose, head.uri.path(), &body)? {
            Some(Turn::Again(replayed)) => return Err(Unanswered::Again(Box::new(Reply::again(*replayed)))),
            Some(Turn::First(claim)) => Some(claim),
            None => None,
        };
        Ok(TakenIn { headers: head.headers, body, claim, place })
    }

    /// Holds a request to what its caller's key may do, and notes whose it is. Waits a moment for what other gateways do not use of
    /// the key's limits.
    async fn begin(
        &self,
        caller: &Caller,
        among_all: OwnedSemaphorePermit,
        model: Option<&str>,
        tokens: impl FnOnce() -> u64,
        labels: &mut Vec<(String, String)>,
    ) -> Result<Held, Refusal> {
        // To estimate takes a look at every message.
        let tokens = if caller.is_anyone() { 0 } else { tokens() };
        let until = self.clock.now() + LONGEST_WAIT_FOR_OTHERS;
        let place = loop {
            let now = self.clock.now();
            match caller.begin(self.backstop.route_of(model), tokens, labels, now) {
                Err(Denied::Limited { are_others_asked: true, .. }) if now < until => {
                    self.clock.sleep_until(now + LOOK_AGAIN).await;
                }
                begun => break begun?,
            }
        };
        Ok(Held::new(place, among_all, self.backstop.clone(), Arc::clone(&self.clock)))
    }

    async fn begin_chat(
        &self,
        caller: &Caller,
        among_all: OwnedSemaphorePermit,
        request: &mut ChatRequest,
    ) -> Result<Held, Refusal> {
        let mut labels = std::mem::take(&mut request.labels);
        let held =
            self.begin(caller, among_all, request.model.as_deref(), || most_tokens(request), &mut labels).await?;
        request.labels = labels;
        request.tenant = caller.id().map(str::to_owned);
        request.key = caller.account();
        Ok(held)
    }

    async fn chat(&self, request: Request<Incoming>, caller: &Caller) -> Result<Reply, Unanswered> {
        let TakenIn { headers, body, claim, place } = self.take_in(request, caller).await?;
        let mut request = chat::parse(&body, &headers)?;
        drop(body);
        let held = self.begin_chat(caller, place, &mut request).await?;
        conclude(chat::answer(&self.backstop, request).await, held, claim)
    }

    async fn messages(&self, request: Request<Incoming>, caller: &Caller) -> Result<Reply, Unanswered> {
        let TakenIn { headers, body, claim, place } = self.take_in(request, caller).await?;
        let mut asked = messages::parse(&body, &headers)?;
        drop(body);
        let held = self.begin_chat(caller, place, &mut asked.request).await?;
        conclude(messages::answer(&self.backstop, asked).await, held, claim)
    }

    async fn count_tokens(&self, request: Request<Incoming>, caller: &Caller) -> Result<Reply, Unanswered> {
        let TakenIn { headers, body, .. } = self.take_in(request, caller).await?;
        let request = messages::parse_counted(&body, &headers)?;
        Ok(self.tell(&messages::count(&self.backstop, &request)?).with_request_id())
    }

    async fn embeddings(&self, request: Request<Incoming>, caller: &Caller) -> Result<Reply, Unanswered> {
        let TakenIn { headers, body, claim, place } = self.take_in(request, caller).await?;
        let mut request = embeddings::parse(&body, &headers)?;
        drop(body);
        let mut labels = std::mem::take(&mut request.labels);
        // Embeddings go by the default route's rules, and so by its name.
        let held = self.begin(caller, place, None, || request.needs().input_tokens.into(), &mut labels).await?;
        request.labels = labels;
        request.key = caller.account();
        conclude(embeddings::answer(&self.backstop, request).await, held, claim)
    }

    /// An instance without the store it shares with others is ready: it answers what it can. Where the store is, nobody unknown is told.
    fn ready(&self) -> Reply {
        let mut said = json!({"status": "ready"});
        if let (Some(store), Value::Object(fields)) = (self.backstop.shared_store(), &mut said) {
            let state = if store.fault.is_none() { "up" } else { "away" };
            fields.insert("shared_store".to_owned(), json!(state));
        }
        self.tell(&said)
    }

    fn metrics(&self) -> Result<Reply, Unanswered> {
        let metrics = self.metrics.as_ref().ok_or(Refusal::NoSuchPath)?;
        let shared_store = self.backstop.shared_store();
        let shadows = self.backstop.strategies().into_iter().filter_map(|strategy| {
            let shadow = strategy.shadow?;
            let (agreed, differed) = (shadow.agreed, shadow.differed);
            Some(ShadowCount { route: strategy.route, strategy: shadow.strategy, agreed, differed })
        });
        let shadows: Vec<_> = shadows.collect();
        let text = metrics.render(&self.backstop.status(), &shadows, shared_store.as_ref(), self.clock.wall());
        Ok(Reply::of_text(Metrics::CONTENT_TYPE, text).with_origin(&self.nobody()))
    }

    fn tell(&self, said: &Value) -> Reply {
        Reply::of_json(StatusCode::OK, said).with_origin(&self.nobody())
    }

    fn refuse(&self, refusal: &Refusal, shape: Shape) -> Reply {
        let (status, origin) = (status::of_refusal(refusal), self.nobody());
        tracing::info!(id = %origin.id, status = status.as_u16(), "refused: {refusal}");
        let reply = match shape {
            Shape::OpenAi => Reply::of_json(status, &refusal.to_json()).with_origin(&origin),
            Shape::Anthropic => error_in_messages(status, &refusal.to_string(), &origin),
        };
        match (refusal, status::retry_after_refusal(refusal)) {
            (Refusal::WrongMethod { allowed }, _) => reply.with_allowed(allowed),
            (_, Some(seconds)) => reply.with_retry_after(seconds),
            _ if status == StatusCode::UNAUTHORIZED => reply.with_challenge(),
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
            None => reply.without_repetition(),
        }
    }

    /// The origin of what no provider was asked for. It has a name, too, by which it is found in the log.
    fn nobody(&self) -> Origin {
        let id = RequestId::new(self.clock.wall(), [self.random.next(), self.random.next()]);
        Origin { id, target: None, attempts: 0, strategy: None, cost: None, is_degraded: false, is_cached: false }
    }
}

/// The tokens a request may take, as far as it says so itself.
fn most_tokens(request: &ChatRequest) -> u64 {
    let needs = request.needs();
    u64::from(needs.input_tokens) + u64::from(needs.max_output_tokens.unwrap_or(0))
}

/// What has been taken in of a request that is to be answered.
struct TakenIn {
    headers: HeaderMap,
    body: Bytes,
    claim: Option<Claim>,
    place: OwnedSemaphorePermit,
}

/// Makes a reply of what has been answered: the client's place is held until it has gone.
fn conclude(answered: Result<Reply, RouteError>, held: Held, claim: Option<Claim>) -> Result<Reply, Unanswered> {
    match answered {
        Ok(reply) => Ok(reply.holding(held).claiming(claim)),
        Err(error) => {
            held.unused();
            Err(error.into())
        }
    }
}

fn error_in_messages(status: StatusCode, message: &str, origin: &Origin) -> Reply {
    Reply::of_json(status, &messages::error_body(status, message, origin.id)).with_origin(origin).with_request_id()
}
