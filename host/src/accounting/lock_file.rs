//! The lock file of a process that writes to a file: held while it lives, so that the others know when it has died.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The lock file of a process that writes to a file.
pub(super) fn lock_of(path: &Path, id: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-{id}.lock"));
    PathBuf::from(name)
}

/// Makes a lock file and holds its lock.
pub(super) fn locked(path: &Path) -> std::io::Result<File> {
    let file = File::create(path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::Error(error) => error,
        TryLockError::WouldBlock => std::io::ErrorKind::WouldBlock.into(),
    })?;
    Ok(file)
}

/// Whether nobody holds the lock. Where that cannot be told, somebody may.
pub(super) fn is_dead(lock: &Path) -> bool {
    match File::open(lock) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
