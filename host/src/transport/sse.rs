//! An event stream taken apart as it comes: pure, in any split of the bytes, and without losing one of them.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use thiserror::Error;

use crate::types::{Failure, FailureKind};

/// A piece of an event stream. All pieces' `raw` together are the stream, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The bytes as they came, line ends and all.
    pub raw: Bytes,
    /// What its `data` lines say, joined with line feeds; `None` for what is no event: comments, blank lines, other fields.
    pub data: Option<Bytes>,
    name: Option<Bytes>,
}

/// Why a stream is not read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SseError {
    /// One event, or one line, is longer than allowed.
    #[error("an event of more than {limit} bytes in the stream")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Takes a stream apart. What is kept between two calls is the event under way and nothing else: comments and blank lines
/// are handed on at once.
#[derive(Debug)]
pub struct SseSplitter {
    limit: usize,
    buffer: BytesMut,
    /// Where the line under way begins.
    line: usize,
    /// How far that line has been searched for its end.
    searched: usize,
    /// The `data` values of the event under way.
    data: Vec<Range<usize>>,
    name: Option<Range<usize>>,
    /// Whether the event under way has any field.
    has_fields: bool,
    /// The last line ended in a carriage return at the very end of what had come: a line feed next belongs to it.
    after_return: bool,
    /// No line has been read yet: there may be a byte order mark.
    at_start: bool,
    failed: bool,
}

/// What a byte order mark looks like in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

impl SseEvent {
    /// An event that is one line of a stream without event framing; `None` for a blank line.
    pub(super) fn line(raw: Bytes, data: Option<Bytes>) -> Self {
        Self { raw, data, name: None }
    }

    /// What its `event` line says.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        std::str::from_utf8(self.name.as_deref()?).ok()
    }
}

impl SseError {
    /// The failure as data for the strategy.
    #[must_use]
    pub fn failure(self) -> Failure {
        Failure::new(FailureKind::MalformedReply, self.to_string())
    }
}

impl Default for SseSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl SseSplitter {
    /// The longest event that is read where nothing else is said: 1 MiB.
    pub const LONGEST_EVENT: usize = 1 << 20;

    /// A splitter at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(Self::LONGEST_EVENT)
    }

    /// A splitter that takes events of at most so many bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            buffer: BytesMut::new(),
            line: 0,
            searched: 0,
            data: Vec::new(),
            name: None,
            has_fields: false,
            after_return: false,
            at_start: true,
            failed: false,
        }
    }

    /// Takes in what has come. `next_event` is to be asked until it has nothing more, before more is fed.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next piece that is complete.
    ///
    /// # Errors
    /// When an event or a line is longer than the limit; nothing more is read then.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseError> {
        if self.failed {
            return Err(SseError::TooLarge { limit: self.limit });
        }
        self.take_line_feed();
        while let Some((end, next)) = self.line_end() {
            if end - self.line > self.limit {
                return self.fail();
            }
            let content = self.content(end);
            match self.buffer.get(content.clone()).and_then(<[u8]>::first) {
                None if self.has_fields => {
                    return if next > self.limit { self.fail() } else { Ok(Some(self.take(next))) };
                }
                None | Some(b':') => {}
                // What came before the first field is no part of the event.
                Some(_) if !self.has_fields && self.line > 0 => return Ok(Some(self.take(self.line))),
                Some(_) => self.read_field(content),
            }
            self.pass_line(next);
        }
        self.searched = self.buffer.len();
        if !self.has_fields && self.line > 0 {
            return Ok(Some(self.take(self.line)));
        }
        if self.buffer.len() > self.limit { self.fail() } else { Ok(None) }
    }

    /// The last piece, at the end of the stream: an event without its blank line, or bare bytes.
    ///
    /// # Errors
    /// When an event or a line is longer than the limit.
    pub fn finish(mut self) -> Result<Option<SseEvent>, SseError> {
        if let Some(event) = self.next_event()? {
            // Not asked to the end: what is left is one piece with this.
            return Ok(Some(event));
        }
        let end = self.buffer.len();
        if end == 0 {
            return Ok(None);
        }
        let content = self.content(end);
        if !matches!(self.buffer.get(content.clone()).and_then(<[u8]>::first), None | Some(b':')) {
            self.read_field(content);
        }
        Ok(Some(self.take(end)))
    }

    fn take_line_feed(&mut self) {
        if let Some(first) = self.buffer.get(self.line).filter(|_| self.after_return) {
            if *first == b'\n' {
                self.line += 1;
                self.searched = self.searched.max(self.line);
            }
            self.after_return = false;
        }
    }

    /// Where the line under way ends, and where the next one begins.
    fn line_end(&mut self) -> Option<(usize, usize)> {
        let rest = self.buffer.get(self.searched..)?;
        let end = self.searched + memchr2(b'\n', b'\r', rest)?;
        let is_pair = self.buffer.get(end..end + 2) == Some(b"\r\n");
        self.after_return = self.buffer.get(end..) == Some(b"\r");
        Some((end, end + if is_pair { 2 } else { 1 }))
    }

    /// The line under way without a byte order mark before it.
    fn content(&self, end: usize) -> Range<usize> {
        let line = self.buffer.get(self.line..end).unwrap_or_default();
        let marked = self.at_start && line.starts_with(MARK);
        self.line + if marked { MARK.len() } else { 0 }..end
    }

    fn pass_line(&mut self, next: usize) {
        self.line = next;
        self.searched = next;
        self.at_start = false;
    }

    fn read_field(&mut self, content: Range<usize>) {
        self.has_fields = true;
        let line = self.buffer.get(content.clone()).unwrap_or_default();
        let colon = line.iter().position(|byte| *byte == b':');
        let name = line.get(..colon.unwrap_or(line.len())).unwrap_or_default();
        let value = colon.map_or(line.len(), |colon| {
            let space = line.get(colon + 1) == Some(&b' ');
            colon + if space { 2 } else { 1 }
        });
        let value = content.start + value..content.end;
        match name {
            b"data" => self.data.push(value),
            b"event" => self.name = Some(value),
            _ => {}
        }
    }

    /// Takes the bytes up to `end` out as one piece.
    fn take(&mut self, end: usize) -> SseEvent {
        let raw = self.buffer.split_to(end).freeze();
        self.line = self.line.saturating_sub(end);
        self.searched = self.line;
        self.at_start = self.at_start && end == 0;
        self.has_fields = false;
        let name = self.name.take().map(|range| raw.slice(range));
        let lines = std::mem::take(&mut self.data);
        let data = match lines.as_slice() {
            [] => None,
            [line] => Some(raw.slice(line.clone())),
            lines => Some(join(&raw, lines)),
        };
        SseEvent { raw, data, name }
    }

    fn fail(&mut self) -> Result<Option<SseEvent>, SseError> {
        self.failed = true;
        self.buffer = BytesMut::new();
        Err(SseError::TooLarge { limit: self.limit })
    }
}

