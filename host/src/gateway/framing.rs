//! Where requests of HTTP/1.1 begin and end, read strictly: what two servers might read differently is made unreadable.
//!
//! The parser behind this takes a bare line feed for a line's end, and forgets a `content-length` beside a
//! `transfer-encoding`. A proxy in front of us that reads such a head differently could be made to pass on a request inside
//! another one. So the bytes are followed on their way in; from the first dubious one on they are replaced by NULs, which the
//! parser answers with 400, and the connection closes.

use memchr::memchr3;

/// A reader's place in what a client sends.
pub(super) struct Framing {
    place: Place,
    line: Line,
    head: Head,
    is_first: bool,
}

/// What was found of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    Sound,
    /// Something that two servers might read differently.
    Dubious,
}

enum Place {
    /// In the head's lines.
    Head,
    /// In a body with so many bytes to come.
    Body(u64),
    /// In the line with a chunk's size.
    ChunkSize,
    /// In a chunk, or in the line end behind it, with so many bytes to come.
    Chunk(u64),
    /// In the lines behind the last chunk.
    Trailer,
    /// HTTP/2 has a framing of its own.
    Multiplexed,
    /// Dubious: nothing is let through any more.
    Broken,
}

/// A line as far as it has come.
#[derive(Default)]
struct Line {
    /// Its beginning: all the lines that matter are short.
    text: Vec<u8>,
    length: usize,
    has_return: bool,
}

/// What a head has said of its body.
#[derive(Default)]
struct Head {
    lines: usize,
    length: Option<u64>,
    is_chunked: bool,
}

/// Something two servers might read differently.
struct Dubious;

/// Bytes of a line that are kept.
const KEPT: usize = 64;

impl Framing {
    pub(super) fn new() -> Self {
        Self { place: Place::Head, line: Line::default(), head: Head::default(), is_first: true }
    }

    /// Follows what has come, and makes unreadable what is dubious.
    pub(super) fn look_at(&mut self, bytes: &mut [u8]) -> Look {
        let mut rest = bytes;
        while !rest.is_empty() {
            let passed = match self.pass(rest) {
                Ok(passed) => passed,
                Err(Dubious) => {
                    self.place = Place::Broken;
                    0
                }
            };
            match self.place {
                Place::Multiplexed => return Look::Sound,
                Place::Broken => {
                    rest.fill(0);
                    return Look::Dubious;
                }
                Place::Head | Place::Body(_) | Place::ChunkSize | Place::Chunk(_) | Place::Trailer => {
                    rest = rest.get_mut(passed..).unwrap_or_default();
                }
            }
        }
        Look::Sound
    }

    /// Passes at least one byte; returns how many.
    fn pass(&mut self, bytes: &[u8]) -> Result<usize, Dubious> {
        match &mut self.place {
            Place::Body(left) => {
                let passed = skip(left, bytes.len());
                if *left == 0 {
                    self.place = Place::Head;
                }
                Ok(passed)
            }
            Place::Chunk(left) => {
                let passed = skip(left, bytes.len());
                if *left == 0 {
                    self.place = Place::ChunkSize;
                }
                Ok(passed)
            }
            Place::Head | Place::ChunkSize | Place::Trailer => {
                let plain = self.line.add_plain(bytes);
                if plain > 0 {
                    return Ok(plain);
                }
                let Some(byte) = bytes.first() else { return Ok(0) };
                if self.line.add(*byte)? {
                    self.end_line()?;
                    self.line.clear();
                }
                Ok(1)
            }
            Place::Multiplexed | Place::Broken => Ok(bytes.len()),
        }
    }

    fn end_line(&mut self) -> Result<(), Dubious> {
        match self.place {
            Place::Head if self.line.length > 0 => self.head_line(),
            // Empty lines before a request are let pass, as they always have been.
            Place::Head if self.head.lines == 0 => Ok(()),
            Place::Head => {
                self.place = std::mem::take(&mut self.head).end()?;
                self.is_first = false;
                Ok(())
            }
            Place::ChunkSize => {
                self.place = match self.line.chunk_size()? {
                    0 => Place::Trailer,
                    size => Place::Chunk(size.checked_add(2).ok_or(Dubious)?),
                };
                Ok(())
            }
            Place::Trailer if self.line.length == 0 => {
                self.place = Place::Head;
                Ok(())
            }
            Place::Trailer | Place::Body(_) | Place::Chunk(_) | Place::Multiplexed | Place::Broken => Ok(()),
        }
    }

    fn head_line(&mut self) -> Result<(), Dubious> {
        self.head.lines += 1;
        if self.head.lines > 1 {
            return self.head.add(&self.line);
        }
        if self.line.text == b"PRI * HTTP/2.0" {
            self.place = if self.is_first { Place::Multiplexed } else { Place::Broken };
        }
        Ok(())
    }
}

