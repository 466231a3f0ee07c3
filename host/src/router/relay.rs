//! A stream on its way to the caller: opened at the first token, passed on as it comes, ended honestly.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::clock::{Clock, Moment};
use crate::config::Protocol;
use crate::provider::{ChunkFacts, Completion, Decoder, EventFault, content_filtered, decode, is_filtered};
use crate::transport::{ByteStream, Splitter, SseError, SseEvent};
use crate::types::{Failure, FailureKind, Usage};

use super::attempt::{LARGEST_REPLY, Line, Shape, read_whole};
use super::chunk::{Chunk, as_event, calls_of, remainder};
use super::limits::{Limit, Limits};
use super::seam::{Differs, Joined};

/// The most bytes of a stream that are held back.
const MOST_HELD: usize = 256 << 10;

/// The most bytes of comments that are kept for the next chunk.
const MOST_COMMENTS: usize = 64 << 10;

/// A reply wanted as a stream.
pub(super) struct Streamed;

impl Shape for Streamed {
    const STREAMING: bool = true;
    // Boxed: it is handed on from the attempt to the caller, and is large.
    type Received = Box<Relay>;

    async fn receive(
        clock: &dyn Clock,
        limits: &Limits,
        line: Line,
        mut body: ByteStream,
    ) -> Result<Box<Relay>, Failure> {
        if is_whole(&line) {
            let whole = read_whole(clock, limits.first_token, body, LARGEST_REPLY).await?;
            if !begins_like_events(&whole) {
                let completion = decode(line.protocol, &line.head(clock), &whole, &line.reading)?;
                return Relay::of_whole(line, completion).map(Box::new);
            }
            body = Box::pin(futures_util::stream::iter([Ok(whole)]));
        }
        let mut relay = Box::new(Relay::new(line, body));
        relay.read_to_first_token(clock, limits).await?;
        relay.hold_back(clock, limits).await?;
        Ok(relay)
    }

    fn began(received: &Box<Relay>, now: Moment) -> Moment {
        received.began.unwrap_or(now)
    }
}

/// Reads a provider's stream event by event and knows whether it came to its end.
pub(super) struct Relay {
    decoder: Decoder,
    line: Line,
    body: Option<ByteStream>,
    splitter: Splitter,
    ready: VecDeque<Chunk>,
    comments: BytesMut,
    ending: Ending,
    /// When the first token came.
    began: Option<Moment>,
    /// Events that carried a token.
    tokens: u64,
    /// An event could not be read: it may have held a piece of the answer.
    has_unread: bool,
    /// Another target had begun the answer, and this one goes on with it.
    was_begun: bool,
    /// How it broke before anybody had asked for more.
    broken: Option<Failure>,
    /// The answer is not the one that another target had begun.
    pub(super) differs: bool,
    /// What the provider counted, where it has said.
    usage: Option<Usage>,
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
    /// A chunk, unless the caller has it already, and whether it carries a token.
    Chunk(Option<Chunk>, bool),
    /// The end.
    End,
}

impl Relay {
    fn new(line: Line, body: ByteStream) -> Self {
        Self {
            decoder: Decoder::new(line.protocol, line.reading.clone()),
            body: Some(body),
            splitter: splitter(line.protocol),
            ready: VecDeque::new(),
            comments: BytesMut::new(),
            ending: Ending::Open,
            began: None,
            tokens: 0,
            has_unread: false,
            was_begun: line.seam.may_end_empty(),
            line,
            broken: None,
            differs: false,
            usage: None,
            finish_reason: None,
        }
    }

    /// A whole reply in answer to a request for a stream: one chunk and the end.
    fn of_whole(line: Line, completion: Completion) -> Result<Self, Failure> {
        let Some(event) = as_event(&completion.body) else {
            let words = "a whole reply to a request for a stream, which cannot be written as an event";
            return Err(Failure::new(FailureKind::MalformedReply, words).with_status(line.status));
        };
        let facts = ChunkFacts {
            calls: calls_of(&event),
            has_content: true,
            finish_reason: completion.finish_reason.or_else(|| Some("stop".to_owned())),
            usage: completion.usage,
            model: completion.model,
            text: completion.text,
            ..ChunkFacts::default()
        };
        let mut relay = Self { body: None, ..Self::new(line, Box::pin(futures_util::stream::empty())) };
        if let Step::Chunk(Some(chunk), _) = relay.chunk(facts, event)? {
            relay.ready.push_back(chunk);
        }
        Ok(relay)
    }

