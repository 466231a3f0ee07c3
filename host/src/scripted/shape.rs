//! How a protocol strings the events of a stream together.

use bytes::Bytes;

use super::answer::Pacing;
use super::events::Event;
use super::{Newline, ReceivedCall};
use crate::config::Protocol;

/// The shape of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Server-sent events.
    Sse(Protocol),
    /// A line of JSON for each event: Ollama.
    Lines,
    /// One JSON list that grows: Gemini where nobody asked for `alt=sse`.
    List,
}

impl Shape {
    /// The shape a call asks for.
    pub(super) fn of(call: &ReceivedCall) -> Self {
        match call.protocol() {
            Protocol::Gemini if !call.path.contains("alt=sse") => Self::List,
            Protocol::Ollama => Self::Lines,
            protocol @ (Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini) => Self::Sse(protocol),
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Sse(Protocol::Gemini) => "text/event-stream",
            Self::Sse(Protocol::OpenAi | Protocol::Anthropic | Protocol::Ollama) => "text/event-stream; charset=utf-8",
            Self::Lines => "application/x-ndjson",
            Self::List => "application/json; charset=UTF-8",
        }
    }

    /// An event as bytes.
    pub(super) fn write(self, event: &Event, pacing: &Pacing, is_first: bool) -> Bytes {
        let newline = self.newline(pacing).as_str();
        let data = &event.data;
        Bytes::from(match self {
            Self::Sse(_) => {
                let comment = pacing.comment.as_ref().map(|text| format!(": {text}{newline}{newline}"));
                let name = event.name.map(|name| format!("event: {name}{newline}"));
                let [comment, name] = [comment, name].map(Option::unwrap_or_default);
                format!("{comment}{name}data: {data}{newline}{newline}")
            }
            Self::Lines => format!("{data}{newline}"),
            Self::List if is_first => format!("[{data}{newline}"),
            Self::List => format!(",{newline}{data}{newline}"),
        })
    }

    /// What closes the stream after its last event.
    pub(super) fn close(self) -> Option<Bytes> {
        match self {
            Self::Sse(_) | Self::Lines => None,
            Self::List => Some(Bytes::from_static(b"]")),
        }
    }

    fn newline(self, pacing: &Pacing) -> Newline {
        pacing.newline.unwrap_or(match self {
            Self::Sse(Protocol::Gemini) => Newline::CrLf,
            Self::Sse(_) | Self::Lines | Self::List => Newline::Lf,
        })
    }
}
