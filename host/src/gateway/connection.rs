//! One connection: HTTP/1.1 or HTTP/2, until the client has gone, keeps the gateway waiting, or the gateway stops.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use crate::clock::{Clock, Moment};

use super::bounds::Bounds;
use super::pulse::Pulse;
use super::reception::Reception;
use super::stream_io::StreamIo;

/// Requests at once in one HTTP/2 connection.
const STREAMS: u32 = 256;

/// What a client of HTTP/2 may have waiting to be sent, in bytes.
const SEND_BUFFER: usize = 64 << 10;

/// Serves a connection to its end. `place` is given back then.
pub(super) async fn serve<T>(stream: T, reception: Arc<Reception>, place: OwnedSemaphorePermit)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (clock, bounds) = (Arc::clone(&reception.clock), reception.bounds);
    let pulse = Arc::new(Pulse::new(Arc::clone(&clock), bounds));
    let io = TokioIo::new(StreamIo::new(stream, Arc::clone(&pulse)));
    let mut stopping = reception.stopping.clone();
    let service = {
        let pulse = Arc::clone(&pulse);
        service_fn(move |request| {
            let running = pulse.begin(request.version());
            let reception = Arc::clone(&reception);
            async move { Ok::<_, Infallible>(reception.answer(request).await.keeping(running)) }
        })
    };
    let builder = builder(&bounds);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stop = pin!(async move {
        // The sender outlives all connections.
        let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
    });
    let mut watch = Watch { clock, armed: None };
    let mut is_stopping = false;
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !is_stopping && stop.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
            // Polled once more, for it to act on that.
            cx.waker().wake_by_ref();
        }
        watch.poll(&pulse, cx)
    })
    .await;
    drop(place);
}

/// A wait on the clock.
type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wakes the connection's task when it has been kept waiting for too long.
struct Watch {
    clock: Arc<dyn Clock>,
    armed: Option<(Moment, Sleep)>,
}

impl Watch {
    /// Ready when the connection has to end. A timer that is too early is left alone: it is cheaper to be woken for nothing
    /// than to set a timer for each request.
    fn poll(&mut self, pulse: &Pulse, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(end) = pulse.end() else { return Poll::Pending };
            let (at, sleep) = match &mut self.armed {
                Some((at, sleep)) if *at <= end => (at, sleep),
                armed => {
                    let (at, sleep) = armed.insert((end, self.clock.sleep_until(end)));
                    (at, sleep)
                }
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if *at >= end {
                return Poll::Ready(());
            }
            self.armed = None;
        }
    }
}

fn builder(bounds: &Bounds) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(bounds.head_bytes).half_close(false);
    let head_bytes = u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(head_bytes)
        .max_send_buf_size(SEND_BUFFER)
        .max_local_error_reset_streams(Some(1_024));
    builder
}
