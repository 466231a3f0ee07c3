//! One attempt: one HTTP call to one target, within its time limits, to the whole reply or the first token.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use secrecy::SecretString;

use crate::clock::{Clock, Moment};
use crate::config::{HoldBack, Protocol};
use crate::guard::InFlight;
use crate::provider::{Completion, Head, Reading, classify, decode, quota_left};
use crate::transport::{ByteStream, HttpCall, collect};
use crate::types::{AttemptPlan, Event, Failure, FailureKind, TargetId, TargetName};

use super::Router;
use super::endpoint::Endpoint;
use super::journey::Journey;
use super::leave::{Failed, Leave};
use super::legs::{Leg, Legs};
use super::limits::{Limit, Limits};
use super::seam::Seam;
use super::served::Served;

/// The largest whole reply that is read.
pub(super) const LARGEST_REPLY: usize = 32 << 20;

/// The largest error reply that is read, and how long it may take: what is beyond says nothing more about the failure.
const LARGEST_ERROR: usize = 1 << 20;
const ERROR_BODY: Duration = Duration::from_secs(5);

/// An attempt that is about to be sent: all that it needs, so that the request need not wait for it.
struct Departing {
    call: Result<HttpCall, Failure>,
    flight: InFlight,
    line: Opening,
    plan: AttemptPlan,
    target: Arc<TargetName>,
    id: TargetId,
    sent: Moment,
    deadline: Moment,
    limits: Limits,
}

/// What is known of a reply before its head is here.
struct Opening {
    protocol: Protocol,
    key: Option<SecretString>,
    reading: Reading,
    seam: Seam,
}

/// An exchange that came to nothing, and whether any of the request may have left: what never left costs nothing.
struct Undone {
    failure: Failure,
    was_sent: bool,
    /// What its head told of the quota.
    quota_left: Option<f32>,
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        Self { failure, was_sent: true, quota_left: None }
    }
}

/// What must be known to read a reply: its head, how its provider speaks, and the key to keep out of sight.
pub(super) struct Line {
    pub(super) protocol: Protocol,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) key: Option<SecretString>,
    pub(super) reading: Reading,
    pub(super) seam: Seam,
}

impl Line {
    /// The head, seen from now.
    pub(super) fn head(&self, clock: &dyn Clock) -> Head<'_> {
        Head { status: self.status, headers: &self.headers, now: clock.wall(), key: self.key.as_ref() }
    }
}

/// The shape a reply is wanted in: whole, or as a stream.
pub(super) trait Shape: 'static {
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

    /// When the first token came.
    fn began(received: &Self::Received, now: Moment) -> Moment;
}

/// A whole reply.
pub(super) struct Whole;

impl Shape for Whole {
    const STREAMING: bool = false;
    type Received = Completion;

    async fn receive(clock: &dyn Clock, limits: &Limits, line: Line, body: ByteStream) -> Result<Completion, Failure> {
        let body = read_whole(clock, limits.first_token, body, LARGEST_REPLY).await?;
        decode(line.protocol, &line.head(clock), &body, &line.reading)
    }

    fn began(_: &Completion, now: Moment) -> Moment {
        now
    }
}

impl Journey {
    /// Lets the request set out to the plan's target. Without a permit there is no attempt.
    pub(super) fn set_out<S: Shape>(&mut self, plan: &AttemptPlan, leave: Leave, legs: &mut Legs<S::Received>) {
        let Leave { permit, seat } = leave;
        let router = Arc::clone(&self.router);
        let Some(endpoint) = router.endpoint(&seat) else { return };
        let target = Arc::clone(&seat.name);
        // What was set aside must hold: where nobody bounds the answer, the host does.
        let output = self.output(plan.target as usize);
        let output_limit = output.missing_limit().filter(|_| permit.counts_money());
        let (call, reading, seam) = self.lay_out(&seat, endpoint, permit.key(), output_limit);
        let attempt = self.attempt_number(legs.iter().count());
        self.story.tell(Event::Attempting { target: Arc::clone(&target), attempt, model_of: seat.model_of });
        let sent = router.clock.now();
        let key = permit.key().map(|key| key.secret.clone());
        let worst_case = permit.worst_case();
        let report = self.report(plan.target, sent, worst_case);
        let leg = Leg { plan: *plan, target: Arc::clone(&target), sent, worst_case, report };
        let departing = Departing {
            call,
            flight: permit.dispatch(sent),
            line: Opening { protocol: endpoint.protocol, key, reading, seam },
            plan: *plan,
            target,
            id: seat.target,
            sent,
            deadline: self.deadline,
            limits: limits(endpoint, plan, sent, self.deadline, S::STREAMING, self.route.hold_back),
        };
        let flight = Arc::clone(&router).fly::<S>(departing);
        legs.add(leg, Box::pin(flight));
    }
}

