//! One attempt: one HTTP call to one target, within its time limits, to the whole reply or the first token.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use secrecy::SecretString;

use crate::clock::{Clock, Moment};
use crate::config::Protocol;
use crate::guard::InFlight;
use crate::provider::{Call, Completion, Defaults, Head, classify, decode, encode, quota_left};
use crate::transport::{ByteStream, HttpCall, collect};
use crate::types::{AttemptPlan, Event, Failure, TargetId, TargetName};

use super::Router;
use super::endpoint::Endpoint;
use super::journey::Journey;
use super::leave::{Failed, Leave};
use super::limits::{Limit, Limits};
use super::route::Seat;

/// The largest whole reply that is read.
const LARGEST_REPLY: usize = 32 << 20;

/// The largest error reply that is read, and how long it may take: what is beyond says nothing more about the failure.
const LARGEST_ERROR: usize = 1 << 20;
const ERROR_BODY: Duration = Duration::from_secs(5);

/// What an attempt brought, and the proof of leave that is still to be settled.
pub(super) struct Served<R> {
    pub(super) received: R,
    pub(super) flight: InFlight,
    pub(super) quota_left: Option<f32>,
    pub(super) target: Arc<TargetName>,
    pub(super) id: TargetId,
    pub(super) sent: Moment,
    pub(super) limits: Limits,
}

/// An exchange that came to nothing, and whether any of the request may have left: what never left costs nothing.
struct Undone {
    failure: Failure,
    was_sent: bool,
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        Self { failure, was_sent: true }
    }
}

/// What must be known to read a reply: its head, how its provider speaks, and the key to keep out of sight.
pub(super) struct Line {
    pub(super) protocol: Protocol,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) key: Option<SecretString>,
}

impl Line {
    /// The head, seen from now.
    pub(super) fn head(&self, clock: &dyn Clock) -> Head<'_> {
        Head { status: self.status, headers: &self.headers, now: clock.wall(), key: self.key.as_ref() }
    }
}

/// The shape a reply is wanted in: whole, or as a stream.
pub(super) trait Shape {
    /// Whether the provider is asked to stream.
    const STREAMING: bool;
    /// What a reply of this shape is once it serves.
    type Received: Send;

    /// Reads a reply of status 2xx until it serves.
    fn receive(
        clock: &dyn Clock,
        limits: &Limits,
        line: Line,
        body: ByteStream,
    ) -> impl Future<Output = Result<Self::Received, Failure>> + Send;
}

/// A whole reply.
pub(super) struct Whole;

impl Shape for Whole {
    const STREAMING: bool = false;
    type Received = Completion;

    async fn receive(clock: &dyn Clock, limits: &Limits, line: Line, body: ByteStream) -> Result<Completion, Failure> {
        let body = read_whole(clock, limits.first_token, body).await?;
        decode(line.protocol, &line.head(clock), &body)
    }
}

impl Router {
    /// Sends the request to the plan's target. Without a permit there is no attempt.
    pub(super) async fn attempt<S: Shape>(
        &self,
        journey: &mut Journey<'_>,
        plan: &AttemptPlan,
        leave: Leave<'_>,
    ) -> Result<Served<S::Received>, Failed> {
        let Leave { permit, seat, endpoint } = leave;
        let target = Arc::clone(&seat.name);
        let body = self.body(journey, &seat, endpoint, S::STREAMING);
        let call = endpoint.call(permit.key(), body, S::STREAMING);
        let key = permit.key().map(|key| key.secret.clone());
        let attempt = journey.attempt_number();
        journey.story.tell(Event::Attempting { target: Arc::clone(&target), attempt, model_of: seat.model_of });
        let sent = self.clock.now();
        let limits = limits(endpoint, plan, sent, journey.deadline, S::STREAMING);
        let mut flight = permit.dispatch(sent);
        let exchanged = match call {
            Ok(call) => self.exchange::<S>(call, endpoint.protocol, key, &limits).await,
            Err(failure) => Err(Undone { failure, was_sent: false }),
        };
        match exchanged {
            Ok((received, quota_left)) => {
                let now = self.clock.now();
                flight.first_token(now);
                journey.story.served(&target, now.since(sent));
                Ok(Served { received, flight, quota_left, target, id: seat.target, sent, limits })
            }
            Err(Undone { failure, was_sent }) => {
                let now = self.clock.now();
                // A request that has run out of its own time says nothing about the provider.
                let settled = match was_sent {
                    true if now >= journey.deadline => flight.abandoned(),
                    true => flight.failed(&failure, now, self.clock.wall()),
                    false => flight.unsent(&failure, now, self.clock.wall()),
                };
                Err(Failed { failure, took: now.since(sent), cost: settled.cost.unwrap_or_default() })
            }
        }
    }

