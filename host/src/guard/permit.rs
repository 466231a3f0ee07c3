//! Proof that a request may be sent, and proof that it has been.

use jiff::Timestamp;

use super::stake::{Bill, Settled, Stake};
use crate::clock::Moment;
use crate::config::ApiKey;
use crate::types::{Failure, NanoUsd, TargetId, Usage};

/// The guard's yes to one attempt. Dropped, it gives back everything it took: nothing was sent.
#[derive(Debug)]
#[must_use = "a permit that is not dispatched is given back"]
pub struct Permit {
    target: TargetId,
    stake: Option<Stake>,
}

/// An attempt on its way: what a `Permit` becomes, and what the transport asks for before it sends.
///
/// It ends in one of `served`, `failed`, `unsent` and `abandoned`. Dropped, it counts as abandoned: the budgets keep
/// the worst case, the target's health is left as it was, and the next request probes in its stead if it was a probe.
#[derive(Debug)]
#[must_use = "an attempt that is not settled is charged its worst case"]
pub struct InFlight {
    stake: Option<Stake>,
    sent: Moment,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    Answering,
}

impl Permit {
    pub(super) fn new(stake: Stake) -> Self {
        Self { target: stake.target, stake: Some(stake) }
    }

    /// The target it is for.
    #[must_use]
    pub fn target(&self) -> TargetId {
        self.target
    }

    /// The key to send with; `None` where the provider takes none.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        key(self.stake.as_ref()?)
    }

    /// What it was reserved at most, where the price is known.
    #[must_use]
    pub fn worst_case(&self) -> Option<NanoUsd> {
        self.stake.as_ref()?.quote.worst_case()
    }

    /// Whether a budget, or the caller's own bound, counts what it costs: no more may come than was reserved.
    #[must_use]
    pub fn counts_money(&self) -> bool {
        self.stake.as_ref().is_some_and(|stake| stake.counts_money)
    }

    /// Spends the permit: the attempt is sent now.
    pub fn dispatch(mut self, now: Moment) -> InFlight {
        InFlight { stake: self.stake.take(), sent: now, progress: Progress::Waiting }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(stake) = self.stake.take() {
            stake.void();
        }
    }
}

impl InFlight {
    /// The key to send with; `None` where the provider takes none.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        key(self.stake.as_ref()?)
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
        if let Some(stake) = &mut self.stake {
            stake.first_token(now.since(self.sent), now);
        }
    }

    /// A reply's head is here and told what share (0 to 1) of its scarcest quota is left, however it goes on.
    pub fn quota_told(&mut self, left: Option<f32>, now: Moment) {
        if let (Some(stake), Some(left)) = (&mut self.stake, left) {
            stake.quota_told(left, now);
        }
    }

    /// The answer is complete. `usage` is what the provider counted, `quota_left` the share (0 to 1) left of the
    /// scarcest quota its reply told of. `wall` is for people.
    pub fn served(mut self, usage: Option<Usage>, quota_left: Option<f32>, now: Moment, wall: Timestamp) -> Settled {
        self.end(|stake| stake.serve(Bill::of(usage), quota_left, now, wall))
    }

    /// The attempt failed once it was sent, or perhaps was.
    pub fn failed(mut self, failure: &Failure, now: Moment, wall: Timestamp) -> Settled {
        let bill = Bill::of_failure(failure, self.progress == Progress::Answering);
        self.end(|stake| stake.fail(failure, bill, now, wall))
    }

    /// The attempt failed before a byte of the request had left: no address, no connection. It costs nothing for sure.
    pub fn unsent(mut self, failure: &Failure, now: Moment, wall: Timestamp) -> Settled {
        self.end(|stake| stake.fail(failure, Bill::Nothing, now, wall))
    }

    /// Nobody waits for the answer any more: the caller went away, or another attempt was faster.
    pub fn abandoned(mut self) -> Settled {
        self.end(Stake::abandon)
    }

    fn end(&mut self, end: impl FnOnce(Stake) -> Settled) -> Settled {
        self.stake.take().map(end).unwrap_or_default()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(stake) = self.stake.take() {
            stake.abandon();
        }
    }
}

fn key(stake: &Stake) -> Option<&ApiKey> {
    let (_, provider) = stake.place()?;
    provider.keys.get(stake.key)
}
