//! The layout of the ledger's file, and how it is opened.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::accounting::database::Layout;

use super::error::LedgerError;

const LAYOUT: Layout = Layout {
    // `BkLg`.
    application: 0x426B_4C67,
    version: 1,
    tables: TABLES,
    // What is committed is on the disk: money is not spent twice when the power fails.
    synchronous: "FULL",
};

/// The first SQLite without the known faults of write-ahead logs.
const OLDEST_SQLITE: i32 = 3_051_003;

const TABLES: &str = "
    -- What happened, for good: each entry's digest covers the one before.
    CREATE TABLE entries (
        seq            INTEGER PRIMARY KEY,
        at             INTEGER NOT NULL,        -- milliseconds since 1970
        -- Not a list to be in: SQLite builds a table of it for every entry.
        kind           TEXT NOT NULL CHECK (
            kind = 'exact' OR kind = 'uncertain' OR kind = 'overrun' OR kind = 'lost' OR kind = 'reset'
        ),
        instance       INTEGER NOT NULL,        -- the process that entered it
        day            INTEGER NOT NULL,        -- it counts in this one: days since 1970 in the budgets' time zone
        request        BLOB CHECK (request IS NULL OR length(request) = 16),
        route          TEXT NOT NULL,
        provider       TEXT NOT NULL,
        model          TEXT NOT NULL,
        key            TEXT,
        labels         TEXT,                    -- a list of pairs, as JSON
        answers        INTEGER NOT NULL CHECK (answers >= 0),
        input          INTEGER NOT NULL CHECK (input >= 0),
        output         INTEGER NOT NULL CHECK (output >= 0),
        cache_read     INTEGER NOT NULL CHECK (cache_read >= 0),
        cache_creation INTEGER NOT NULL CHECK (cache_creation >= 0),
        reasoning      INTEGER NOT NULL CHECK (reasoning >= 0),
        cost           INTEGER NOT NULL CHECK (cost >= 0),      -- nano-dollars
        charges        TEXT,                    -- where it is not the cost: account and nano-dollars, as JSON
        hash           BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT;
    CREATE INDEX entries_by_day ON entries (day);
    CREATE INDEX resets ON entries (seq) WHERE kind = 'reset';
    -- What was spent of each: the sum of its entries.
    CREATE TABLE accounts (
        id     INTEGER PRIMARY KEY,
        scope  TEXT NOT NULL,
        window TEXT NOT NULL CHECK (window IN ('day', 'month')),
        period INTEGER NOT NULL,
        spent  INTEGER NOT NULL CHECK (spent >= 0),             -- nano-dollars
        UNIQUE (scope, window, period)
    ) STRICT;
    -- What each living process was lent of an account, and has entered of it.
    CREATE TABLE leases (
        instance INTEGER NOT NULL,
        account  INTEGER NOT NULL,
        granted  INTEGER NOT NULL CHECK (granted >= 0),
        consumed INTEGER NOT NULL CHECK (consumed >= 0),
        mark     INTEGER NOT NULL,              -- the beginning of a digest of the row
        PRIMARY KEY (instance, account)
    ) STRICT, WITHOUT ROWID;
    -- Accounts that somebody waits for: whoever was lent more than they use gives it back.
    CREATE TABLE wants (
        account  INTEGER NOT NULL,
        instance INTEGER NOT NULL,
        PRIMARY KEY (account, instance)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE instances (id INTEGER PRIMARY KEY) STRICT;
";

/// The ledger beside a store: `store-ledger.db` beside `store.db`.
pub(in crate::accounting) fn path_beside(store: &Path) -> PathBuf {
    let stem = store.file_stem().unwrap_or_default();
    let mut name = stem.to_owned();
    name.push("-ledger");
    if let Some(extension) = store.extension() {
        name.push(".");
        name.push(extension);
    }
    store.with_file_name(name)
}

/// Opens the file to write it; an empty one is laid out.
pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(LedgerError::OldSqlite { found: rusqlite::version().to_owned() });
    }
    let connection = LAYOUT.open(path).map_err(|fault| LedgerError::of_opening(path, fault, LAYOUT.version))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens the file to read it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, LedgerError> {
    LAYOUT.open_to_read(path).map_err(|fault| LedgerError::of_opening(path, fault, LAYOUT.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_beside_the_store() {
        let beside = ["/data/store.db", "store", "a/b.c.sqlite"].map(|store| path_beside(Path::new(store)));

        assert_eq!(
            beside.map(|path| path.display().to_string()),
            ["/data/store-ledger.db", "store-ledger", "a/b.c-ledger.sqlite"]
        );
    }
}
