//! Proof that a request may be sent, and proof that it has been.

use jiff::Timestamp;

use super::lease::{Bill, Lease, Settled};
use crate::clock::Moment;
use crate::config::ApiKey;
use crate::types::{Failure, NanoUsd, TargetId, Usage};

/// The guard's yes to one attempt. Dropped, it gives back everything it took: nothing was sent.
#[derive(Debug)]
#[must_use = "a permit that is not dispatched is given back"]
pub struct Permit {
    target: TargetId,
    lease: Option<Lease>,
}

/// An attempt on its way: what a `Permit` becomes, and what the transport asks for before it sends.
///
/// It ends in one of `served`, `failed`, `unsent` and `abandoned`. Dropped, it counts as abandoned: the budgets keep the
/// worst case, the target's health is left as it was, and the next request probes in its stead if it was a probe.
#[derive(Debug)]
#[must_use = "an attempt that is not settled is charged its worst case"]
pub struct InFlight {
    lease: Option<Lease>,
    sent: Moment,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    Answering,
}

impl Permit {
    pub(super) fn new(lease: Lease) -> Self {
        Self { target: lease.target, lease: Some(lease) }
    }

    /// The target it is for.
    #[must_use]
    pub fn target(&self) -> TargetId {
        self.target
    }

    /// The key to send with; `None` where the provider takes none.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        key(self.lease.as_ref()?)
    }

    /// What it was reserved at most, where the price is known.
    #[must_use]
    pub fn worst_case(&self) -> Option<NanoUsd> {
        self.lease.as_ref()?.worst_case
    }

    /// Spends the permit: the attempt is sent now.
    pub fn dispatch(mut self, now: Moment) -> InFlight {
        InFlight { lease: self.lease.take(), sent: now, progress: Progress::Waiting }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.void();
        }
    }
}

impl InFlight {
    /// The key to send with; `None` where the provider takes none.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        key(self.lease.as_ref()?)
    }

    /// When it was sent.
    #[must_use]
    pub fn sent(&self) -> Moment {
        self.sent
    }

    /// The first token of a stream is here. Ends a probe; told again it does nothing.
    pub fn first_token(&mut self, now: Moment) {
        if self.progress == Progress::Answering {
            return;
        }
        self.progress = Progress::Answering;
        if let Some(lease) = &mut self.lease {
            lease.first_token(now.since(self.sent), now);
        }
    }

    /// A reply's head is here and told what share (0 to 1) of its scarcest quota is left, however it goes on.
    pub fn quota_told(&mut self, left: Option<f32>, now: Moment) {
        if let (Some(lease), Some(left)) = (&mut self.lease, left) {
            lease.quota_told(left, now);
        }
    }

    /// The answer is complete. `usage` is what the provider counted, `quota_left` the share (0 to 1) left of the scarcest
    /// quota its reply told of. `wall` is for people.
    pub fn served(mut self, usage: Option<Usage>, quota_left: Option<f32>, now: Moment, wall: Timestamp) -> Settled {
        self.end(|lease| lease.serve(Bill::of(usage), quota_left, now, wall))
    }

    /// The attempt failed once it was sent, or perhaps was.
    pub fn failed(mut self, failure: &Failure, now: Moment, wall: Timestamp) -> Settled {
        let bill = Bill::of_failure(failure, self.progress == Progress::Answering);
        self.end(|lease| lease.fail(failure, bill, now, wall))
    }

    /// The attempt failed before a byte of the request had left: no address, no connection. It costs nothing for sure.
    pub fn unsent(mut self, failure: &Failure, now: Moment, wall: Timestamp) -> Settled {
        self.end(|lease| lease.fail(failure, Bill::Nothing, now, wall))
    }

    /// Nobody waits for the answer any more: the caller went away, or another attempt was faster.
    pub fn abandoned(mut self) -> Settled {
        self.end(Lease::abandon)
    }

    fn end(&mut self, end: impl FnOnce(Lease) -> Settled) -> Settled {
        self.lease.take().map(end).unwrap_or_default()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.abandon();
        }
    }
}

fn key(lease: &Lease) -> Option<&ApiKey> {
    let (_, provider) = lease.place()?;
    provider.keys.get(lease.key)
}
