//! The layout of the store's file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// Marks the file as Backstop's: `BkSt`.
const APPLICATION: i64 = 0x426B_5374;

/// The layout this version writes.
const LAYOUT: i64 = 1;

/// How long somebody else's write is waited for.
const BUSY: Duration = Duration::from_secs(5);

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

/// Opens the file to write it; an empty one is laid out.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let fault = |source| StoreError::of(path, source);
    let mut connection = Connection::open(path).map_err(fault)?;
    connection.busy_timeout(BUSY).map_err(fault)?;
    // The journal's mode is a property of the file, and switching it takes a lock that readers of a new file may hold.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fault)?;
    // A record may be lost when the power fails; the file is whole all the same.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(fault)?;
    let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fault)?;
    if let State::Empty = state(&change, path)? {
        change.execute_batch(TABLES).map_err(fault)?;
        change.pragma_update(None, "application_id", APPLICATION).map_err(fault)?;
        change.pragma_update(None, "user_version", LAYOUT).map_err(fault)?;
    }
    change.commit().map_err(fault)?;
    Ok(connection)
}

/// Opens the file to read it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Absent { path: path.to_owned() });
    }
    let fault = |source| StoreError::of(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(BUSY).map_err(fault)?;
    match state(&connection, path)? {
        State::Laid => Ok(connection),
        State::Empty => Err(StoreError::Absent { path: path.to_owned() }),
    }
}

enum State {
    Empty,
    Laid,
}

fn state(connection: &Connection, path: &Path) -> Result<State, StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let fault = |source| StoreError::of(path, source);
    let (application, layout) = (number("application_id").map_err(fault)?, number("user_version").map_err(fault)?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(fault)?;
    match (application, layout) {
        (0, 0) if tables == 0 => Ok(State::Empty),
        (APPLICATION, LAYOUT) => Ok(State::Laid),
        (APPLICATION, found) => Err(StoreError::Newer { path: path.to_owned(), found, known: LAYOUT }),
        _ => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}
