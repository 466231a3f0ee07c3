//! A SQLite file of Backstop's own: laid out when it is new, known by its mark, and refused where it is something else.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// How long somebody else's change is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// What a kind of file looks like.
pub(super) struct Layout {
    /// Marks the file as one of its kind.
    pub(super) application: i64,
    /// The layout this version writes, and the only one it reads.
    pub(super) version: i64,
    /// How it is laid out.
    pub(super) tables: &'static str,
    /// What is waited for when a change is made: `NORMAL` or `FULL`, as SQLite has them.
    pub(super) synchronous: &'static str,
}

/// Why a file cannot be opened.
pub(super) enum OpenFault {
    /// It is something else.
    Foreign,
    /// A later version has written it, in this layout.
    Newer(i64),
    /// There is none.
    Absent,
    /// SQLite refuses.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenFault {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite(source)
    }
}

enum State {
    Empty,
    Laid,
}

impl Layout {
    /// Opens a file to write it; an empty one is laid out.
    pub(super) fn open(&self, path: &Path) -> Result<Connection, OpenFault> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        // The journal's mode is a property of the file, and switching it takes a lock that readers of a new file may hold.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", self.synchronous)?;
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let State::Empty = self.state(&change)? {
            change.execute_batch(self.tables)?;
            change.pragma_update(None, "application_id", self.application)?;
            change.pragma_update(None, "user_version", self.version)?;
        }
        change.commit()?;
        Ok(connection)
    }

    /// Opens a file to read it.
    pub(super) fn open_to_read(&self, path: &Path) -> Result<Connection, OpenFault> {
        if !path.exists() {
            return Err(OpenFault::Absent);
        }
        // Readers of a write-ahead log write to its index.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        match self.state(&connection)? {
            State::Laid => Ok(connection),
            State::Empty => Err(OpenFault::Absent),
        }
    }

    fn state(&self, connection: &Connection) -> Result<State, OpenFault> {
        let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let (application, version) = (number("application_id")?, number("user_version")?);
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
        match (application, version) {
            (0, 0) if tables == 0 => Ok(State::Empty),
            (application, version) if application == self.application && version == self.version => Ok(State::Laid),
            (application, found) if application == self.application => Err(OpenFault::Newer(found)),
            _ => Err(OpenFault::Foreign),
        }
    }
}

/// What mends an error, where that is known; begins with a semicolon. `damaged` is what to do with a file that is.
pub(super) fn mend(error: &rusqlite::Error, damaged: &'static str) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; make room on the disk",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "; make it writable, or set `path` in [store] to another place"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another program holds it",
        Some(ErrorCode::DatabaseCorrupt) => damaged,
        _ => "",
    }
}

/// Makes the folder of a file, which is nobody else's business.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
