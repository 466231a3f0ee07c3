//! Reads the store: one request's story, lists of requests, and what its ledger has of costs.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::accounting::ledger::{CostSum, CostsBy, ExportedEntry, LedgerError, LedgerPlace, LedgerReader};
use crate::accounting::{CostLine, NotebookName};
use crate::types::{Outcome, RequestId, RequestRecord};

use super::error::StoreError;
use super::schema;

/// The store, open for reading beside whoever writes it.
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    ledger: LedgerPlace,
}

/// Which requests a list is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// At most so many.
    pub limit: u32,
    /// Those entered before this one; the latest where nothing is said.
    pub before: Option<RequestId>,
    /// Those that ended so.
    pub outcome: Option<Outcome>,
}

impl Reader {
    /// Opens the store at a path. Its ledger lies beside it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let ledger = LedgerPlace::Beside(path.to_owned());
        Ok(Self { connection: schema::open_to_read(path)?, path: path.to_owned(), ledger })
    }

    /// The same with its ledger at another place.
    #[must_use]
    pub fn with_ledger(self, ledger: LedgerPlace) -> Self {
        Self { ledger, ..self }
    }

    /// One request's story.
    ///
    /// # Errors
    /// When the file cannot be read, or the record in it.
    pub fn record(&self, id: RequestId) -> Result<Option<RequestRecord>, StoreError> {
        let query = "SELECT outcome, record FROM requests WHERE id = ?1";
        let row = self.connection.query_row(query, [&id.0.to_be_bytes()[..]], texts).optional();
        row.map_err(|source| StoreError::of(&self.path, source))?.map(|texts| self.read(texts)).transpose()
    }

    /// Requests, the latest first.
    ///
    /// # Errors
    /// As [`Reader::record`].
    pub fn latest(&self, page: Page) -> Result<Vec<RequestRecord>, StoreError> {
        let query = "
            SELECT outcome, record FROM requests
            WHERE (?1 IS NULL OR rowid < (SELECT rowid FROM requests WHERE id = ?1)) AND (?2 IS NULL OR outcome = ?2)
            ORDER BY rowid DESC LIMIT ?3";
        let before = page.before.map(|id| id.0.to_be_bytes().to_vec());
        let rows = || {
            let mut query = self.connection.prepare_cached(query)?;
            let rows = query.query_map((before, page.outcome.map(Outcome::name), page.limit), texts)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = rows().map_err(|source| StoreError::of(&self.path, source))?;
        rows.into_iter().map(|texts| self.read(texts)).collect()
    }

    /// What a strategy has noted on a route.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn notes(&self, name: &NotebookName) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = || {
            let query = "SELECT key, value FROM notes WHERE route = ?1 AND strategy = ?2";
            let mut query = self.connection.prepare_cached(query)?;
            let rows = query.query_map((&*name.route, &*name.strategy), |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        rows().map_err(|source| StoreError::of(&self.path, source))
    }

    /// What was spent since a day, by day, provider and model: as the ledger has it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn costs(&self, since: Date) -> Result<Vec<CostLine>, StoreError> {
        match LedgerReader::open_at(&self.ledger) {
            Ok(ledger) => Ok(ledger.lines(since)?),
            // Nothing was spent yet.
            Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// What was spent since a day, added up by something.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn cost_sums(&self, since: Date, by: CostsBy) -> Result<Vec<CostSum>, StoreError> {
        match LedgerReader::open_at(&self.ledger) {
            Ok(ledger) => Ok(ledger.sums(since, by)?),
            Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Entries of the ledger since a day and after one of them, so many at most.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn cost_entries(&self, since: Date, after: i64, limit: u32) -> Result<Vec<ExportedEntry>, StoreError> {
        match LedgerReader::open_at(&self.ledger) {
            Ok(ledger) => Ok(ledger.entries(since, after, limit)?),
            Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Counts costs anew from now on, at one provider or at all of them.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn reset_costs(&self, provider: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        match LedgerReader::open_at(&self.ledger) {
            Ok(ledger) => Ok(ledger.reset(provider, now)?),
            Err(LedgerError::Absent { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, (outcome, text): (String, String)) -> Result<RequestRecord, StoreError> {
        let record: Result<RequestRecord, _> = serde_json::from_str(&text);
        let mut record = record.map_err(|source| StoreError::Record { path: self.path.clone(), source })?;
        record.outcome = Outcome::parse(&outcome).unwrap_or(record.outcome);
        Ok(record)
    }
}

fn texts(row: &Row<'_>) -> rusqlite::Result<(String, String)> {
    Ok((row.get(0)?, row.get(1)?))
}
