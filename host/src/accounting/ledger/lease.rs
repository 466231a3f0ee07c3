//! What a process was lent of an account, and has entered of it.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};
use sha2::{Digest, Sha256};

use super::error::{Damage, Fault};

/// One row of what was lent. Its mark tells that no byte of it has changed since it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) instance: i64,
    pub(super) account: i64,
    /// In all, less what was given back.
    pub(super) granted: i64,
    /// What was entered of it. More than was granted where a provider has counted more than was reserved.
    pub(super) consumed: i64,
}

const COLUMNS: &str = "instance, account, granted, consumed, mark";

impl Lease {
    /// What is lent and not entered.
    pub(super) fn outstanding_amount(&self) -> i64 {
        self.granted.saturating_sub(self.consumed).max(0)
    }

    /// What a process was lent of an account; nothing where it never asked.
    pub(super) fn find(connection: &Connection, instance: i64, account: i64) -> Result<Self, Fault> {
        let query = format!("SELECT {COLUMNS} FROM leases WHERE instance = ?1 AND account = ?2");
        let found = connection.prepare_cached(&query)?.query_row((instance, account), Self::read).optional()?;
        found.unwrap_or(Ok(Self { instance, account, granted: 0, consumed: 0 })).map_err(Fault::from)
    }

    /// What everybody was lent of an account.
    pub(super) fn of_account(connection: &Connection, account: i64) -> Result<Vec<Self>, Fault> {
        Self::all(connection, &format!("SELECT {COLUMNS} FROM leases WHERE account = ?1"), account)
    }

    /// The accounts of which something is lent to a process and not entered, and how much.
    pub(super) fn outstanding(connection: &Connection, instance: i64) -> Result<BTreeMap<i64, i64>, Fault> {
        let leases = Self::all(connection, &format!("SELECT {COLUMNS} FROM leases WHERE instance = ?1"), instance)?;
        let amounts = leases.into_iter().map(|lease| (lease.account, lease.outstanding_amount()));
        Ok(amounts.filter(|(_, amount)| *amount > 0).collect())
    }

    /// Holds every row to its mark.
    pub(super) fn check_all(connection: &Connection) -> Result<(), Fault> {
        Self::all(connection, &format!("SELECT {COLUMNS} FROM leases WHERE instance <> ?1"), -1).map(|_| ())
    }

    pub(super) fn write(&self, connection: &Connection) -> Result<(), Fault> {
        let write =
            "INSERT OR REPLACE INTO leases (instance, account, granted, consumed, mark) VALUES (?1, ?2, ?3, ?4, ?5)";
        let Self { instance, account, granted, consumed } = *self;
        connection.prepare_cached(write)?.execute((instance, account, granted, consumed, self.mark()))?;
        Ok(())
    }

    fn all(connection: &Connection, query: &str, of: i64) -> Result<Vec<Self>, Fault> {
        let mut query = connection.prepare_cached(query)?;
        let rows = query.query_map([of], Self::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter().map(|lease| lease.map_err(Fault::from)).collect()
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, Damage>> {
        let lease = Self { instance: row.get(0)?, account: row.get(1)?, granted: row.get(2)?, consumed: row.get(3)? };
        let mark: i64 = row.get(4)?;
        let damage = Damage::Lease { instance: lease.instance, account: lease.account };
        Ok(if mark == lease.mark() { Ok(lease) } else { Err(damage) })
    }

    pub(super) fn mark(&self) -> i64 {
        let mut digest = Sha256::new();
        for number in [self.instance, self.account, self.granted, self.consumed] {
            digest.update(number.to_le_bytes());
        }
        let digest: [u8; 32] = digest.finalize().into();
        let mut first = [0; 8];
        first.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
        i64::from_le_bytes(first)
    }
}
