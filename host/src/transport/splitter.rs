//! How the streams of a protocol are taken apart: as events, or as lines.

use super::ndjson::LineSplitter;
use super::sse::{SseError, SseEvent, SseSplitter};

/// Takes a stream apart, in whichever framing its protocol has.
#[derive(Debug)]
pub enum Splitter {
    /// An event stream.
    Events(SseSplitter),
    /// One JSON value a line.
    Lines(LineSplitter),
}

impl Splitter {
    /// A splitter at the start of an event stream.
    #[must_use]
    pub fn events() -> Self {
        Self::Events(SseSplitter::new())
    }

    /// A splitter at the start of a stream of lines.
    #[must_use]
    pub fn lines() -> Self {
        Self::Lines(LineSplitter::new())
    }

    /// Takes in what has come. `next_event` is to be asked until it has nothing more, before more is fed.
    pub fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::Events(splitter) => splitter.feed(bytes),
            Self::Lines(splitter) => splitter.feed(bytes),
        }
    }

    /// The next piece that is complete.
    ///
    /// # Errors
    /// When an event or a line is longer than the limit; nothing more is read then.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseError> {
        match self {
            Self::Events(splitter) => splitter.next_event(),
            Self::Lines(splitter) => splitter.next_event(),
        }
    }

    /// The last piece, at the end of the stream: an event without its blank line, a line without its end, or bare bytes.
    ///
    /// # Errors
    /// When an event or a line is longer than the limit.
    pub fn finish(self) -> Result<Option<SseEvent>, SseError> {
        match self {
            Self::Events(splitter) => splitter.finish(),
            Self::Lines(splitter) => splitter.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_same_bytes_apart_in_either_framing() {
        let said = |mut splitter: Splitter| {
            splitter.feed(b"data: {}\n\n{}");
            let mut pieces: Vec<_> = std::iter::from_fn(|| splitter.next_event().unwrap()).collect();
            pieces.extend(splitter.finish().unwrap());
            pieces.into_iter().filter_map(|piece| piece.data).collect::<Vec<_>>()
        };

        assert_eq!(said(Splitter::events()), ["{}"]);
        assert_eq!(said(Splitter::lines()), ["data: {}", "{}"]);
    }
}
