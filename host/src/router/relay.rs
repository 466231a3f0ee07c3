//! A stream on its way to the caller: opened at the first token, passed on as it comes, ended honestly.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::clock::Clock;
use crate::provider::{ChunkFacts, Completion, EventFault, content_filtered, decode, decode_event, is_filtered};
use crate::transport::{ByteStream, SseError, SseEvent, SseSplitter};
use crate::types::{Failure, FailureKind, Usage};

use super::attempt::{Line, Shape, read_whole};
use super::chunk::{Chunk, as_event};
use super::limits::{Limit, Limits};

/// The most bytes of comments that are kept for the next chunk.
const MOST_COMMENTS: usize = 64 << 10;

/// A reply wanted as a stream.
pub(super) struct Streamed;

impl Shape for Streamed {
    const STREAMING: bool = true;
    type Received = Relay;

    async fn receive(clock: &dyn Clock, limits: &Limits, line: Line, body: ByteStream) -> Result<Relay, Failure> {
        if is_whole(&line) {
            let body = read_whole(clock, limits.first_token, body).await?;
            let completion = decode(line.protocol, &line.head(clock), &body)?;
            return Ok(Relay::of_whole(line, completion));
        }
        let mut relay = Relay::new(line, body);
        relay.read_to_first_token(clock, limits).await?;
        Ok(relay)
    }
}

/// Reads a provider's stream event by event and knows whether it came to its end.
pub(super) struct Relay {
    line: Line,
    body: Option<ByteStream>,
    splitter: SseSplitter,
    ready: VecDeque<Chunk>,
    comments: BytesMut,
    ending: Ending,
    /// What the provider counted, where it has said.
    pub(super) usage: Option<Usage>,
    /// Why the answer ended, where it has.
    pub(super) finish_reason: Option<String>,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Tokens are coming.
    Open,
    /// The answer is whole; usage and the end mark may still come.
    Finished,
    /// Nothing more comes.
    Closed,
}

/// What the next bytes of a stream brought.
enum Step {
    /// A chunk, and whether it carries a token.
    Chunk(Chunk, bool),
    /// The end.
    End,
}

impl Relay {
    fn new(line: Line, body: ByteStream) -> Self {
        Self {
            line,
            body: Some(body),
            splitter: SseSplitter::new(),
            ready: VecDeque::new(),
            comments: BytesMut::new(),
            ending: Ending::Open,
            usage: None,
            finish_reason: None,
        }
    }

    /// A whole reply in answer to a request for a stream: one chunk and the end.
    fn of_whole(line: Line, completion: Completion) -> Self {
        let chunk = Chunk { raw: as_event(&completion.body), text: completion.text };
        Self {
            line,
            body: None,
            splitter: SseSplitter::new(),
            ready: VecDeque::from([chunk]),
            comments: BytesMut::new(),
            ending: Ending::Finished,
            usage: completion.usage,
            finish_reason: completion.finish_reason,
        }
    }

    /// Holds events back until one carries a token, so that a failure before it is nobody's loss.
    async fn read_to_first_token(&mut self, clock: &dyn Clock, limits: &Limits) -> Result<(), Failure> {
        let mut held = VecDeque::new();
        loop {
            match limits.first_token.bound(clock, self.step(clock)).await?? {
                Step::Chunk(chunk, has_token) => {
                    held.push_back(chunk);
                    if has_token {
                        self.ready = held;
                        return Ok(());
                    }
                    self.refuse_empty_end()?;
                }
                Step::End => return Err(self.ended_without_token()),
            }
        }
    }

    /// The next chunk; `None` at the end of a whole answer.
    ///
    /// # Errors
    /// When the stream breaks, falls silent or takes too long before its answer is whole.
    pub(super) async fn next(&mut self, clock: &dyn Clock, limits: &Limits) -> Result<Option<Chunk>, Failure> {
        if let Some(chunk) = self.ready.pop_front() {
            return Ok(Some(chunk));
        }
        let idle = Limit::after("token", clock.now(), limits.idle).or(limits.total);
        match idle.bound(clock, self.step(clock)).await {
            Ok(Ok(Step::Chunk(chunk, _))) => Ok(Some(chunk)),
            Ok(Ok(Step::End)) => Ok(None),
            // The answer was whole: whatever happens to what should have followed is no loss.
            Ok(Err(_)) | Err(_) if self.ending != Ending::Open => Ok(None),
            Ok(Err(failure)) | Err(failure) => Err(failure),
        }
    }

