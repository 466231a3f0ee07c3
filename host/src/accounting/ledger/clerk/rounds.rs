//! What the clerk looks after between two changes: others who wait for money, slices that nobody uses, processes that have died.

use std::time::Duration;

use jiff::Timestamp;

use super::{Asked, Clerk, State};
use crate::accounting::ledger::books::Books;
use crate::accounting::ledger::error::Fault;
use crate::accounting::ledger::instance::Instance;
use crate::accounting::{Ask, Back, Need};

/// How often is looked what others did, while that matters.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// How often what nobody uses is given back, and a ledger that could not be written is tried again.
pub(super) const TIDY: Duration = Duration::from_secs(1);

/// How often is looked for processes that have died.
pub(super) const INSPECT: Duration = Duration::from_secs(30);

impl Clerk {
    /// Charges what processes that have died were lent.
    pub(in crate::accounting::ledger) fn bury_the_dead(books: &mut Books, wall: Timestamp) -> Result<(), Fault> {
        let path = books.path.clone();
        books.change(|change| {
            let dead = Instance::dead(&change.transaction, &path)?;
            change.resolve_dead(&dead, wall.as_millisecond())?;
            // Within the change: once it is made their numbers are free, and whoever enters then may lock the same files.
            dead.iter().for_each(|instance| Instance::bury(&path, *instance));
            Ok(())
        })
    }

    /// Does what is due: gives back what others wait for or nobody uses, and looks for the dead.
    pub(super) fn look_around(&mut self) {
        let now = self.clock.now();
        if matches!(self.state, State::Shut) {
            return;
        }
        if now.since(self.looked) >= LOOK {
            self.looked = now;
            let version = self.books.version();
            if version != self.version {
                self.version = version;
                self.heed_others();
            }
        }
        if now.since(self.tidied) >= TIDY {
            self.tidied = now;
            self.give_back(Back::Idle);
        }
        if now.since(self.inspected) >= INSPECT {
            self.inspected = now;
            if let Err(fault) = Self::bury_the_dead(&mut self.books, self.clock.wall()) {
                self.fail(fault);
            }
        }
    }

    /// Another process has changed something: it may wait for money, or have given some back.
    pub(super) fn heed_others(&mut self) {
        match self.books.wanted() {
            Ok(wanted) if !wanted.is_empty() => self.give_back(Back::Wanted(&wanted)),
            Ok(_) => {}
            Err(error) => self.fail(error.into()),
        }
        let refused = std::mem::take(&mut self.refused).into_iter();
        let asks: Vec<Ask> = refused.map(|(account, limit)| Ask { account, limit, need: Need::News }).collect();
        if !asks.is_empty() {
            self.asked.push(Asked { asks, done: None, until: self.clock.now() });
        }
    }

    pub(super) fn give_back(&mut self, which: Back<'_>) {
        if let Some(holder) = self.holder() {
            self.batch.returns.extend(holder.give_back(which));
        }
    }
}
