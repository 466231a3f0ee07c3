//! A stream of JSON values, one a line, taken apart as it comes: pure, in any split of the bytes, without losing one of them.

use bytes::{Bytes, BytesMut};

use super::sse::{SseError, SseEvent, SseSplitter};

/// Takes a stream of lines apart. What is kept between two calls is the line under way and nothing else.
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    buffer: BytesMut,
    /// How far the line under way has been searched for its end.
    searched: usize,
    /// No line has been read yet: there may be a byte order mark.
    at_start: bool,
    failed: bool,
}

/// What a byte order mark looks like in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

impl Default for LineSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl LineSplitter {
    /// A splitter at the start of a stream that takes lines as long as events may be.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(SseSplitter::LONGEST_EVENT)
    }

    /// A splitter that takes lines of at most so many bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, buffer: BytesMut::new(), searched: 0, at_start: true, failed: false }
    }

    /// Takes in what has come. `next_event` is to be asked until it has nothing more, before more is fed.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next line that is complete; a blank one has no `data`.
    ///
    /// # Errors
    /// When a line is longer than the limit; nothing more is read then.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseError> {
        if self.failed {
            return Err(SseError::TooLarge { limit: self.limit });
        }
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return if self.searched > self.limit { self.fail() } else { Ok(None) };
        };
        let end = self.searched + end;
        if end > self.limit { self.fail() } else { Ok(Some(self.take(end + 1))) }
    }

    /// The last line, at the end of the stream, where it lacks its end.
    ///
    /// # Errors
    /// When a line is longer than the limit.
    pub fn finish(mut self) -> Result<Option<SseEvent>, SseError> {
        if let Some(event) = self.next_event()? {
            // Not asked to the end: what is left is one piece with this.
            return Ok(Some(event));
        }
        let rest = self.buffer.len();
        Ok((rest > 0).then(|| self.take(rest)))
    }

    /// Takes the bytes up to `end` out as one line.
    fn take(&mut self, end: usize) -> SseEvent {
        let raw = self.buffer.split_to(end).freeze();
        self.searched = 0;
        let marked = std::mem::take(&mut self.at_start) && raw.starts_with(MARK);
        let start = if marked { MARK.len() } else { 0 };
        let line = raw.slice(start..);
        let data = (!line.trim_ascii().is_empty()).then(|| without_end(&line));
        SseEvent::line(raw, data)
    }

    fn fail(&mut self) -> Result<Option<SseEvent>, SseError> {
        self.failed = true;
        self.buffer = BytesMut::new();
        Err(SseError::TooLarge { limit: self.limit })
    }
}

/// The line without the line feed, or the carriage return and line feed, at its end.
fn without_end(line: &Bytes) -> Bytes {
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    line.slice(..content.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything a stream consists of, fed in pieces that end at the given places.
    fn split(stream: &[u8], cuts: &[usize]) -> Vec<SseEvent> {
        let mut splitter = LineSplitter::new();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([stream.len()]) {
            splitter.feed(&stream[from..cut]);
            from = cut;
            pieces.extend(std::iter::from_fn(|| splitter.next_event().unwrap()));
        }
        pieces.extend(splitter.finish().unwrap());
        pieces
    }

    fn lines(stream: &str) -> Vec<String> {
        let pieces = split(stream.as_bytes(), &[]).into_iter();
        pieces.filter_map(|piece| Some(String::from_utf8_lossy(&piece.data?).into_owned())).collect()
    }

    #[test]
    fn reads_a_value_from_every_line_that_has_one() {
        assert_eq!(lines("{\"a\":1}\n\n  \r\n{\"b\":2}\r\n {\"c\":3}"), ["{\"a\":1}", "{\"b\":2}", " {\"c\":3}"]);
        assert_eq!(lines("\u{feff}{}\n\u{feff}{}\n"), ["{}", "\u{feff}{}"]);
        assert_eq!(lines(""), [""; 0]);
    }

    #[test]
    fn gives_a_line_as_soon_as_it_ends_and_shares_its_bytes() {
        let mut splitter = LineSplitter::new();

        splitter.feed(b"{\"a\":1}\n{\"b\"");
        let first = splitter.next_event().unwrap().unwrap();

        assert_eq!(first.data.as_deref(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(first.data.unwrap().as_ptr(), first.raw.as_ptr());
        assert_eq!(splitter.next_event(), Ok(None));
    }

    #[test]
    fn refuses_a_line_without_end() {
        for fed in [&[b'x'; 65][..], b"xxxxxxxxxxxxxxxx"] {
            let mut splitter = LineSplitter::with_limit(64);
            let error = (0..100).find_map(|_| {
                splitter.feed(fed);
                splitter.next_event().err()
            });

            assert_eq!(error, Some(SseError::TooLarge { limit: 64 }));
            assert_eq!((splitter.next_event().is_err(), splitter.buffer.capacity()), (true, 0));
        }
    }

    #[test]
    fn keeps_nothing_of_blank_lines() {
        let mut splitter = LineSplitter::with_limit(64);

        for _ in 0..1_000 {
            splitter.feed(b"\n\r\n   \n");
            while let Some(piece) = splitter.next_event().unwrap() {
                assert_eq!(piece.data, None);
            }
            assert!(splitter.buffer.is_empty());
        }
    }

    proptest! {
        #[test]
        fn reads_the_same_lines_in_any_split(
            parts in prop::collection::vec(
                prop::sample::select(vec!["{", "}", "\n", "\r\n", "\r", " ", "\u{feff}", "é", "{\"a\":1}\n"]),
                0..40,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let stream = parts.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.sort_unstable();

            let pieces = split(&stream, &cuts);

            prop_assert_eq!(&pieces, &split(&stream, &[]));
            prop_assert_eq!(pieces.iter().flat_map(|piece| piece.raw.to_vec()).collect::<Vec<_>>(), stream);
        }
    }
}
