//! A streamed answer as the caller sees it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;

use crate::cache::{Claim, KeptReply};
use crate::config::OnInterrupt;
use crate::types::{ErrorKind, Failure, FailureKind, NanoUsd, Outcome, RequestId, TargetName, Usage};

use super::cached::{Keeping, Replay};
use super::chunk::{Chunk, fallback_chunk};
use super::journey::{Journey, Onward};
use super::relay::{Relay, Streamed};
use super::served::Served;
use super::transcript::{MOST_KEPT, Transcript};
use super::{RouteError, Router, StreamError};

/// An answer that comes piece by piece. Dropped before its end, it cancels the provider's call and settles it.
pub struct AnswerStream {
    /// The request's name; its record can be asked for by it.
    pub id: RequestId,
    /// Who answers, and who went on where an answer broke off; `None` for the caller's own fallback text.
    pub target: Option<Arc<TargetName>>,
    /// HTTP calls made for the request so far, this one included.
    pub attempts: u32,
    /// Which strategy decided.
    pub strategy: Arc<str>,
    /// Tokens, as the provider counted them; complete after the last chunk.
    pub usage: Option<Usage>,
    /// Why the answer ended; set after the last chunk.
    pub finish_reason: Option<String>,
    /// What it cost, where the price is known; set after the last chunk.
    pub cost: Option<NanoUsd>,
    /// Whether it was kept from an equal request: nobody was asked, and it costs nothing. `usage` is what it took then.
    pub from_cache: bool,
    source: Source,
    router: Arc<Router>,
    /// What has been given to the caller: another target goes on from there. `None` where nobody may, or it is too long to keep.
    sent: Option<Transcript>,
    /// Who broke off first, and why: what the caller is told where nobody could go on.
    broken: Option<(Arc<TargetName>, Failure)>,
    /// What is to be kept of it, where it may be.
    keeping: Option<Keeping>,
}

/// Where the chunks come from.
enum Source {
    Provider(Box<Flow>),
    /// Another target is being found for the rest.
    Rescue(Pin<Box<dyn Future<Output = Rescued> + Send>>),
    FallbackText(Chunk),
    Kept(Replay),
    Ended,
}

/// A provider's stream, and the journey that led to it.
struct Flow {
    served: Served<Box<Relay>>,
    journey: Journey,
}

/// What the search for another target came to.
struct Rescued {
    journey: Journey,
    served: Result<Served<Box<Relay>>, RouteError>,
}

/// What reading on came to.
enum Read {
    Chunk(Chunk),
    End,
    Broken(Failure),
    Rescued(Box<Rescued>),
    Ended,
}

impl AnswerStream {
    pub(super) fn of_provider(journey: Journey, served: Served<Box<Relay>>, claim: Option<Claim>) -> Self {
        let target = Some(Arc::clone(&served.target));
        let stream = Self { keeping: claim.map(Keeping::new), ..Self::new(&journey, target, Source::Ended) };
        Self { source: Source::Provider(Box::new(Flow { served, journey })), ..stream }
    }

    /// A reply that was kept, given again.
    pub(super) fn of_kept(mut journey: Journey, reply: Arc<KeptReply>) -> Self {
        journey.end_cached(&reply);
        Self {
            usage: reply.usage,
            finish_reason: reply.finish_reason.clone(),
            cost: Some(NanoUsd::ZERO),
            from_cache: true,
            sent: None,
            ..Self::new(&journey, Some(Arc::clone(&reply.target)), Source::Kept(Replay::new(reply)))
        }
    }

    pub(super) fn of_fallback_text(journey: &Journey, text: &str) -> Self {
        let source = Source::FallbackText(fallback_chunk(journey.story.id(), text));
        Self { finish_reason: Some("stop".to_owned()), ..Self::new(journey, None, source) }
    }

    fn new(journey: &Journey, target: Option<Arc<TargetName>>, source: Source) -> Self {
        Self {
            id: journey.story.id(),
            target,
            attempts: journey.story.attempts_made(),
            strategy: Arc::clone(&journey.route.decider().name),
            usage: None,
            finish_reason: None,
            cost: None,
            from_cache: false,
            keeping: None,
            source,
            router: Arc::clone(&journey.router),
            sent: journey.may_be_gone_on_with().then(Transcript::default),
            broken: None,
        }
    }

