//! The transport of a simulation: a call goes to the provider it names, by no network, and what comes of it takes its
//! time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use indexmap::IndexMap;

use crate::clock::{Clock, Moment};
use crate::transport::{ByteStream, HttpCall, HttpReply, Transport, TransportError};

use super::clock::VirtualClock;
use super::provider::{Fate, Provider, Times};
use super::question::Size;
use super::reply;

/// Whether a body asks for a stream.
const ASKS_FOR_STREAM: &[u8] = b"\"stream\":true";

/// All simulated providers.
pub(super) struct SimulatedTransport {
    clock: VirtualClock,
    providers: IndexMap<String, Arc<Mutex<Provider>>>,
}

/// A call that is under way at a provider, until it is dropped.
struct Visit(Arc<Mutex<Provider>>);

impl SimulatedTransport {
    pub(super) fn new(clock: VirtualClock, providers: impl IntoIterator<Item = (String, Provider)>) -> Self {
        let shared = |(name, provider)| (name, Arc::new(Mutex::new(provider)));
        Self { clock, providers: providers.into_iter().map(shared).collect() }
    }
}

impl Transport for SimulatedTransport {
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        let Some(provider) = self.providers.get(&*call.provider) else {
            let place = call.provider.to_string();
            return Box::pin(async { Err(TransportError::Connect { place, why: "no such provider".into() }) });
        };
        let called = self.clock.now();
        let fate = lock(provider).meet(called.since(Moment::START));
        let visit = Visit(Arc::clone(provider));
        let size = Size::told(&call.body).unwrap_or(Size { input: 1, output: 1 });
        let is_stream = memchr::memmem::find(&call.body, ASKS_FOR_STREAM).is_some();
        Box::pin(self.reply(fate, Call { called, place: call.provider, size, is_stream, visit }))
    }
}

/// A call as a provider has it.
struct Call {
    called: Moment,
    place: Arc<str>,
    size: Size,
    is_stream: bool,
    visit: Visit,
}

impl SimulatedTransport {
    async fn reply(&self, fate: Fate, call: Call) -> Result<HttpReply, TransportError> {
        let place = || call.place.to_string();
        match fate {
            Fate::Refused { kind, after, wait } => {
                self.clock.sleep_until(call.called + after).await;
                Ok(reply::refused(kind, wait))
            }
            Fate::NoConnection(after) => {
                self.clock.sleep_until(call.called + after).await;
                Err(TransportError::Connect { place: place(), why: "connection refused".into() })
            }
            Fate::Silence => std::future::pending().await,
            Fate::BrokenOff(times) if !call.is_stream => {
                self.clock.sleep_until(call.called + halfway(times)).await;
                Err(TransportError::NoReply { place: place(), why: "connection reset".into() })
            }
            Fate::Answer(times) if !call.is_stream => {
                self.clock.sleep_until(call.called + times.total).await;
                let headers = reply::head(false, times.left);
                Ok(HttpReply { status: 200, headers, body: reply::at_once(reply::whole(call.size)) })
            }
            Fate::Answer(times) | Fate::BrokenOff(times) => {
                self.clock.sleep_until(call.called + times.first_token).await;
                let headers = reply::head(true, times.left);
                let end = match fate {
                    Fate::BrokenOff(_) => End::Break(call.called + halfway(times), place()),
                    _ => End::Whole(call.called + times.total, reply::last_events(call.size)),
                };
                Ok(HttpReply { status: 200, headers, body: events(self.clock.clone(), end, call.visit) })
            }
        }
    }
}

/// How a stream ends, and when.
enum End {
    Whole(Moment, Bytes),
    Break(Moment, String),
}

/// What is still to come of a stream.
enum Rest {
    All(End),
    End(End),
    Nothing,
}

fn events(clock: VirtualClock, end: End, visit: Visit) -> ByteStream {
    let first = Bytes::from_static(reply::FIRST_EVENT.as_bytes());
    Box::pin(stream::unfold((Rest::All(end), clock, visit), move |(rest, clock, visit)| {
        let first = first.clone();
        async move {
            let piece = match rest {
                Rest::All(end) => return Some((Ok(first), (Rest::End(end), clock, visit))),
                Rest::End(End::Whole(at, events)) => {
                    clock.sleep_until(at).await;
                    Ok(events)
                }
                Rest::End(End::Break(at, place)) => {
                    clock.sleep_until(at).await;
                    Err(TransportError::BrokenOff { place, why: "connection reset".into() })
                }
                Rest::Nothing => return None,
            };
            Some((piece, (Rest::Nothing, clock, visit)))
        }
    }))
}

fn halfway(times: Times) -> std::time::Duration {
    (times.first_token + times.total) / 2
}

impl Drop for Visit {
    fn drop(&mut self) {
        lock(&self.0).leave();
    }
}

fn lock(provider: &Mutex<Provider>) -> std::sync::MutexGuard<'_, Provider> {
    provider.lock().unwrap_or_else(PoisonError::into_inner)
}