    /// Holds events back until one carries a token, so that a failure before it is nobody's loss.
    async fn read_to_first_token(&mut self, clock: &dyn Clock, limits: &Limits) -> Result<(), Failure> {
        let mut held = VecDeque::new();
        loop {
            match limits.first_token.bound(clock, self.step(clock)).await? {
                // That shows the provider at work, however little use it is here.
                Err(failure) if self.differs => {
                    self.broken = Some(failure);
                    return Ok(());
                }
                Err(failure) => return Err(failure),
                Ok(Step::Chunk(chunk, has_token)) => {
                    held.extend(chunk);
                    if has_token || self.ends_empty_rightly() {
                        self.ready = held;
                        self.began = Some(clock.now());
                        return Ok(());
                    }
                    self.refuse_empty_end()?;
                }
                // A model may think until its tokens are used up, and have said nothing.
                Ok(Step::End) if self.finish_reason.as_deref() == Some("length") => {
                    self.ready = held;
                    return Ok(());
                }
                Ok(Step::End) => return Err(self.ended_without_token()),
            }
        }
    }

    /// Holds more events back where the route wants that: a failure among them is nobody's loss either.
    async fn hold_back(&mut self, clock: &dyn Clock, limits: &Limits) -> Result<(), Failure> {
        let until = limits.hold_back.time.map(|time| clock.now() + time);
        let (mut tokens, mut bytes) = (1, 0);
        while self.broken.is_none()
            && tokens < limits.hold_back.tokens
            && bytes < MOST_HELD
            && self.ending == Ending::Open
        {
            let idle = Limit::after("token", clock.now(), limits.idle).or(limits.total);
            let read = async {
                match until {
                    Some(until) => tokio::select! {
                        biased;
                        step = self.step(clock) => Some(step),
                        () = clock.sleep_until(until) => None,
                    },
                    None => Some(self.step(clock).await),
                }
            };
            match idle.bound(clock, read).await? {
                Some(step) => match step? {
                    Step::Chunk(chunk, has_token) => {
                        tokens += u32::from(has_token);
                        bytes += chunk.as_ref().map_or(0, |chunk| chunk.raw.len());
                        self.ready.extend(chunk);
                    }
                    Step::End => return Ok(()),
                },
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// An answer that another target had nearly ended may have had nothing left to say.
    fn ends_empty_rightly(&self) -> bool {
        self.ending != Ending::Open && self.was_begun
    }

    /// The next chunk; `None` at the end of a whole answer.
    ///
    /// # Errors
    /// When the stream breaks, falls silent or takes too long before its answer is whole.
    pub(super) async fn next(&mut self, clock: &dyn Clock, limits: &Limits) -> Result<Option<Chunk>, Failure> {
        if let Some(chunk) = self.ready.pop_front() {
            return Ok(Some(chunk));
        }
        if let Some(failure) = self.broken.take() {
            return Err(failure);
        }
        let mut idle = Limit::after("token", clock.now(), limits.idle).or(limits.total);
        loop {
            match idle.bound(clock, self.step(clock)).await {
                Ok(Ok(Step::Chunk(Some(chunk), _))) => return Ok(Some(chunk)),
                // The caller has it; it shows all the same that the provider is at work.
                Ok(Ok(Step::Chunk(None, _))) => {
                    idle = Limit::after("token", clock.now(), limits.idle).or(limits.total);
                }
                Ok(Ok(Step::End)) => return self.end(),
                // The answer was whole: whatever happens to what should have followed is no loss.
                Ok(Err(_)) | Err(_) if self.ending != Ending::Open => return self.end(),
                Ok(Err(failure)) | Err(failure) => return Err(failure),
            }
        }
    }

    /// The end of an answer. Where an event could not be read, the answer is whole only if it has all the tokens that were
    /// counted.
    fn end(&mut self) -> Result<Option<Chunk>, Failure> {
        let has_all = self.usage.is_some_and(|usage| self.tokens >= usage.output);
        if self.has_unread && !has_all {
            let words = "an event that could not be read may have held a piece of the answer";
            return Err(Failure::new(FailureKind::Interrupted, words));
        }
        Ok(None)
    }

    /// What the provider counted, where that can be believed: an answer of some words never took no tokens.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage.filter(|usage| usage.output > 0 || self.tokens == 0)
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
                let splitter = std::mem::replace(&mut self.splitter, Splitter::events());
                let rest = splitter.finish().map_err(SseError::failure)?;
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
        match self.decoder.decode(&self.line.head(clock), event.name(), data) {
            Ok(facts) if facts.done => {
                let whole = self.ending != Ending::Open;
                self.ending = Ending::Closed;
                self.body = None;
                if whole { Ok(Some(Step::End)) } else { Err(self.ended_without_finish()) }
            }
            Ok(facts) => self.chunk(facts, event.raw).map(Some),
            Err(EventFault::Failure(failure)) => Err(*failure),
            // One unreadable event is passed over: if it held the end, the stream will be found to lack one, and if it held a
            // token, the count will not be right.
            Err(EventFault::Malformed(_)) => {
                self.has_unread |= self.ending == Ending::Open;
                Ok(None)
            }
        }
    }

    fn chunk(&mut self, mut facts: ChunkFacts, raw: Bytes) -> Result<Step, Failure> {
        self.usage = facts.usage.or(self.usage);
        let joined = self.line.seam.join(&facts).map_err(|Differs| self.begins_differently())?;
        if facts.finish_reason.is_some() {
            self.finish_reason = facts.finish_reason.take();
            self.ending = Ending::Finished;
        }
        let own = facts.event.take();
        let is_silent = facts.is_usage_only && !self.line.reading.stream_usage;
        let has_token = facts.has_content;
        self.tokens += u64::from(has_token);
        let event = match &own {
            Some(event) if event.is_empty() => return Ok(Step::Chunk(None, has_token)),
            Some(event) => event,
            None => &raw,
        };
        let chunk = match joined {
            Joined::Nothing => None,
            Joined::Whole if is_silent => None,
            Joined::Whole if own.is_none() => {
                Some(Chunk { text: facts.text, calls: facts.calls, raw: self.with_comments(raw) })
            }
            Joined::Whole => Some(Chunk { text: facts.text, calls: facts.calls, raw: event.clone() }),
            Joined::Rest { text, calls } => {
                let raw = remainder(event, &text, &calls);
                Some(Chunk { text, calls, raw })
            }
        };
        Ok(Step::Chunk(chunk, has_token))
    }

    /// An event with the comments that came before it.
    fn with_comments(&mut self, raw: Bytes) -> Bytes {
        if self.comments.is_empty() {
            return raw;
        }
        self.comments.extend_from_slice(&raw);
        self.comments.split().freeze()
    }

    fn begins_differently(&mut self) -> Failure {
        self.differs = true;
        Failure::new(FailureKind::Interrupted, "the answer that was begun anew is not the one that was broken off")
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

/// How a protocol's streams are told apart into events.
fn splitter(protocol: Protocol) -> Splitter {
    match protocol {
        Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini => Splitter::events(),
        Protocol::Ollama => Splitter::lines(),
    }
}

/// Whether a reply that is announced as whole is a stream all the same: OpenAI's own has been seen to call itself JSON.
fn begins_like_events(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    body.starts_with(b"data:") || body.starts_with(b"event:")
}

/// Whether a reply to a request for a stream is announced as something else: nothing, a whole completion, a web page.
fn is_whole(line: &Line) -> bool {
    let kind = line.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // Ollama's stream is JSON, too, line by line.
    let is_json = kind.eq_ignore_ascii_case("application/json") && line.protocol != Protocol::Ollama;
    line.status == 204 || is_json || kind.eq_ignore_ascii_case("text/html")
}