    /// Whether this is the caller's own fallback text and no model's answer.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.target.is_none()
    }

    /// The next piece; `None` when the answer is whole. Where a provider breaks off, another one is found for the rest, as the
    /// route's `on_interrupt` says, while the caller waits here.
    ///
    /// # Errors
    /// When the stream broke before its answer was whole and nobody could go on: the first break's cause. A cut answer never
    /// ends with `None`.
    pub async fn next(&mut self) -> Option<Result<Chunk, StreamError>> {
        loop {
            // Read in place: a caller who stops waiting and asks again goes on where the stream is.
            let read = self.read().await;
            match (read, mem::replace(&mut self.source, Source::Ended)) {
                (Read::Chunk(chunk), source) => {
                    self.source = source;
                    self.keep(&chunk);
                    return Some(Ok(chunk));
                }
                (Read::End, Source::Provider(flow)) => {
                    self.settle(*flow);
                    return None;
                }
                (Read::Broken(failure), Source::Provider(flow)) => match self.resume(*flow, failure) {
                    Ok(rescue) => self.source = rescue,
                    Err(error) => return Some(Err(*error)),
                },
                (Read::Rescued(rescued), _) => {
                    if let Some(error) = self.take_over(*rescued) {
                        return Some(Err(error));
                    }
                }
                (_, Source::FallbackText(chunk)) => return Some(Ok(chunk)),
                (Read::Ended | Read::End | Read::Broken(_), _) => return None,
            }
        }
    }

    /// The pieces as a [`Stream`].
    pub fn into_stream(self) -> impl Stream<Item = Result<Chunk, StreamError>> + Send {
        futures_util::stream::unfold(self, async |mut stream| {
            let piece = stream.next().await?;
            Some((piece, stream))
        })
    }

    async fn read(&mut self) -> Read {
        match &mut self.source {
            Source::Provider(flow) => {
                let Flow { served, .. } = &mut **flow;
                match served.received.next(&*self.router.clock, &served.limits).await {
                    Ok(Some(chunk)) => Read::Chunk(chunk),
                    Ok(None) => Read::End,
                    Err(failure) => Read::Broken(failure),
                }
            }
            Source::Rescue(rescue) => Read::Rescued(Box::new(rescue.await)),
            Source::Kept(replay) => replay.next().map_or(Read::Ended, Read::Chunk),
            Source::FallbackText(_) | Source::Ended => Read::Ended,
        }
    }

    /// Keeps a chunk for another target to go on from, up to a size that no sound answer has.
    fn keep(&mut self, chunk: &Chunk) {
        self.keeping = self.keeping.take().and_then(|keeping| keeping.add(chunk));
        let Some(sent) = &mut self.sent else { return };
        sent.add_chunk(chunk);
        if sent.size() > MOST_KEPT {
            self.sent = None;
        }
    }

    fn settle(&mut self, flow: Flow) {
        let Flow { served, mut journey } = flow;
        let (clock, usage) = (&self.router.clock, served.received.usage());
        let settled = served.flight.served(usage, served.quota_left, clock.now(), clock.wall());
        served.report.into_iter().for_each(|report| report.served(usage, settled.cost));
        self.usage = usage;
        self.finish_reason = served.received.finish_reason;
        if let Some(keeping) = self.keeping.take() {
            keeping.end(&served.target, usage, self.finish_reason.as_deref(), clock.now());
        }
        journey.spend(settled.cost.unwrap_or_default());
        self.cost = settled.cost.map(|_| journey.spent);
        journey.end_served(&served.target, usage, self.cost);
    }

    /// Settles a stream that broke, and looks for another target where the route allows it.
    fn resume(&mut self, flow: Flow, failure: Failure) -> Result<Source, Box<StreamError>> {
        let Flow { served, mut journey } = flow;
        // What two have said is no reply of one.
        self.keeping.take().into_iter().for_each(Keeping::fail);
        let target = Arc::clone(&served.target);
        let onward = journey.broke_off(served, &failure);
        self.broken.get_or_insert((target, failure));
        if onward == Onward::Nowhere || self.sent.is_none() {
            return Err(Box::new(self.give_up(&mut journey)));
        }
        journey.sent.clone_from(&self.sent);
        Ok(Source::Rescue(Box::pin(async move {
            let served = journey.travel::<Streamed>().await;
            Rescued { journey, served }
        })))
    }

    /// Goes on with another target's stream; the error to end with where there is none.
    fn take_over(&mut self, rescued: Rescued) -> Option<StreamError> {
        let Rescued { mut journey, served } = rescued;
        match served {
            Ok(served) => {
                self.target = Some(Arc::clone(&served.target));
                self.attempts = journey.story.attempts_made();
                self.source = Source::Provider(Box::new(Flow { served, journey }));
                None
            }
            Err(_) => Some(self.give_up(&mut journey)),
        }
    }

    fn give_up(&mut self, journey: &mut Journey) -> StreamError {
        self.attempts = journey.story.attempts_made();
        journey.story.fail(Some(ErrorKind::StreamInterrupted), Outcome::Interrupted);
        let (target, failure) = self.broken.take().unwrap_or_else(|| {
            let unknown = Failure::new(FailureKind::Interrupted, "the stream broke off");
            (Arc::new(TargetName::new("", "")), unknown)
        });
        StreamError { id: self.id, target, failure }
    }
}

impl Journey {
    /// Settles a stream that broke after part of it had reached the caller, and learns from it.
    fn broke_off(&mut self, served: Served<Box<Relay>>, failure: &Failure) -> Onward {
        let (now, wall) = (self.router.clock.now(), self.router.clock.wall());
        let took = now.since(served.sent);
        // An answer that begins differently is not the provider's fault, and neither is a request that ran out of time.
        let settled = match served.received.differs || now >= self.deadline {
            true => served.flight.abandoned(),
            false => {
                let settled = served.flight.failed(failure, now, wall);
                served.report.into_iter().for_each(|report| report.failed(failure.kind, settled.cost));
                settled
            }
        };
        self.story.broke(&served.target, failure, took);
        let Some(seat) = self.route.roster.get(served.plan.target as usize).cloned() else { return Onward::Nowhere };
        let onward = self.learn(&served.plan, &seat, failure, took, settled.cost.unwrap_or_default());
        if served.received.differs { Onward::Nowhere } else { onward }
    }

    /// Whether another target may go on with an answer that breaks off.
    fn may_be_gone_on_with(&self) -> bool {
        self.route.on_interrupt != OnInterrupt::Fail && !self.asked.asks_for_several()
    }
}
