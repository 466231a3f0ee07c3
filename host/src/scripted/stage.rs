//! What all connections of one scripted provider share: its script, the calls that came, their counts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::inbound::InboundRequest;
use super::{ReceivedCall, Reply, Script};

/// How many calls are kept; those before them are only counted.
const KEPT_CALLS: usize = 10_000;

/// The script, the calls and the counts.
#[derive(Debug)]
pub(super) struct Stage {
    cue: Mutex<Cue>,
    counts: watch::Sender<Counts>,
}

#[derive(Debug)]
struct Cue {
    script: Arc<Script>,
    /// Calls since the script was set.
    place: usize,
    calls: VecDeque<ReceivedCall>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) connections: usize,
    pub(super) calls: usize,
    pub(super) disconnects: usize,
}

impl Stage {
    pub(super) fn new(script: Script) -> Self {
        let cue = Cue { script: Arc::new(script), place: 0, calls: VecDeque::new() };
        Self { cue: Mutex::new(cue), counts: watch::Sender::new(Counts::default()) }
    }

    pub(super) fn set_script(&self, script: Script) {
        let mut cue = self.lock();
        cue.script = Arc::new(script);
        cue.place = 0;
    }

    pub(super) fn calls(&self) -> Vec<ReceivedCall> {
        self.lock().calls.iter().cloned().collect()
    }

    pub(super) fn last_call(&self) -> Option<ReceivedCall> {
        self.lock().calls.back().cloned()
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(super) fn note_connection(&self) {
        self.counts.send_modify(|counts| counts.connections += 1);
    }

    /// Keeps a call and finds the reply to it.
    pub(super) fn receive(&self, request: InboundRequest) -> (ReceivedCall, Reply) {
        let (call, script, place) = {
            let mut cue = self.lock();
            let call = ReceivedCall {
                number: self.counts.borrow().calls + 1,
                at: Instant::now(),
                method: request.method,
                path: request.path,
                headers: request.headers,
                body: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
                raw: request.body,
            };
            if cue.calls.len() >= KEPT_CALLS {
                cue.calls.pop_front();
            }
            cue.calls.push_back(call.clone());
            let place = cue.place;
            cue.place = place.saturating_add(1);
            self.counts.send_modify(|counts| counts.calls = call.number);
            (call, Arc::clone(&cue.script), place)
        };
        // Outside the lock: the choice is the test's own code, and may look at the provider.
        let reply = script.reply(place, &call);
        (call, reply)
    }

    pub(super) fn note_disconnect(&self) {
        self.counts.send_modify(|counts| counts.disconnects += 1);
    }

    pub(super) async fn reach(&self, is_reached: impl FnMut(&Counts) -> bool) {
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = self.counts.subscribe().wait_for(is_reached).await;
    }

    fn lock(&self) -> MutexGuard<'_, Cue> {
        self.cue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
