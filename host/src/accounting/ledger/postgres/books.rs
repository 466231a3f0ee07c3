//! The ledger in PostgreSQL as one process writes it. Its connection is made when it is needed, and again when it
//! broke.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::change::SharedChange;
use super::fault::PostgresFault;
use super::rows;
use super::schema::{self, Found};
use super::seat::{Own, no_seat};
use super::session::{Purpose, Session, get};
use crate::accounting::Account;
use crate::accounting::ledger::change::{Books, Known};
use crate::accounting::ledger::error::{Damage, Fault, LedgerError};
use crate::clock::{Clock, Moment};
use crate::config::LedgerAddress;

/// A connection that was not used for this long is tried first.
const IDLE: Duration = Duration::from_secs(1);

/// The books, and this process's place among those that write them.
pub(in crate::accounting::ledger) struct SharedBooks {
    address: LedgerAddress,
    clock: Arc<dyn Clock>,
    session: Option<Session>,
    own: Own,
    known: Known,
    wants: BTreeSet<i64>,
    /// Changes made by this process: the others' are the rest.
    made: i64,
    /// When the connection was used last.
    used: Moment,
    /// Whether the change was made that was in doubt.
    was_made: bool,
}

impl SharedBooks {
    /// Books that are not connected yet.
    pub(in crate::accounting::ledger) fn new(address: LedgerAddress, clock: Arc<dyn Clock>) -> Self {
        Self {
            address,
            used: clock.now(),
            clock,
            session: None,
            own: Own::default(),
            known: Known::default(),
            wants: BTreeSet::new(),
            made: 0,
            was_made: false,
        }
    }

    /// Connects, makes the tables where there are none and this process was never there, and takes a seat.
    pub(in crate::accounting::ledger) fn connect(&mut self) -> Result<(), Fault> {
        if self.session.as_ref().is_some_and(Session::is_open) {
            return Ok(());
        }
        self.session = None;
        let session = Session::open(&self.address, Purpose::Write)?;
        let is_new = self.own.id == 0;
        if is_new {
            schema::lay_out(&session)?;
        } else if schema::look(&session)? == Found::Nothing {
            return Err(Damage::Unreadable("its tables are gone".to_owned()).into());
        }
        (self.known, self.wants) = (Known::default(), BTreeSet::new());
        let blank = self.own.clone();
        let mut change = SharedChange::begin(&session, &blank, &mut self.known, &mut self.wants)?;
        let own = self.own.seated(&mut change)?;
        let mut change = change.of(&own);
        let at = self.clock.wall().as_millisecond();
        let round = if is_new { 0 } else { own.come_back(&mut change, at)? };
        let head = change.write(round)?;
        // Where this is in doubt it is done once more, and does nothing then.
        session.run("COMMIT")?;
        self.made += 1 + round - self.own.round;
        self.was_made = round > self.own.round;
        self.own = Own { round, latest: Some(head.place), ..own };
        self.session = Some(session);
        Ok(())
    }

    fn attempt<T>(&mut self, work: impl FnOnce(&mut SharedChange<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let Some(session) = &self.session else { return Err(no_seat()) };
        let mut change = SharedChange::begin(session, &self.own, &mut self.known, &mut self.wants)?;
        let done = work(&mut change)?;
        let round = self.own.round.saturating_add(1);
        let head = change.write(round)?;
        session.run("COMMIT").map_err(PostgresFault::in_doubt)?;
        self.own = Own { round, latest: Some(head.place), ..self.own.clone() };
        self.made += 1;
        Ok(done)
    }

    /// Asks something outside of any change.
    fn ask<T>(&mut self, question: impl FnOnce(&Session, i64) -> Result<T, Fault>) -> Result<T, Fault> {
        let Some(session) = &self.session else { return Err(no_seat()) };
        let answer = question(session, self.own.id);
        if answer.is_err() {
            self.session = None;
        }
        answer
    }
}

impl Books for SharedBooks {
    type Change<'c> = SharedChange<'c>;

    fn change<T>(&mut self, work: impl FnOnce(&mut SharedChange<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let now = self.clock.now();
        if now.since(self.used) > IDLE && self.session.as_ref().is_some_and(|session| session.run("").is_err()) {
            // It broke while nobody used it: no reason to refuse anybody anything.
            self.session = None;
        }
        self.used = now;
        self.connect()?;
        let made = self.attempt(work);
        if made.is_err() {
            // It undoes what was begun, and whatever the server still does for us.
            self.session = None;
        }
        made
    }

    fn was_made(&mut self) -> Result<bool, Fault> {
        self.connect()?;
        Ok(std::mem::take(&mut self.was_made))
    }

    fn version(&mut self) -> Result<i64, Fault> {
        let made = self.made;
        self.ask(|session, _| {
            let rows = session.query("SELECT changes FROM backstop_head", &[])?;
            let changes = rows.first().map(|row| get::<i64>(row, 0)).transpose()?;
            Ok(changes.unwrap_or(0).saturating_sub(made))
        })
    }

    fn wanted(&mut self) -> Result<Vec<Account>, Fault> {
        self.ask(|session, own| {
            let query = "SELECT DISTINCT id, scope, \"window\", period FROM backstop_wants \
                JOIN backstop_accounts ON id = account WHERE instance <> $1";
            let rows = session.query(query, &[(&own, Type::INT8)])?;
            rows.iter().map(|row| rows::account(row).map(|(_, account)| account)).collect()
        })
    }

    fn bury_the_dead(&mut self, at: i64) -> Result<(), Fault> {
        self.change(|change| change.bury_the_dead(at))
    }

    /// Whoever still holds something keeps their row, and what they hold is charged by the next process.
    fn leave(mut self) {
        let _: Result<(), Fault> = self.ask(|session, own| {
            let leave = "WITH wants AS (DELETE FROM backstop_wants WHERE instance = $1), gone AS (\
                DELETE FROM backstop_instances WHERE id = $1 AND NOT EXISTS (\
                SELECT 1 FROM backstop_leases WHERE instance = $1 AND granted > consumed) \
                RETURNING id) DELETE FROM backstop_leases WHERE instance IN (SELECT id FROM gone)";
            session.execute(leave, &[(&own, Type::INT8)])?;
            Ok(())
        });
    }

    fn error(&self, fault: Fault) -> LedgerError {
        LedgerError::of_shared(&self.address, fault)
    }

    #[cfg(test)]
    fn set_disk(&self, _: crate::accounting::ledger::tests::Disk) {}
}
