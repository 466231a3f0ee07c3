//! Reads the store: one request's story, lists of requests, spend.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::accounting::CostLine;
use crate::types::{NanoUsd, Outcome, RequestId, RequestRecord, Usage};

use super::error::StoreError;
use super::schema;

/// The store, open for reading beside whoever writes it.
pub struct Reader {
    connection: Connection,
    path: PathBuf,
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
    /// Opens the store at a path.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: schema::open_to_read(path)?, path: path.to_owned() })
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

    /// What was spent since a day, by day, provider and model.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn costs(&self, since: Date) -> Result<Vec<CostLine>, StoreError> {
        let query = "
            SELECT day, provider, model, answers, input, output, cache_read, cache_creation, reasoning, cost
            FROM spend WHERE day >= ?1 ORDER BY day, provider, model";
        let rows = || {
            let mut query = self.connection.prepare_cached(query)?;
            let rows = query.query_map([since.to_string()], line)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        rows().map_err(|source| StoreError::of(&self.path, source))
    }

    /// Forgets what was spent, at one provider or at all of them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reset_costs(&self, provider: Option<&str>) -> Result<(), StoreError> {
        let remove = "DELETE FROM spend WHERE ?1 IS NULL OR provider = ?1";
        let removed = self.connection.execute(remove, [provider]);
        removed.map(|_| ()).map_err(|source| StoreError::of(&self.path, source))
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

fn line(row: &Row<'_>) -> rusqlite::Result<CostLine> {
    let text = |place| row.get::<_, String>(place);
    let count = |place| row.get::<_, i64>(place).map(|count| u64::try_from(count).unwrap_or(0));
    let day = text(0)?.parse().map_err(|error: jiff::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(CostLine {
        day,
        provider: Arc::from(text(1)?),
        model: Arc::from(text(2)?),
        answers: count(3)?,
        usage: Usage {
            input: count(4)?,
            output: count(5)?,
            cache_read: count(6)?,
            cache_creation: count(7)?,
            reasoning: count(8)?,
        },
        cost: NanoUsd::from_nanos(count(9)?),
    })
}
