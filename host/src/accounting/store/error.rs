//! Why the store cannot be used, in words that name the file and what mends it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::accounting::database::{OpenFault, mend};
use crate::accounting::ledger::LedgerError;

/// What to do with a file that is damaged.
const DAMAGED: &str = "; move the file away: a new one is made";

/// The store cannot be opened, read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Its folder cannot be made or written to.
    #[error("the folder of the store {} cannot be used: {source}; set `path` in [store] to a place that can be written to", .path.display())]
    Folder {
        /// The store's file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is no store of Backstop's; set `path` in [store] to another file", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version has written it.
    #[error("the store {} was written by a later version (its layout is {found}, this one knows {known}); use that version, or another file", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The latest layout this version knows.
        known: i64,
    },
    /// There is nothing to read.
    #[error("there is no store at {} yet: it is made when the first request is served", .path.display())]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// SQLite refuses.
    #[error("the store {} cannot be used: {source}{mend}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What mends it, where that is known; begins with a semicolon.
        mend: &'static str,
        /// SQLite's own words.
        source: rusqlite::Error,
    },
    /// The ledger beside it cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A record in it is damaged.
    #[error("a record in the store {} cannot be read: {source}", .path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl StoreError {
    /// What SQLite refuses, in words.
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            _ => Self::Sqlite { path, mend: mend(&source, DAMAGED), source },
        }
    }

    /// Why its file cannot be opened; `known` is the layout this version has.
    pub(super) fn of_opening(path: &Path, fault: OpenFault, known: i64) -> Self {
        let path = path.to_owned();
        match fault {
            OpenFault::Foreign => Self::Foreign { path },
            OpenFault::Newer(found) => Self::Newer { path, found, known },
            OpenFault::Absent => Self::Absent { path },
            OpenFault::Sqlite(source) => Self::of(&path, source),
        }
    }
}
