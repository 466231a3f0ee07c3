//! What can go wrong on the wire, and where in a reply.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

/// A place in a reply where something may happen.
///
/// A token is a piece of the text of a streamed [`Answer`](super::Answer). A reply that is not a stream has none: its
/// body counts as a single token, so `AfterTokens(0)` comes before the body, `WithinToken(0)` in the middle of it, and
/// `AfterTokens(1)` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The request was read, nothing was sent.
    BeforeHead,
    /// After the head, before the first byte of the body.
    AfterHead,
    /// After so many tokens; of 0, after the stream's opening chunk, which has none.
    AfterTokens(usize),
    /// In the middle of the token after so many: in an event, and in a chunk of HTTP.
    WithinToken(usize),
    /// After the finish reason and the usage, before `[DONE]`.
    BeforeDone,
    /// After everything, before the last chunk of HTTP.
    AfterDone,
}

/// Something that goes wrong, or only slowly.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is reset: the caller's next read fails.
    Reset,
    /// The connection is closed in an orderly way, however much of the reply is missing.
    Close,
    /// Nothing more is sent, and the connection stays open until the caller leaves.
    Silence,
    /// The body ends here in good HTTP order: a stream that was cut without a sign of it.
    End,
    /// Nothing is sent for so long.
    Pause(Duration),
    /// Nothing is sent until the test opens the gate.
    Hold(Gate),
    /// These bytes are sent in between: of the body where there is a head already, else before the head.
    Bytes(Bytes),
    /// These bytes are sent again and again.
    Repeat {
        /// What is sent.
        bytes: Bytes,
        /// The pause after each time.
        every: Duration,
        /// How often; `None` is until the caller leaves.
        times: Option<usize>,
    },
}

impl Fault {
    /// An event of a stream, well formed or not, of any text.
    #[must_use]
    pub fn event(text: &str) -> Self {
        Self::Bytes(Bytes::from(format!("data: {text}\n\n")))
    }

    /// A chunk cut in the middle of its JSON: the malformed event among whole ones.
    #[must_use]
    pub fn malformed_event() -> Self {
        Self::event(r#"{"id":"chatcmpl-scripted","object":"chat.completion.chunk","choices":[{"index":0,"del"#)
    }

    /// A piece of text that is not UTF-8.
    #[must_use]
    pub fn invalid_utf8() -> Self {
        Self::Bytes(Bytes::from_static(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n"))
    }

    /// An event that is an error, as most providers send it within a stream.
    #[must_use]
    pub fn error_event(error: &Value) -> Self {
        Self::event(&error.to_string())
    }

    /// An event named `error`, as Groq sends it within a stream.
    #[must_use]
    pub fn named_error_event(error: &Value) -> Self {
        Self::Bytes(Bytes::from(format!("event: error\ndata: {error}\n\n")))
    }

    /// Comments for ever and no token, as proxies send to keep a connection open.
    #[must_use]
    pub fn endless_comments(every: Duration) -> Self {
        Self::Repeat { bytes: Bytes::from_static(b": keep-alive\n\n"), every, times: None }
    }

    /// Blank lines for ever, as fast as the caller reads.
    #[must_use]
    pub fn endless_blank_lines() -> Self {
        Self::Repeat { bytes: Bytes::from(vec![b'\n'; PIECE]), every: Duration::ZERO, times: None }
    }

    /// A line of so many mebibytes without an end.
    #[must_use]
    pub fn giant_line(mebibytes: usize) -> Self {
        let times = mebibytes.saturating_mul((1 << 20) / PIECE);
        Self::Repeat { bytes: Bytes::from(vec![b'x'; PIECE]), every: Duration::ZERO, times: Some(times) }
    }

    /// So many interim heads `100 Continue`; to be put [before the head](Place::BeforeHead).
    #[must_use]
    pub fn interim_heads(times: usize) -> Self {
        let bytes = Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n");
        Self::Repeat { bytes, every: Duration::ZERO, times: Some(times) }
    }
}

/// The bytes of one write of a flood.
const PIECE: usize = 64 << 10;

/// Holds replies back until the test opens it: order without sleeping. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate {
    open: watch::Sender<bool>,
}

impl Gate {
    /// A gate that is closed.
    #[must_use]
    pub fn closed() -> Self {
        Self { open: watch::Sender::new(false) }
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Ends when the gate is open.
    pub(super) async fn passed(&self) {
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lets_everyone_pass_once_the_gate_is_open() {
        let gate = Gate::closed();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.passed().await }
        });

        gate.open();

        waiting.await.unwrap();
        gate.passed().await;
    }
}
