//! When a connection last gave a sign of life, and until when it may keep the gateway waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Version;

use crate::clock::{Clock, Moment};

use super::bounds::Bounds;

/// What a connection is at. Shared by its socket, its requests and its watch.
pub(super) struct Pulse {
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    beat: Mutex<Beat>,
}

/// A request under way, until it is dropped.
#[must_use]
pub(super) struct Running {
    pulse: Arc<Pulse>,
}

struct Beat {
    /// Requests under way.
    running: u32,
    /// Since when a head is awaited whose first byte, or whose connection, has come.
    head_since: Option<Moment>,
    /// Since when there has been no request.
    quiet_since: Moment,
    /// Since when the client has left unread what there is for it.
    unread_since: Option<Moment>,
    /// Bytes between two requests of HTTP/2 need not be the beginning of a third one.
    is_multiplexed: bool,
}

impl Pulse {
    pub(super) fn new(clock: Arc<dyn Clock>, bounds: Bounds) -> Self {
        let now = clock.now();
        let beat =
            Beat { running: 0, head_since: Some(now), quiet_since: now, unread_since: None, is_multiplexed: false };
        Self { clock, bounds, beat: Mutex::new(beat) }
    }

    /// A request's head has come.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> Running {
        let mut beat = self.beat();
        beat.running = beat.running.saturating_add(1);
        beat.head_since = None;
        beat.is_multiplexed = version == Version::HTTP_2;
        Running { pulse: Arc::clone(self) }
    }

    /// Bytes have come.
    pub(super) fn has_read(&self) {
        let mut beat = self.beat();
        if beat.running == 0 && !beat.is_multiplexed && beat.head_since.is_none() {
            beat.head_since = Some(self.clock.now());
        }
    }

    /// Bytes have gone.
    pub(super) fn has_written(&self) {
        self.beat().unread_since = None;
    }

    /// Bytes cannot go, because the client does not read.
    pub(super) fn cannot_write(&self) {
        let mut beat = self.beat();
        if beat.unread_since.is_none() {
            beat.unread_since = Some(self.clock.now());
        }
    }

    /// When the connection is to be ended, as things are; `None` where it is the gateway's turn.
    pub(super) fn end(&self) -> Option<Moment> {
        let beat = self.beat();
        let unread = beat.unread_since.map(|since| since + self.bounds.unread);
        let waiting = match (beat.running, beat.head_since) {
            (0, Some(since)) => Some(since + self.bounds.head),
            (0, None) => Some(beat.quiet_since + self.bounds.idle),
            _ => None,
        };
        unread.into_iter().chain(waiting).min()
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut beat = self.pulse.beat();
        beat.running = beat.running.saturating_sub(1);
        beat.quiet_since = self.pulse.clock.now();
    }
}
