//! The layout of the store's file.

use std::path::Path;

use rusqlite::Connection;

use crate::accounting::database::Layout;

use super::error::StoreError;

const LAYOUT: Layout = Layout {
    // `BkSt`.
    application: 0x426B_5374,
    version: 1,
    tables: TABLES,
    // A record may be lost when the power fails; the file is whole all the same.
    synchronous: "NORMAL",
};

const TABLES: &str = "
    CREATE TABLE requests (
        id       BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
        started  INTEGER NOT NULL,              -- milliseconds since 1970
        instance INTEGER NOT NULL,              -- the process that served it
        outcome  TEXT NOT NULL,
        record   TEXT NOT NULL                  -- the whole story, as JSON
    ) STRICT;
    CREATE TABLE instances (id INTEGER PRIMARY KEY) STRICT;
";

/// What strategies note. It came when there were files of the layout, and is added to those.
const NOTES: &str = "
    CREATE TABLE IF NOT EXISTS notes (
        route    TEXT NOT NULL,
        strategy TEXT NOT NULL,
        key      TEXT NOT NULL,
        value    BLOB NOT NULL,
        PRIMARY KEY (route, strategy, key)
    ) STRICT, WITHOUT ROWID;
";

/// Opens the file to write it; an empty one is laid out.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let opened = LAYOUT.open(path).map_err(|fault| StoreError::of_opening(path, fault, LAYOUT.version))?;
    opened.execute_batch(NOTES).map_err(|source| StoreError::of(path, source))?;
    Ok(opened)
}

/// Opens the file to read it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    LAYOUT.open_to_read(path).map_err(|fault| StoreError::of_opening(path, fault, LAYOUT.version))
}
