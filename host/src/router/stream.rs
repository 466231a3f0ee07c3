//! A streamed answer as the caller sees it.

use std::sync::Arc;

use futures_util::Stream;

use crate::types::{Failure, NanoUsd, Outcome, RequestId, TargetName, Usage};

use super::attempt::Served;
use super::chunk::{Chunk, fallback_chunk};
use super::relay::Relay;
use super::story::Story;
use super::{Router, StreamError};

/// An answer that comes piece by piece. Dropped before its end, it cancels the provider's call and settles it.
pub struct AnswerStream {
    /// The request's name; its record can be asked for by it.
    pub id: RequestId,
    /// Who answers; `None` for the caller's own fallback text.
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
    source: Source,
    story: Story,
    router: Arc<Router>,
}

/// Where the chunks come from.
enum Source {
    Provider(Box<Served<Relay>>),
    FallbackText(Chunk),
    Ended,
}

impl AnswerStream {
    pub(super) fn of_provider(router: Arc<Router>, served: Served<Relay>, strategy: Arc<str>, story: Story) -> Self {
        Self {
            id: story.id(),
            target: Some(Arc::clone(&served.target)),
            attempts: story.attempts_made(),
            strategy,
            usage: None,
            finish_reason: None,
            cost: None,
            source: Source::Provider(Box::new(served)),
            story,
            router,
        }
    }

    pub(super) fn of_fallback_text(router: Arc<Router>, text: &str, strategy: Arc<str>, story: Story) -> Self {
        Self {
            id: story.id(),
            target: None,
            attempts: story.attempts_made(),
            strategy,
            usage: None,
            finish_reason: Some("stop".to_owned()),
            cost: None,
            source: Source::FallbackText(fallback_chunk(story.id(), text)),
            story,
            router,
        }
    }

    /// Whether this is the caller's own fallback text and no model's answer.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.target.is_none()
    }

    /// The next piece; `None` when the answer is whole.
    ///
    /// # Errors
    /// When the stream broke before its answer was whole. A cut answer never ends with `None`.
    pub async fn next(&mut self) -> Option<Result<Chunk, StreamError>> {
        // Read in place: a caller who stops waiting and asks again goes on where the stream is.
        let read = match &mut self.source {
            Source::Provider(served) => served.received.next(&*self.router.clock, &served.limits).await,
            Source::FallbackText(_) | Source::Ended => Ok(None),
        };
        match (read, std::mem::replace(&mut self.source, Source::Ended)) {
            (Ok(Some(chunk)), source) => {
                self.source = source;
                Some(Ok(chunk))
            }
            (Ok(None), Source::Provider(served)) => {
                self.settle(*served);
                None
            }
            (Err(failure), Source::Provider(served)) => Some(Err(self.break_off(*served, failure))),
            (_, Source::FallbackText(chunk)) => Some(Ok(chunk)),
            (_, Source::Ended) => None,
        }
    }

    /// The pieces as a [`Stream`].
    pub fn into_stream(self) -> impl Stream<Item = Result<Chunk, StreamError>> + Send {
        futures_util::stream::unfold(self, async |mut stream| {
            let piece = stream.next().await?;
            Some((piece, stream))
        })
    }

    fn settle(&mut self, served: Served<Relay>) {
        let (clock, usage) = (&self.router.clock, served.received.usage);
        let settled = served.flight.served(usage, served.quota_left, clock.now(), clock.wall());
        self.usage = usage;
        self.finish_reason = served.received.finish_reason;
        self.cost = settled.cost;
        self.story.end_served(&served.target, usage, settled.cost);
    }

    fn break_off(&mut self, served: Served<Relay>, failure: Failure) -> StreamError {
        let (now, wall) = (self.router.clock.now(), self.router.clock.wall());
        served.flight.failed(&failure, now, wall);
        self.story.broke(&served.target, &failure, now.since(served.sent));
        self.story.end(Outcome::Interrupted);
        StreamError { id: self.id, target: served.target, failure }
    }
}