    async fn exchange<S: Shape>(
        &self,
        call: HttpCall,
        protocol: Protocol,
        key: Option<SecretString>,
        limits: &Limits,
    ) -> Result<(S::Received, Option<f32>), Undone> {
        let clock = &*self.clock;
        let sent = limits.first_token.bound(clock, self.transport.send(call)).await?;
        let reply = sent.map_err(|error| Undone { was_sent: error.was_sent(), failure: error.failure() })?;
        let quota_left = quota_left(&reply.headers);
        let line = Line { protocol, status: reply.status, headers: reply.headers, key };
        if !line.head(clock).is_success() {
            return Err(read_error(clock, limits, &line, reply.body).await.into());
        }
        Ok((S::receive(clock, limits, line, reply.body).await?, quota_left))
    }

    fn body(&self, journey: &Journey<'_>, seat: &Seat, endpoint: &Endpoint, stream: bool) -> Bytes {
        let purpose = journey.request.purpose.as_ref().and_then(|name| self.purposes.get(name));
        let mut defaults: Vec<Defaults<'_>> =
            purpose.map(|purpose| Defaults::Fields(&purpose.fields)).into_iter().collect();
        defaults.extend([Defaults::Generation(&endpoint.defaults), Defaults::Generation(&self.defaults)]);
        let call = Call { request: journey.request, model: &seat.name.model, defaults: &defaults, stream };
        encode(endpoint.protocol, &call)
    }
}

/// Reads a whole body, to the limit at most.
pub(super) async fn read_whole(clock: &dyn Clock, limit: Limit, body: ByteStream) -> Result<Bytes, Failure> {
    let read = limit.bound(clock, collect(body, LARGEST_REPLY)).await?;
    read.map_err(|error| error.failure())
}

/// Reads an error reply as far as it comes: its head alone tells much.
async fn read_error(clock: &dyn Clock, limits: &Limits, line: &Line, body: ByteStream) -> Failure {
    let limit = Limit::after("end of the error reply", clock.now(), ERROR_BODY).or(limits.total);
    let read = limit.bound(clock, collect(body, LARGEST_ERROR)).await;
    let body = read.ok().and_then(Result::ok).unwrap_or_default();
    classify(&line.head(clock), &body)
}

/// The limits of an attempt: the provider's, shortened by the strategy and by the request's deadline, never lengthened.
fn limits(endpoint: &Endpoint, plan: &AttemptPlan, sent: Moment, deadline: Moment, streaming: bool) -> Limits {
    let mut total = Limit::after("complete reply", sent, endpoint.timeouts.total);
    if let Some(ms) = plan.timeout_ms {
        total = total.or(Limit::after("complete reply", sent, Duration::from_millis(ms.into())));
    }
    total = total.or(Limit::after("answer before the request's deadline", sent, deadline.since(sent)));
    Limits {
        first_token: Limit::after("first token", sent, endpoint.first_token(streaming)).or(total),
        idle: endpoint.timeouts.idle,
        total,
    }
}