    async fn step(&mut self, clock: &dyn Clock) -> Result<Step, Failure> {
        loop {
            while let Some(event) = self.splitter.next_event().map_err(SseError::failure)? {
                if let Some(step) = self.take(event, clock)? {
                    return Ok(step);
                }
            }
            if self.ending == Ending::Closed {
                return Ok(Step::End);
            }
            if let Some(step) = self.read_more(clock).await? {
                return Ok(step);
            }
        }
    }

    /// Reads on. What the last bytes leave without a blank line behind it is an event all the same.
    async fn read_more(&mut self, clock: &dyn Clock) -> Result<Option<Step>, Failure> {
        let Some(body) = &mut self.body else {
            self.ending = Ending::Closed;
            return Ok(None);
        };
        match body.next().await {
            Some(Ok(bytes)) => self.splitter.feed(&bytes),
            Some(Err(error)) => return Err(error.failure()),
            None => {
                self.body = None;
                let rest = std::mem::take(&mut self.splitter).finish().map_err(SseError::failure)?;
                let step = rest.map(|event| self.take(event, clock)).transpose()?.flatten();
                if self.ending == Ending::Open {
                    return Err(Failure::new(FailureKind::Interrupted, "the stream ended before the answer did"));
                }
                return Ok(step);
            }
        }
        Ok(None)
    }

    /// Looks at one event: `None` where it is to be passed over.
    fn take(&mut self, event: SseEvent, clock: &dyn Clock) -> Result<Option<Step>, Failure> {
        let Some(data) = &event.data else {
            self.keep_comment(&event.raw);
            return Ok(None);
        };
        match decode_event(self.line.protocol, &self.line.head(clock), event.name(), data) {
            Ok(facts) if facts.done => {
                let whole = self.ending != Ending::Open;
                self.ending = Ending::Closed;
                self.body = None;
                if whole { Ok(Some(Step::End)) } else { Err(self.ended_without_finish()) }
            }
            Ok(facts) => Ok(Some(self.chunk(facts, event.raw))),
            Err(EventFault::Failure(failure)) => Err(*failure),
            // One unreadable event is passed over: if it held the end, the stream will be found to lack one.
            Err(EventFault::Malformed(_)) => Ok(None),
        }
    }

    fn chunk(&mut self, facts: ChunkFacts, raw: Bytes) -> Step {
        self.usage = facts.usage.or(self.usage);
        if facts.finish_reason.is_some() {
            self.finish_reason = facts.finish_reason;
            self.ending = Ending::Finished;
        }
        let raw = if self.comments.is_empty() {
            raw
        } else {
            self.comments.extend_from_slice(&raw);
            self.comments.split().freeze()
        };
        Step::Chunk(Chunk { text: facts.text, raw }, facts.has_content)
    }

    /// Comments and blank lines travel with the next chunk, so that the bytes stay the provider's; a flood of them is dropped.
    fn keep_comment(&mut self, raw: &[u8]) {
        if self.comments.len() + raw.len() <= MOST_COMMENTS {
            self.comments.extend_from_slice(raw);
        }
    }

    /// An answer that ends before it began is no answer, except where the length was used up by reasoning.
    fn refuse_empty_end(&mut self) -> Result<(), Failure> {
        match self.finish_reason.as_deref() {
            Some("length") | None => Ok(()),
            Some(reason) if is_filtered(reason) => Err(content_filtered(reason, self.line.status)),
            Some(_) => Err(self.ended_without_token()),
        }
    }

    fn ended_without_token(&self) -> Failure {
        Failure::new(FailureKind::MalformedReply, "the stream ended without a single token")
    }

    fn ended_without_finish(&self) -> Failure {
        Failure::new(FailureKind::Interrupted, "the stream was closed before its answer had a finish_reason")
    }
}

/// Whether a reply to a request for a stream is announced as something else: nothing, a whole completion, a web page.
fn is_whole(line: &Line) -> bool {
    let kind = line.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    line.status == 204 || kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("text/html")
}
