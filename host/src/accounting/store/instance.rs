//! Which processes write to the store: each holds a lock file while it lives, so that the dead are known.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::accounting::lock_file::{is_dead, lock_of, locked};
use crate::types::Outcome;

use super::error::StoreError;

/// This process's place among those that write. Ends with the process, however that ends.
pub(super) struct Instance {
    pub(super) id: i64,
    lock: PathBuf,
    /// Held for its lock.
    _file: File,
}

impl Instance {
    /// Takes a place, and gives the requests that dead processes had under way their outcome.
    pub(super) fn enter(connection: &mut Connection, path: &Path) -> Result<Self, StoreError> {
        let fault = |source| StoreError::of(path, source);
        let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fault)?;
        let ids = {
            let mut query = change.prepare("SELECT id FROM instances").map_err(fault)?;
            let ids = query.query_map((), |row| row.get::<_, i64>(0)).map_err(fault)?;
            ids.collect::<Result<Vec<_>, _>>().map_err(fault)?
        };
        for id in ids.iter().copied().filter(|id| is_dead(&lock_of(path, *id))) {
            let (unknown, pending) = (Outcome::Unknown.name(), Outcome::Pending.name());
            let ended = "UPDATE requests SET outcome = ?1 WHERE instance = ?2 AND outcome = ?3";
            let found = change.execute(ended, (unknown, id, pending)).map_err(fault)?;
            change.execute("DELETE FROM instances WHERE id = ?1", [id]).map_err(fault)?;
            let _ = fs::remove_file(lock_of(path, id));
            if found > 0 {
                tracing::warn!(requests = found, "requests of a process that has died get the outcome unknown");
            }
        }
        // Numbers are not used again while records of theirs are kept.
        let last: i64 = change
            .query_row("SELECT max(ifnull((SELECT max(id) FROM instances), 0), ifnull((SELECT max(instance) FROM requests), 0))", (), |row| row.get(0))
            .map_err(fault)?;
        let id = last + 1;
        change.execute("INSERT INTO instances (id) VALUES (?1)", [id]).map_err(fault)?;
        let lock = lock_of(path, id);
        let file = locked(&lock).map_err(|source| StoreError::Folder { path: lock.clone(), source })?;
        change.commit().map_err(fault)?;
        Ok(Self { id, lock, _file: file })
    }

    /// Leaves: nothing of this process is under way any more.
    pub(super) fn leave(self, connection: &Connection) {
        let _ = connection.execute("DELETE FROM instances WHERE id = ?1", [self.id]);
        let _ = fs::remove_file(&self.lock);
    }
}