impl Router {
    /// Makes an attempt, and settles it where it fails.
    fn fly<S: Shape>(
        self: Arc<Self>,
        departing: Departing,
    ) -> impl Future<Output = Result<Served<S::Received>, Failed>> + Send {
        // Taken apart out here: an `async fn` has room for its arguments and for what it makes of them.
        let Departing { call, mut flight, line, plan, target, id, sent, deadline, limits } = departing;
        async move {
            let exchanged = match call {
                Ok(call) => self.exchange::<S>(call, line, &limits).await,
                Err(failure) => Err(Undone { failure, was_sent: false, quota_left: None }),
            };
            let now = self.clock.now();
            match exchanged {
                Ok((received, quota_left)) => {
                    let began = S::began(&received, now);
                    flight.first_token(began);
                    flight.quota_told(quota_left, now);
                    let first_token = S::STREAMING.then_some(began);
                    Ok(Served {
                        received,
                        flight,
                        quota_left,
                        plan,
                        target,
                        id,
                        sent,
                        limits,
                        first_token,
                        report: None,
                    })
                }
                Err(Undone { failure, was_sent, quota_left }) => {
                    flight.quota_told(quota_left, now);
                    // A request that has run out of its own time says nothing about the provider.
                    let is_out_of_time = was_sent && now >= deadline;
                    let settled = match was_sent {
                        true if is_out_of_time => flight.abandoned(),
                        true => flight.failed(&failure, now, self.clock.wall()),
                        false => flight.unsent(&failure, now, self.clock.wall()),
                    };
                    Err(Failed { failure, took: now.since(sent), cost: settled.cost, is_out_of_time, report: None })
                }
            }
        }
    }

    async fn exchange<S: Shape>(
        &self,
        call: HttpCall,
        line: Opening,
        limits: &Limits,
    ) -> Result<(S::Received, Option<f32>), Undone> {
        let clock = &*self.clock;
        let sent = limits.first_token.bound(clock, self.transport.send(call)).await?;
        let reply =
            sent.map_err(|error| Undone { was_sent: error.was_sent(), failure: error.failure(), quota_left: None })?;
        let quota_left = quota_left(&reply.headers);
        let Opening { protocol, key, reading, seam } = line;
        let line = Line { protocol, status: reply.status, headers: reply.headers, key, reading, seam };
        if !line.head(clock).is_success() {
            let failure = read_error(clock, limits, &line, reply.body).await;
            return Err(Undone { failure, was_sent: true, quota_left });
        }
        if let Some(coding) = line.head(clock).coding() {
            return Err(coded(&coding).with_status(line.status).into());
        }
        match S::receive(clock, limits, line, reply.body).await {
            Ok(received) => Ok((received, quota_left)),
            Err(failure) => Err(Undone { failure, was_sent: true, quota_left }),
        }
    }
}

/// A reply in a coding nobody asked for is given up unread.
fn coded(coding: &str) -> Failure {
    let coding: String = coding.chars().take(40).collect();
    Failure::new(
        FailureKind::MalformedReply,
        format!("the reply is coded (content-encoding: {coding}), which nobody asked for"),
    )
}

/// Reads a whole body, to the limit at most.
pub(super) async fn read_whole(
    clock: &dyn Clock,
    limit: Limit,
    body: ByteStream,
    largest: usize,
) -> Result<Bytes, Failure> {
    let read = limit.bound(clock, collect(body, largest)).await?;
    read.map_err(|error| error.failure())
}

/// Reads an error reply as far as it comes: its head alone tells much, and a coded body tells no more.
async fn read_error(clock: &dyn Clock, limits: &Limits, line: &Line, body: ByteStream) -> Failure {
    if line.head(clock).coding().is_some() {
        return classify(&line.head(clock), &Bytes::new());
    }
    let limit = Limit::after("end of the error reply", clock.now(), ERROR_BODY).or(limits.total);
    let read = limit.bound(clock, collect(body, LARGEST_ERROR)).await;
    let body = read.ok().and_then(Result::ok).unwrap_or_default();
    classify(&line.head(clock), &body)
}

/// The limits of an attempt: the provider's, shortened by the strategy and by the request's deadline, never lengthened.
fn limits(
    endpoint: &Endpoint,
    plan: &AttemptPlan,
    sent: Moment,
    deadline: Moment,
    streaming: bool,
    hold_back: HoldBack,
) -> Limits {
    let mut total = Limit::after("complete reply", sent, endpoint.timeouts.total);
    if let Some(ms) = plan.timeout_ms {
        total = total.or(Limit::after("complete reply", sent, Duration::from_millis(ms.into())));
    }
    total = total.or(Limit::after("answer before the request's deadline", sent, deadline.since(sent)));
    Limits {
        first_token: Limit::after("first token", sent, endpoint.first_token(streaming)).or(total),
        idle: endpoint.timeouts.idle,
        total,
        hold_back,
    }
}
