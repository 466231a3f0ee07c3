//! The end of the chain, which whoever changes anything holds.

use super::days::Days;
use super::fault::PostgresFault;
use super::session::{Session, get};
use crate::accounting::ledger::entry::{Hash, Place};
use crate::accounting::ledger::error::{Damage, Fault};
use tokio_postgres::Row;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

const COLUMNS: &str = "seq, hash, changes, accounts, instances, seats, day, \
    extract(epoch FROM clock_timestamp() - day_since)::bigint, \
    (clock_timestamp() AT TIME ZONE 'UTC')::date - DATE '1970-01-01'";

/// What the row says.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) place: Place,
    /// Changes made so far.
    pub(super) changes: i64,
    /// The latest account.
    pub(super) accounts: i64,
    /// The latest process.
    pub(super) instances: i64,
    /// The latest seat.
    pub(super) seats: i32,
    pub(super) days: Days,
}

impl Head {
    /// Begins a change: others wait until it is made or undone.
    pub(super) fn hold(session: &Session) -> Result<Self, Fault> {
        Self::one(&session.run_and_query(BEGIN, &format!("SELECT {COLUMNS} FROM backstop_head FOR UPDATE"))?)
    }

    /// Reads it within a transaction that changes nothing.
    pub(super) fn read(session: &Session) -> Result<Self, Fault> {
        Self::one(&session.query(&format!("SELECT {COLUMNS} FROM backstop_head"), &[])?)
    }

    fn one(rows: &[Row]) -> Result<Self, Fault> {
        let Some(row) = rows.first() else {
            return Err(Damage::Unreadable("the table backstop_head is empty".to_owned()).into());
        };
        let hash: &[u8] = get(row, 1)?;
        let hash = Hash::try_from(hash).map_err(|_| PostgresFault::broken("the digest of the latest entry is cut"))?;
        Ok(Self {
            place: Place { seq: get(row, 0)?, hash },
            changes: get(row, 2)?,
            accounts: get(row, 3)?,
            instances: get(row, 4)?,
            seats: get(row, 5)?,
            days: Days { latest: get(row, 6)?, seconds: get(row, 7)?, utc: get(row, 8)? },
        })
    }
}
