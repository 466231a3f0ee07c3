//! One reply of a scripted provider: what it says, and what goes wrong while it is said.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Answer, Fault, Place, RetryAfter};

/// A reply to one call.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) content: Content,
    pub(super) headers: Vec<(String, String)>,
    pub(super) retry_after: RetryAfter,
    pub(super) mishaps: Vec<(Place, Mishap)>,
    pub(super) framing: Framing,
    pub(super) drip: Option<Duration>,
}

/// What the body is made of.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A completion, whole or streamed as the request asks.
    Answer(Box<Answer>),
    /// These bytes, whatever was asked.
    Fixed { content_type: Option<String>, body: Bytes },
}

/// What happens at a place of the reply.
#[derive(Debug, Clone)]
pub(super) enum Mishap {
    Fault(Fault),
    /// An error within a stream, in the words of the protocol that was called.
    ErrorEvent,
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// As it should be: by length for whole bodies, by chunks for streams.
    Sound,
    /// A content-length that is off by so many bytes; the connection is closed after the body.
    LengthOffBy(i64),
    /// Chunks without the last one; the connection is closed in its place.
    NoLastChunk,
}

impl Reply {
    /// A completion with this text, whole or streamed as the request asks. [`Answer`] says more.
    #[must_use]
    pub fn answer(text: impl Into<String>) -> Self {
        Answer::new(text).into()
    }

    /// A reply of this status and JSON body.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json", body.to_string())
    }

    /// A reply of this status, content type and body, none of which need make sense.
    #[must_use]
    pub fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::new(status, Content::Fixed { content_type: Some(content_type.to_owned()), body: body.into() })
    }

    /// A reply of this status without a body, such as 204.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self::new(status, Content::Fixed { content_type: None, body: Bytes::new() })
    }

    /// The status it is sent with.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Sends it with this status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header. It is sent as it stands, forbidden bytes included.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Tells how long to wait, in place of what it told before.
    #[must_use]
    pub fn retry_after(mut self, wait: RetryAfter) -> Self {
        self.retry_after = wait;
        self
    }

    /// Lets something happen at a place of the reply. Of several at one place the first comes first.
    #[must_use]
    pub fn at(mut self, place: Place, fault: Fault) -> Self {
        self.mishaps.push((place, Mishap::Fault(fault)));
        self
    }

    /// Sends an error within the stream at a place of it, in the words of the protocol that was called: Anthropic's
    /// `event: error`, Gemini's and Ollama's `error` in place of an answer.
    #[must_use]
    pub fn error_event_at(mut self, place: Place) -> Self {
        self.mishaps.push((place, Mishap::ErrorEvent));
        self
    }

    /// Waits before the head is sent: a slow provider.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        self.at(Place::BeforeHead, Fault::Pause(wait))
    }

    /// Sends one byte at a time with a pause after each.
    #[must_use]
    pub fn byte_by_byte(mut self, every: Duration) -> Self {
        self.drip = Some(every);
        self
    }

    /// Declares a content-length so many bytes more (or less) than there are, then closes the connection.
    #[must_use]
    pub fn content_length_off_by(mut self, bytes: i64) -> Self {
        self.framing = Framing::LengthOffBy(bytes);
        self
    }

    /// Closes the connection where the last chunk of HTTP should be.
    #[must_use]
    pub fn without_last_chunk(mut self) -> Self {
        self.framing = Framing::NoLastChunk;
        self
    }

    /// Declares a coding that the body does not have, such as `gzip`.
    #[must_use]
    pub fn wrong_content_encoding(self, encoding: &str) -> Self {
        self.header("content-encoding", encoding)
    }

    fn new(status: u16, content: Content) -> Self {
        Self {
            status,
            content,
            headers: Vec::new(),
            retry_after: RetryAfter::Unsaid,
            mishaps: Vec::new(),
            framing: Framing::Sound,
            drip: None,
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::new(200, Content::Answer(Box::new(answer)))
    }
}
