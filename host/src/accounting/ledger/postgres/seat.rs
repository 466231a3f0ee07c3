//! Who writes: a process takes a seat, and comes back to its books when its connection was gone.

use tokio_postgres::types::Type;

use super::change::SharedChange;
use super::fault::PostgresFault;
use super::schema::SEATS;
use super::session::get;
use crate::accounting::ledger::change::Change;
use crate::accounting::ledger::entry::{Hash, Place};
use crate::accounting::ledger::error::{Damage, Fault};

/// This process among those that write.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// Its number, for as long as it lives; 0 before it has one.
    pub(super) id: i64,
    /// Its seat, for as long as its connection does.
    pub(super) seat: i32,
    /// Changes it has made, as far as it knows.
    pub(super) round: i64,
    /// The latest entry it knows to be kept for good.
    pub(super) latest: Option<Place>,
}

impl Own {
    /// Takes a seat that nobody has; the numbers of seats and of processes go on in the head.
    pub(super) fn seated(&self, change: &mut SharedChange<'_>) -> Result<Self, Fault> {
        let mut own = self.clone();
        loop {
            change.head.seats = change.head.seats.checked_add(1).unwrap_or(1);
            let query = format!("SELECT pg_try_advisory_lock({SEATS}, $1)");
            let rows = change.session.query(&query, &[(&change.head.seats, Type::INT4)])?;
            if rows.first().map(|row| get::<bool>(row, 0)).transpose()? == Some(true) {
                own.seat = change.head.seats;
                break;
            }
        }
        if own.id == 0 {
            change.head.instances = change.head.instances.saturating_add(1);
            own.id = change.head.instances;
            let insert = "INSERT INTO backstop_instances (id, seat, round) VALUES ($1, $2, 0)";
            change.session.execute(insert, &[(&own.id, Type::INT8), (&own.seat, Type::INT4)])?;
        }
        Ok(own)
    }

    /// Comes back: returns its rounds as the books have them.
    ///
    /// # Errors
    /// When the books are older than what was kept for good: then this process may hold what nobody has lent.
    pub(super) fn come_back(&self, change: &mut SharedChange<'_>, at: i64) -> Result<i64, Fault> {
        self.find_latest(change)?;
        let query = "SELECT round, lost FROM backstop_instances WHERE id = $1";
        let rows = change.session.query(query, &[(&self.id, Type::INT8)])?;
        let Some(row) = rows.first() else {
            return Err(
                Damage::Unreadable("it does not know this process, to which it has lent money".to_owned()).into()
            );
        };
        let (round, lost): (i64, Option<i64>) = (get(row, 0)?, get(row, 1)?);
        if round != self.round && round != self.round.saturating_add(1) {
            return Err(Damage::Unreadable("it has forgotten changes that were made for good".to_owned()).into());
        }
        if let Some(lost) = lost {
            change.undo_burial(lost, at)?;
        }
        let update = "WITH wants AS (DELETE FROM backstop_wants WHERE instance = $1) \
            UPDATE backstop_instances SET seat = $2, lost = NULL, died = NULL WHERE id = $1";
        change.session.execute(update, &[(&change.instance(), Type::INT8), (&self.seat, Type::INT4)])?;
        Ok(round)
    }

    /// Whether the latest entry that was kept for good is there.
    fn find_latest(&self, change: &SharedChange<'_>) -> Result<(), Fault> {
        let Some(latest) = &self.latest else { return Ok(()) };
        let query = "SELECT hash FROM backstop_entries WHERE seq = $1";
        let rows = change.session.query(query, &[(&latest.seq, Type::INT8)])?;
        let hash: Option<&[u8]> = rows.first().map(|row| get(row, 0)).transpose()?;
        match hash.map(Hash::try_from) {
            Some(Ok(hash)) if hash == latest.hash => Ok(()),
            Some(_) => Err(Damage::Entry(latest.seq).into()),
            None if latest.seq == 0 => Ok(()),
            None => Err(Damage::Unreadable(format!(
                "it ends before entry {}, which was entered for good (restart this process to go on all the same)",
                latest.seq
            ))
            .into()),
        }
    }
}

/// A seat that is given up.
pub(super) fn no_seat() -> Fault {
    PostgresFault::away("there is no connection").into()
}
