//! What the clerk does for a store that lends to this ledger and others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Asked, Clerk, State};
use crate::accounting::Back;
use crate::accounting::ledger::change::Books;
use crate::accounting::ledger::standing::Report;

impl<B: Books> Clerk<B> {
    /// Where it is time, gives back what others wait for, and tells the store how the accounts stand. Nobody spends any more where
    /// the store has been silent for too long.
    pub(super) fn keep_in_touch(&mut self) {
        let holds_any = || self.holder().is_some_and(|holder| holder.holds_any());
        let is_busy = !self.refused.is_empty() || !self.asked.is_empty() || holds_any();
        if !matches!(self.state, State::Open) || !self.books.is_report_due(is_busy) {
            return;
        }
        match self.books.wanted() {
            Ok(wanted) if wanted.is_empty() => {}
            Ok(wanted) => {
                self.give_back(Back::Wanted(&wanted));
                self.write();
            }
            Err(fault) => return self.fail(fault),
        }
        match self.books.report() {
            Ok(Report::Heard { news }) => {
                self.reconnect();
                if !news.is_empty() {
                    self.refused.clear();
                    self.asked.push(Asked { asks: news, done: None, until: self.clock.now() });
                }
            }
            Ok(Report::Silent) => {}
            Ok(Report::CutOff(why)) => self.cut_off(why),
            Err(fault) => self.fail(fault),
        }
    }

    /// The store has been silent for too long: others may be lent what is held here.
    fn cut_off(&mut self, why: Arc<str>) {
        if !self.is_cut_off {
            self.is_cut_off = true;
            tracing::error!("nothing may be spent until the shared store is back: {why}");
            self.refuse(why);
        }
    }

    /// The store has answered.
    fn reconnect(&mut self) {
        if std::mem::take(&mut self.is_cut_off) {
            tracing::info!("the shared store is back");
            self.fault = None;
            self.is_failing.store(false, Ordering::Relaxed);
            self.holder().into_iter().for_each(|holder| holder.reopen());
            self.ask_for_news();
        }
    }
}
