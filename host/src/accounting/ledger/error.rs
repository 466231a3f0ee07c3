//! Why the ledger cannot be used, in words that name the file and what mends it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

#[cfg(feature = "postgres")]
use super::postgres::PostgresFault;
use crate::accounting::database::{OpenFault, mend};
#[cfg(feature = "postgres")]
use crate::config::LedgerAddress;
use crate::shared::SharedError;

/// What to do with a file that is damaged.
const DAMAGED: &str = "; put a sound copy in its place, or move it away to begin a new one";

/// The ledger cannot be opened, read or written, or does not add up.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// A file beside it cannot be used.
    #[error("{} cannot be used: {source}; set `path` in [store] to a place that can be written to", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is no ledger of Backstop's; set `path` in [store] to another place", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version has written it.
    #[error("the ledger {} was written by a later version (its layout is {found}, this one knows {known}); use that version, or another place", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The latest layout this version knows.
        known: i64,
    },
    /// There is none.
    #[error("there is no ledger at {} yet: it is made when the first request is served", .path.display())]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// SQLite itself is too old to be trusted with it.
    #[error("SQLite {found} has faults that a ledger must not have; 3.51.3 or later is needed")]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// SQLite refuses.
    #[error("the ledger {} cannot be used: {source}{mend}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What mends it, where that is known; begins with a semicolon.
        mend: &'static str,
        /// SQLite's own words.
        source: rusqlite::Error,
    },
    /// The store that budgets are shared through cannot be used.
    #[error("{0}")]
    Shared(SharedError),
    /// PostgreSQL refuses, or cannot be reached.
    #[cfg(feature = "postgres")]
    #[error("the ledger at {ledger} cannot be used: {source}")]
    Postgres {
        /// Its address, without the password.
        ledger: String,
        /// What it says.
        source: PostgresFault,
    },
    /// This program was built without it.
    #[error("this program was built without PostgreSQL, where store.ledger is: build it with the feature `postgres`")]
    NoPostgres,
    /// The one in PostgreSQL does not add up.
    #[error("the ledger at {ledger} is damaged: {damage}; restore a sound copy of its database, or begin a new one")]
    DatabaseDamaged {
        /// Its address, without the password.
        ledger: String,
        /// Where.
        damage: Damage,
    },
    /// It does not add up.
    #[error("the ledger {} is damaged: {damage}; put a sound copy in its place, or move it away to begin a new one", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        damage: Damage,
    },
}

/// A place where the ledger does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    /// An entry is not what its digest says, or does not follow from the one before.
    #[error("entry {0} is not what it was when it was written")]
    Entry(i64),
    /// An entry is missing.
    #[error("entry {0} is missing")]
    Gap(i64),
    /// An account's balance is not the sum of its entries.
    #[error("account {account} says {balance} nano-dollars were spent and its entries say {sum}")]
    Balance {
        /// Which.
        account: String,
        /// What it says.
        balance: i64,
        /// What was added up.
        sum: i64,
    },
    /// What was lent of an account is not what it was when it was written.
    #[error("what process {instance} was lent of account {account} is not what it was when it was written")]
    Lease {
        /// Whose.
        instance: i64,
        /// The account's number.
        account: i64,
    },
    /// The file is older than it was.
    #[error(
        "it ends before entry {0}, which was entered for good (delete the file that ends in -head to go on all the same)"
    )]
    Older(i64),
    /// SQLite cannot read it.
    #[error("{0}")]
    Unreadable(String),
}

impl LedgerError {
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

    /// What is wrong while it is in use.
    pub(super) fn of_fault(path: &Path, fault: Fault) -> Self {
        match fault {
            Fault::Sqlite(source) => Self::of(path, source),
            Fault::Damage(damage) => Self::Damaged { path: path.to_owned(), damage },
            #[cfg(feature = "postgres")]
            Fault::Postgres(source) => Self::Postgres { ledger: path.display().to_string(), source },
        }
    }

    /// What is wrong with one in PostgreSQL.
    #[cfg(feature = "postgres")]
    pub(super) fn of_shared(address: &LedgerAddress, fault: Fault) -> Self {
        let ledger = address.to_string();
        match fault {
            Fault::Postgres(source) => Self::Postgres { ledger, source },
            Fault::Damage(damage) => Self::DatabaseDamaged { ledger, damage },
            Fault::Sqlite(source) => Self::of(Path::new(&ledger), source),
        }
    }

    /// Where it does not add up, if that is what is wrong.
    pub(super) fn damage(self) -> Result<Damage, Self> {
        match self {
            Self::Damaged { damage, .. } | Self::DatabaseDamaged { damage, .. } => Ok(damage),
            other => Err(other),
        }
    }
}

/// What can go wrong in the middle of a change.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    #[cfg(feature = "postgres")]
    Postgres(PostgresFault),
    Damage(Damage),
}

impl Fault {
    /// Whether it may pass by itself, and the same may be tried again. After an error of input or output nobody knows what is on
    /// the disk.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
            #[cfg(feature = "postgres")]
            Self::Postgres(fault) => fault.may_pass(),
            Self::Damage(_) => false,
        }
    }

    /// Whether it cannot be reached, or is too busy.
    #[cfg(feature = "postgres")]
    pub(super) fn is_away(&self) -> bool {
        matches!(self, Self::Postgres(fault) if fault.is_away())
    }

    /// Whether whoever keeps the ledger has it noted what was lent, so that it may be spent all the same.
    pub(super) fn spares_what_is_lent(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(fault) => fault.may_pass(),
            Self::Sqlite(_) | Self::Damage(_) => false,
        }
    }

    /// Whether nobody knows if the change was made.
    pub(super) fn is_doubtful(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(fault) => fault.is_doubtful(),
            Self::Sqlite(_) | Self::Damage(_) => false,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

#[cfg(feature = "postgres")]
impl From<PostgresFault> for Fault {
    fn from(fault: PostgresFault) -> Self {
        Self::Postgres(fault)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}