impl Head {
    fn add(&mut self, line: &Line) -> Result<(), Dubious> {
        // A line that begins with a blank went on from the one before, once.
        if matches!(line.text.first(), Some(b' ' | b'\t')) {
            return Err(Dubious);
        }
        let Some(colon) = line.text.iter().position(|byte| *byte == b':') else { return Ok(()) };
        let (name, value) = line.text.split_at(colon);
        let (name, value) = (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = line.is_whole().then(|| whole_number(value, 10)).flatten();
            // Said twice, it might be read either way, even where both say the same.
            let is_only = self.length.is_none();
            self.length = Some(length.filter(|_| is_only).ok_or(Dubious)?);
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !line.is_whole() || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Dubious);
            }
            self.is_chunked = true;
        }
        Ok(())
    }

    /// Where the bytes behind the head belong.
    fn end(self) -> Result<Place, Dubious> {
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err(Dubious),
            (None, true) => Ok(Place::ChunkSize),
            (Some(0) | None, false) => Ok(Place::Head),
            (Some(length), false) => Ok(Place::Body(length)),
        }
    }
}

impl Line {
    /// Adds what comes before the next byte that may end a line; returns how many bytes that were.
    fn add_plain(&mut self, bytes: &[u8]) -> usize {
        if self.has_return {
            return 0;
        }
        let plain = memchr3(b'\r', b'\n', 0, bytes).unwrap_or(bytes.len());
        let kept = plain.min(KEPT.saturating_sub(self.text.len()));
        self.text.extend_from_slice(bytes.get(..kept).unwrap_or_default());
        self.length += plain;
        plain
    }

    /// Adds a byte; tells whether the line has ended. Nothing but a line feed may come behind a carriage return.
    fn add(&mut self, byte: u8) -> Result<bool, Dubious> {
        match byte {
            b'\n' if self.has_return => return Ok(true),
            b'\n' | 0 => return Err(Dubious),
            _ if self.has_return => return Err(Dubious),
            b'\r' => self.has_return = true,
            _ => {
                self.length += 1;
                if self.text.len() < KEPT {
                    self.text.push(byte);
                }
            }
        }
        Ok(false)
    }

    /// Whether all of it was kept.
    fn is_whole(&self) -> bool {
        self.length == self.text.len()
    }

    /// The size a chunk's line says; what follows a semicolon is for nobody.
    fn chunk_size(&self) -> Result<u64, Dubious> {
        let digits = self.text.split(|byte| *byte == b';').next().unwrap_or_default();
        if digits.len() == KEPT {
            return Err(Dubious);
        }
        whole_number(digits.trim_ascii(), 16).ok_or(Dubious)
    }

    fn clear(&mut self) {
        self.text.clear();
        self.length = 0;
        self.has_return = false;
    }
}

/// A number of digits and nothing else: no sign, no blank.
fn whole_number(digits: &[u8], radix: u32) -> Option<u64> {
    let are_digits = digits.iter().all(|byte| char::from(*byte).is_digit(radix));
    let text = std::str::from_utf8(digits).ok().filter(|_| are_digits)?;
    u64::from_str_radix(text, radix).ok()
}

/// Takes as much as there is from what is left.
fn skip(left: &mut u64, there: usize) -> usize {
    let passed = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
    *left = left.saturating_sub(u64::try_from(passed).unwrap_or(u64::MAX));
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    /// What is let through, in pieces of so many bytes; NULs are shown as `~`.
    fn let_through(sent: &str, piece: usize) -> String {
        let (mut framing, mut bytes) = (Framing::new(), sent.as_bytes().to_vec());
        for piece in bytes.chunks_mut(piece) {
            framing.look_at(piece);
        }
        String::from_utf8(bytes).unwrap().replace('\0', "~")
    }

    #[test]
    fn lets_sound_requests_through_however_they_are_cut() {
        for sent in [
            GET.to_owned(),
            format!("\r\n{GET}{GET}"),
            format!("POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\n\n\n{{\n}}\r\r{GET}"),
            format!(
                "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\n\n\n\n\n\n\r\n0\r\nt: 1\r\n\r\n{GET}"
            ),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n\n".to_owned(),
        ] {
            for piece in [1, 2, 3, 7, 4_096] {
                assert_eq!(let_through(&sent, piece), sent, "in pieces of {piece}");
            }
        }
    }

    #[test]
    fn makes_unreadable_what_could_be_read_two_ways() {
        for (head, kept) in [
            ("GET / HTTP/1.1\nhost: a\r\n\r\n", "GET / HTTP/1.1"),
            ("GET / HTTP/1.1\r\nhost: a\n\r\n", "GET / HTTP/1.1\r\nhost: a"),
            ("GET / HTTP/1.1\r\na: b\rc\r\n\r\n", "GET / HTTP/1.1\r\na: b\r"),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\na: b\r\n c\r"),
            ("GET / HTTP/1.1\r\na: b\0c\r\n\r\n", "GET / HTTP/1.1\r\na: b"),
            (
                "P / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n",
                "P / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r",
            ),
            ("P / HTTP/1.1\r\ncontent-length: +3\r\n\r\n", "P / HTTP/1.1\r\ncontent-length: +3\r"),
            (
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r",
            ),
            (
                "P / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
                "P / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r",
            ),
            (
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx",
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r",
            ),
        ] {
            let through = let_through(head, 4_096);

            assert_eq!(through.trim_end_matches('~'), kept);
            assert_eq!(let_through(head, 1), through, "cut differently");
        }
    }

    #[test]
    fn looks_at_every_request_of_a_connection() {
        let smuggled = format!("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{{}}{}", GET.replace("\r\n", "\n"));

        assert!(let_through(&smuggled, 4_096).ends_with('~'));
    }
}
