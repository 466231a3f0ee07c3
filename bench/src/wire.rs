//! HTTP/1.1 on a socket, as much of it as the benchmark's own two ends need and no more: they share a core, and should not
//! be what is measured.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection, and what was read of it beyond the last message.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
}

/// A message's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// A reply's status; 0 in a request.
    pub status: u16,
    /// How its body ends.
    pub framing: Framing,
    /// Whether the connection ends with it.
    pub closes: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(usize),
    /// With an empty chunk.
    Chunked,
    /// With the connection: a reply that says nothing of its length.
    Open,
}

/// The longest head.
const LONGEST_HEAD: usize = 64 << 10;

impl Wire {
    /// Speaks on a socket.
    ///
    /// # Errors
    /// When the socket has gone.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Reads a head; `None` where the other side has said goodbye instead.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no head.
    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        let mut searched = 0;
        loop {
            let from = usize::saturating_sub(searched, 3);
            if let Some(found) = self.buffer.get(from..).and_then(|rest| memmem::find(rest, b"\r\n\r\n")) {
                let end = from + found + 4;
                let head = Head::parse(self.buffer.get(..end).unwrap_or_default());
                self.buffer.drain(..end);
                return head.map(Some);
            }
            searched = self.buffer.len();
            if searched > LONGEST_HEAD {
                return Err(bad("a head without an end"));
            }
            if self.fill().await? == 0 {
                return if searched == 0 { Ok(None) } else { Err(cut()) };
            }
        }
    }

    /// Reads a body to its end into `body`, and tells when its first bytes are here.
    ///
    /// # Errors
    /// When the connection breaks before the end.
    pub async fn body(&mut self, framing: Framing, body: &mut Vec<u8>, first: impl FnOnce()) -> io::Result<()> {
        let mut first = Some(first);
        body.clear();
        match framing {
            Framing::Length(length) => {
                while self.buffer.len() < length {
                    if self.fill().await? == 0 {
                        return Err(cut());
                    }
                }
                tell(&mut first);
                body.extend(self.buffer.drain(..length));
            }
            Framing::Chunked => loop {
                let size = self.chunk_size().await?;
                while self.buffer.len() < size + 2 {
                    if self.fill().await? == 0 {
                        return Err(cut());
                    }
                }
                tell(&mut first);
                body.extend(self.buffer.drain(..size));
                self.buffer.drain(..2);
                if size == 0 {
                    return Ok(());
                }
            },
            Framing::Open => {
                while self.fill().await? > 0 {}
                tell(&mut first);
                body.append(&mut self.buffer);
            }
        }
        Ok(())
    }

    async fn chunk_size(&mut self) -> io::Result<usize> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n") {
                let line = self.buffer.get(..end).and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
                let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
                self.buffer.drain(..end + 2);
                return size.map_err(|_| bad("a chunk without a size"));
            }
            if self.fill().await? == 0 {
                return Err(cut());
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(8 << 10);
        self.socket.read_buf(&mut self.buffer).await
    }
}

impl Head {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| bad("a head that is no text"))?;
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default();
        let is_reply = start.starts_with("HTTP/1.");
        let status = start.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = if is_reply { status.ok_or_else(|| bad("a reply without a status"))? } else { 0 };
        let nothing_said = if is_reply { Framing::Open } else { Framing::Length(0) };
        let mut head = Self { status, framing: nothing_said, closes: start.ends_with("HTTP/1.0") };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                head.framing = Framing::Length(value.parse().map_err(|_| bad("a length that is no number"))?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.framing = Framing::Chunked;
            } else if name.eq_ignore_ascii_case("connection") {
                head.closes = value.eq_ignore_ascii_case("close");
            }
        }
        head.closes |= head.framing == Framing::Open;
        Ok(head)
    }
}

fn tell(first: &mut Option<impl FnOnce()>) {
    if let Some(first) = first.take() {
        first();
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within a message")
}
