//! The socket as HTTP sees it: what passes gives signs of life, and heads are looked at on the way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Framing, Look};
use super::pulse::Pulse;

/// A socket.
pub(super) struct StreamIo<T> {
    inner: T,
    pulse: Arc<Pulse>,
    framing: Framing,
    ending: Ending,
}

/// How far a socket has come whose client has sent something dubious.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Not so.
    Sound,
    /// What breaks the parser off is still to be read.
    Spoilt,
    /// Nothing is to be read any more.
    Over,
}

/// The end of a head that no parser takes: without an end, it would wait for one.
const SPOILT: &[u8] = b"\0\r\n\r\n";

impl<T> StreamIo<T> {
    pub(super) fn new(inner: T, pulse: Arc<Pulse>) -> Self {
        Self { inner, pulse, framing: Framing::new(), ending: Ending::Sound }
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(_) => self.pulse.has_written(),
            Poll::Pending => self.pulse.cannot_write(),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StreamIo<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.ending {
            Ending::Sound => {}
            Ending::Spoilt if buffer.remaining() >= SPOILT.len() => {
                buffer.put_slice(SPOILT);
                this.ending = Ending::Over;
                return Poll::Ready(Ok(()));
            }
            Ending::Spoilt | Ending::Over => return Poll::Ready(Ok(())),
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if let Some(new) = buffer.filled_mut().get_mut(before..)
            && !new.is_empty()
        {
            this.pulse.has_read();
            if this.framing.look_at(new) == Look::Dubious {
                this.ending = Ending::Spoilt;
            }
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StreamIo<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.note(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
