//! What the clerk looks after between two changes: others who wait for money, slices that nobody uses, processes that have died.

use std::time::Duration;

use super::{Asked, Clerk, State};
use crate::accounting::ledger::change::Books;
use crate::accounting::{Ask, Back, Need};

/// How often is looked what others did, while that matters.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// How often what nobody uses is given back, and a ledger that could not be written is tried again.
pub(super) const TIDY: Duration = Duration::from_secs(1);

/// How often is looked for processes that have died.
pub(in crate::accounting::ledger) const INSPECT: Duration = Duration::from_secs(30);

impl<B: Books> Clerk<B> {
    /// Does what is due: gives back what others wait for or nobody uses, and looks for the dead.
    pub(super) fn look_around(&mut self) {
        let now = self.clock.now();
        if !matches!(self.state, State::Open) {
            return;
        }
        if now.since(self.looked) >= LOOK {
            self.looked = now;
            match self.books.version() {
                Ok(version) if version != self.version => {
                    self.version = version;
                    self.heed_others();
                }
                Ok(_) => {}
                Err(fault) => return self.fail(fault),
            }
        }
        if now.since(self.tidied) >= TIDY {
            self.tidied = now;
            self.give_back(Back::Idle);
        }
        if now.since(self.inspected) >= INSPECT {
            self.inspected = now;
            if let Err(fault) = self.books.bury_the_dead(self.clock.wall().as_millisecond()) {
                self.fail(fault);
            }
        }
    }

    /// Another process has changed something: it may wait for money, or have given some back.
    pub(super) fn heed_others(&mut self) {
        match self.books.wanted() {
            Ok(wanted) if !wanted.is_empty() => self.give_back(Back::Wanted(&wanted)),
            Ok(_) => {}
            Err(fault) => return self.fail(fault),
        }
        self.ask_for_news();
    }

    /// Looks again at the accounts that were refused.
    pub(super) fn ask_for_news(&mut self) {
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