fn join(raw: &Bytes, lines: &[Range<usize>]) -> Bytes {
    let parts: Vec<&[u8]> = lines.iter().map(|line| raw.get(line.clone()).unwrap_or_default()).collect();
    parts.join(&b'\n').into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything a stream consists of, fed in pieces that end at the given places.
    fn split(stream: &[u8], cuts: &[usize]) -> Vec<SseEvent> {
        let mut splitter = SseSplitter::new();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([stream.len()]) {
            splitter.feed(&stream[from..cut]);
            from = cut;
            while let Some(piece) = splitter.next_event().unwrap() {
                pieces.push(piece);
            }
        }
        pieces.extend(splitter.finish().unwrap());
        pieces
    }

    /// What the events among the pieces say.
    fn events(pieces: &[SseEvent]) -> Vec<(Option<String>, String)> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let events =
            pieces.iter().filter_map(|piece| Some((piece.name().map(str::to_owned), text(piece.data.as_ref()?))));
        events.collect()
    }

    fn data(stream: &str) -> Vec<String> {
        events(&split(stream.as_bytes(), &[])).into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn reads_events_with_any_line_end() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = ["data: a", "", ": comment", "event: error", "data: b", "data:c", "", "data: [DONE]", "", ""];
            let pieces = split(stream.join(end).as_bytes(), &[]);

            let expected = [(None, "a"), (Some("error"), "b\nc"), (None, "[DONE]")];
            let expected = expected.map(|(name, data)| (name.map(str::to_owned), data.to_owned()));
            assert_eq!(events(&pieces), expected, "{end:?}");
        }
    }

    #[test]
    fn takes_off_one_space_and_a_byte_order_mark() {
        assert_eq!(data("\u{feff}data:  a\n\ndata:b\n\ndata\n\n"), [" a", "b", ""]);
        assert_eq!(data("data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    }

    #[test]
    fn gives_the_last_event_that_lacks_its_blank_line() {
        assert_eq!(data("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
        assert_eq!(data("data: a\n\ndata: [DONE]\n"), ["a", "[DONE]"]);
        assert_eq!(data("data: a\n\n: bye"), ["a"]);
    }

    #[test]
    fn gives_an_event_as_soon_as_its_blank_line_is_there() {
        let mut splitter = SseSplitter::new();

        splitter.feed(b"data: a\r\n\r");
        let first = splitter.next_event().unwrap().unwrap();
        splitter.feed(b"\ndata: b\r\n\r\n");
        let rest: Vec<_> = std::iter::from_fn(|| splitter.next_event().unwrap()).collect();

        assert_eq!(first.data.unwrap(), "a");
        assert_eq!(events(&rest), [(None, "b".to_owned())]);
    }

    #[test]
    fn shares_the_bytes_of_a_single_line() {
        let pieces = split(b"data: abc\n\n", &[]);
        let [piece] = pieces.as_slice() else { panic!("{pieces:?}") };

        assert_eq!(piece.raw, "data: abc\n\n");
        assert_eq!(piece.data.as_ref().unwrap().as_ptr(), piece.raw.slice(6..).as_ptr());
    }

    #[test]
    fn keeps_nothing_of_comments_and_blank_lines() {
        let mut splitter = SseSplitter::with_limit(64);

        for _ in 0..10_000 {
            splitter.feed(b": keep-alive\n\n\n\r\n: and another comment without an end of its own\n");
            while let Some(piece) = splitter.next_event().unwrap() {
                assert_eq!(piece.data, None);
            }
            assert!(splitter.buffer.is_empty());
        }
    }

    #[test]
    fn refuses_an_event_without_end() {
        for piece in ["xxxxxxxxxxxxxxxx", "data: x\n", "data: x\n: c\n", ":ccccccccccccccc"] {
            let mut splitter = SseSplitter::with_limit(64);
            let error = (0..100).find_map(|_| {
                splitter.feed(piece.as_bytes());
                splitter.next_event().err()
            });

            assert_eq!(error, Some(SseError::TooLarge { limit: 64 }), "{piece}");
            assert_eq!((splitter.next_event().is_err(), splitter.buffer.capacity()), (true, 0));
        }
    }

    #[test]
    fn reads_the_same_events_in_every_split_in_two() {
        let stream =
            "\u{feff}: hi\r\n\r\nevent: x\rdata: é\r\r\n\ndata: 1\ndata: 2\n\nid: 7\n\ndata: [DONE]".as_bytes();
        let whole = events(&split(stream, &[]));

        for cut in 0..=stream.len() {
            let pieces = split(stream, &[cut]);
            assert_eq!(events(&pieces), whole, "{cut}");
            assert_eq!(pieces.iter().flat_map(|piece| piece.raw.to_vec()).collect::<Vec<_>>(), stream, "{cut}");
        }
    }

    // RELIABILITY 48
    #[test]
    fn reads_the_same_events_in_every_split_in_three_and_byte_by_byte_with_any_line_end() {
        let lines =
            ["\u{feff}: hi", "", "event: é", "data: 1", ": between", "data: 2", "", "", "data: 日", "", "data: [DONE]"];
        let expected = [(Some("é"), "1\n2"), (None, "日"), (None, "[DONE]")];
        let expected = expected.map(|(name, data)| (name.map(str::to_owned), data.to_owned()));
        for end in ["\n", "\r", "\r\n"] {
            let stream = lines.join(end).into_bytes();
            let offsets: Vec<usize> = (0..=stream.len()).collect();
            let in_three = offsets.iter().flat_map(|&one| offsets.iter().skip(one).map(move |&two| vec![one, two]));

            for cuts in in_three.chain([offsets.clone()]) {
                let pieces = split(&stream, &cuts);

                assert_eq!(events(&pieces), expected, "{end:?} {cuts:?}");
                assert_eq!(pieces.iter().flat_map(|piece| piece.raw.to_vec()).collect::<Vec<_>>(), stream, "{cuts:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn reads_the_same_events_in_any_split(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "data", ":", " ", "a", "\n", "\r", "\r\n", "\n\n", "event: e", "\u{feff}", "data: x\n", "é", "id: 1",
                ]),
                0..40,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let stream = parts.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.sort_unstable();

            let pieces = split(&stream, &cuts);

            prop_assert_eq!(events(&pieces), events(&split(&stream, &[])));
            prop_assert_eq!(pieces.iter().flat_map(|piece| piece.raw.to_vec()).collect::<Vec<_>>(), stream);
        }

        #[test]
        fn loses_no_byte_of_anything(stream in prop::collection::vec(any::<u8>(), 0..300)) {
            let pieces = split(&stream, &[]);
            prop_assert_eq!(pieces.iter().flat_map(|piece| piece.raw.to_vec()).collect::<Vec<_>>(), stream);
        }
    }
}
