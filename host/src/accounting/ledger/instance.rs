//! Which processes write the ledger: each holds a lock file while it lives, so that what the dead were lent can be charged.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::LedgerError;
use crate::accounting::lock_file::{is_dead, lock_of, locked};

/// This process's place among those that write. Ends with the process, however that ends.
pub(super) struct Instance {
    pub(super) id: i64,
    lock: PathBuf,
    /// Held for its lock.
    _file: File,
}

impl Instance {
    /// Takes a place.
    pub(super) fn enter(connection: &mut Connection, path: &Path) -> Result<Self, LedgerError> {
        let fault = |source| LedgerError::of(path, source);
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
        // Numbers are not used again: entries name them.
        let query =
            "SELECT max(ifnull((SELECT max(id) FROM instances), 0), ifnull((SELECT max(instance) FROM entries), 0))";
        let last: i64 = change.query_row(query, (), |row| row.get(0)).map_err(fault)?;
        let id = last + 1;
        change.execute("INSERT INTO instances (id) VALUES (?1)", [id]).map_err(fault)?;
        let lock = lock_of(path, id);
        let file = locked(&lock).map_err(|source| LedgerError::File { path: lock.clone(), source })?;
        change.commit().map_err(fault)?;
        Ok(Self { id, lock, _file: file })
    }

    /// Processes that have died without leaving.
    pub(super) fn dead(connection: &Connection, path: &Path) -> rusqlite::Result<Vec<i64>> {
        let mut query = connection.prepare_cached("SELECT id FROM instances")?;
        let ids = query.query_map((), |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(ids.into_iter().filter(|id| is_dead(&lock_of(path, *id))).collect())
    }

    /// Removes the lock file of a process whose part has been charged.
    pub(super) fn bury(path: &Path, id: i64) {
        let _ = fs::remove_file(lock_of(path, id));
    }

    /// Leaves. Whoever still holds something stays on the list, and what they hold is charged by the next process.
    pub(super) fn leave(self, connection: &Connection) {
        let leave = || {
            let change = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            change.execute("DELETE FROM wants WHERE instance = ?1", [self.id])?;
            let leave = "DELETE FROM instances WHERE id = ?1 \
                AND NOT EXISTS (SELECT 1 FROM leases WHERE instance = ?1 AND granted > consumed)";
            if change.execute(leave, [self.id])? > 0 {
                change.execute("DELETE FROM leases WHERE instance = ?1", [self.id])?;
                // Within the change: once it is made the number is free, and whoever enters then may lock the same file.
                let _ = fs::remove_file(&self.lock);
            }
            change.commit()
        };
        // Where it fails the process is dead to the others, and what it holds is charged.
        let _: rusqlite::Result<()> = leave();
    }
}
