//! A request's place in the line at a provider that is at its limit.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::Guard;
use super::claim::Claim;
use super::denied::Denied;
use super::line::Rank;
use super::permit::Permit;
use crate::clock::Moment;
use crate::types::TargetId;

/// A place in line, given up when it is dropped.
#[derive(Debug)]
#[must_use = "a place that is dropped is given up"]
pub struct Place {
    guard: Arc<Guard>,
    target: TargetId,
    rank: Rank,
    call: Arc<Notify>,
    /// Requests that went before it when it was taken.
    pub ahead: u32,
}

/// Why there is no place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoPlace {
    /// So many wait already, and no more may.
    #[error("{0} requests wait for their turn, and no more may")]
    Full(usize),
    /// It would be in vain: its turn cannot come in time.
    #[error("its turn comes in {0:.0?} at the earliest, and nobody waits that long in line")]
    TooLate(Duration),
}

impl Guard {
    /// How long requests may wait in line at a target's provider; `None` where it has no line.
    #[must_use]
    pub fn patience(&self, target: TargetId) -> Option<Duration> {
        self.find(target).and_then(|(_, provider)| provider.rules.limits.queue)
    }

    /// Takes a place in the line of a target's provider for somebody's request, which will wait so long at most.
    ///
    /// # Errors
    /// When the line is full, or the wait would be in vain.
    pub fn line_up(
        self: &Arc<Self>,
        target: TargetId,
        claim: &Claim,
        who: Arc<str>,
        patience: Duration,
        now: Moment,
    ) -> Result<Place, NoPlace> {
        let Some((found, provider)) = self.find(target) else { return Err(NoPlace::Full(0)) };
        let mut book = provider.book();
        if let Some(wait) = book.wait_for_sure(found.model, now).filter(|wait| *wait > patience) {
            return Err(NoPlace::TooLate(wait));
        }
        let call: Arc<Notify> = Arc::default();
        let joined = book.line.join(who, found.model, claim.tokens(), Arc::clone(&call));
        let rank = joined.ok_or(NoPlace::Full(book.line.len()))?;
        let ahead = book.line.ahead_of(rank, |_| false).requests;
        drop(book);
        Ok(Place { guard: Arc::clone(self), target, rank, call, ahead })
    }
}

impl Place {
    /// As [`Guard::admit`], in its turn.
    ///
    /// # Errors
    /// `Limited` while the turn has not come, with the wait that is foreseen; else what stands in the way, which no waiting in
    /// line will change.
    pub fn admit(&self, claim: &Claim, now: Moment, wall: Timestamp) -> Result<Permit, Denied> {
        self.guard.admit_at(self.target, claim, Some(self.rank), now, wall)
    }

    /// Ends when something has changed for those in line; at once where it has since the last time.
    pub fn called(&self) -> Notified<'_> {
        self.call.notified()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((_, provider)) = self.guard.find(self.target) else { return };
        let mut book = provider.book();
        if book.line.leave(self.rank) {
            book.line.call_first();
        }
    }
}
