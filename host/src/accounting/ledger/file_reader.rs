//! Reads the ledger's file beside whoever writes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};

use super::entry::{BEGINNING, COLUMNS, Entry, money};
use super::error::LedgerError;
use super::reader::{CostSum, CostsBy, ExportedEntry, counted, exported, named};
use super::{books, schema};
use crate::accounting::{CostLine, date_of, day_of};
use crate::types::{NanoUsd, Usage};

/// The file, open for reading.
pub(super) struct FileReader {
    connection: Connection,
    path: PathBuf,
}

/// What costs are shown of: entries behind the latest reset that is theirs.
const COUNTED: &str = "kind <> 'reset' AND day >= ?1 AND seq > ifnull((SELECT max(mark.seq) FROM entries AS mark \
    WHERE mark.kind = 'reset' AND (mark.provider = '' OR mark.provider = entries.provider)), 0)";

const SUMS: &str =
    "sum(answers), sum(input), sum(output), sum(cache_read), sum(cache_creation), sum(reasoning), sum(cost)";

impl FileReader {
    /// Opens the ledger beside the store at a path.
    pub(super) fn open(store: &Path) -> Result<Self, LedgerError> {
        let path = schema::path_beside(store);
        Ok(Self { connection: schema::open_to_read(&path)?, path })
    }

    /// What was spent since a day, by day, provider and model.
    pub(super) fn lines(&self, since: Date) -> Result<Vec<CostLine>, LedgerError> {
        let query = format!(
            "SELECT day, provider, model, {SUMS} FROM entries WHERE {COUNTED} GROUP BY day, provider, model \
            ORDER BY day, provider, model"
        );
        let rows = || {
            let mut query = self.connection.prepare_cached(&query)?;
            let rows = query.query_map([day_of(since)], |row| {
                let (answers, usage, cost) = counts(row, 3)?;
                let name = |place| row.get::<_, String>(place).map(|name| named(&name));
                let (day, provider, model) = (date_of(row.get(0)?), name(1)?, name(2)?);
                Ok(CostLine { day, provider: Arc::from(provider), model: Arc::from(model), answers, usage, cost })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        rows().map_err(|source| LedgerError::of(&self.path, source))
    }

    /// What was spent since a day, the dearest first.
    pub(super) fn sums(&self, since: Date, by: CostsBy) -> Result<Vec<CostSum>, LedgerError> {
        let (of, from) = match by {
            CostsBy::Provider => ("provider", "entries"),
            CostsBy::Model => ("CASE provider WHEN '' THEN '' ELSE provider || '/' || model END", "entries"),
            CostsBy::Key => ("ifnull(key, '')", "entries"),
            CostsBy::Route => ("route", "entries"),
            CostsBy::Day => ("day", "entries"),
            CostsBy::Label => (
                "(label.value ->> 0) || '=' || (label.value ->> 1)",
                "entries, json_each(ifnull(entries.labels, '[]')) AS label",
            ),
        };
        let order = if by == CostsBy::Day { "ORDER BY 1" } else { "ORDER BY sum(cost) DESC, 1" };
        let query = format!(
            "SELECT {of}, {SUMS}, sum(CASE WHEN kind IN ('uncertain', 'lost') THEN cost ELSE 0 END) \
            FROM {from} WHERE {COUNTED} GROUP BY 1 {order}"
        );
        let rows = || {
            let mut query = self.connection.prepare_cached(&query)?;
            let rows = query.query_map([day_of(since)], |row| {
                let of = match by {
                    CostsBy::Day => date_of(row.get(0)?).to_string(),
                    CostsBy::Provider | CostsBy::Model => named(&row.get::<_, String>(0)?),
                    CostsBy::Key | CostsBy::Route | CostsBy::Label => row.get(0)?,
                };
                let (answers, usage, cost) = counts(row, 1)?;
                Ok(CostSum { of, answers, usage, cost, uncertain: money(row.get(8)?) })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        rows().map_err(|source| LedgerError::of(&self.path, source))
    }

    /// Entries since a day and after one of them, in the order they were entered, resets among them; so many at most.
    pub(super) fn entries(&self, since: Date, after: i64, limit: u32) -> Result<Vec<ExportedEntry>, LedgerError> {
        let query = format!("SELECT {COLUMNS} FROM entries WHERE day >= ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
        let rows = || {
            let mut query = self.connection.prepare_cached(&query)?;
            let rows = query.query_map((day_of(since), after, limit), |row| {
                let (place, entry) = Entry::read(row)?;
                Ok(exported(place.seq, &entry))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        rows().map_err(|source| LedgerError::of(&self.path, source))
    }

    /// Counts costs anew from now on, at one provider or at all of them. What was entered stays; budgets are not given back.
    pub(super) fn reset(&self, provider: Option<&str>, now: Timestamp) -> Result<(), LedgerError> {
        let mark = || {
            let change = rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
            let latest = books::latest(&change)?;
            let entry = Entry::reset(provider, now.as_millisecond());
            let seq = latest.seq + 1;
            let before = if latest.seq == 0 { BEGINNING } else { latest.hash };
            let place = super::entry::Place { seq, hash: entry.digest(seq, &before) };
            entry.insert(&change, &place)?;
            change.commit()
        };
        mark().map_err(|source| LedgerError::of(&self.path, source))
    }
}

fn counts(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<(u64, Usage, NanoUsd)> {
    let mut counts = [0; 7];
    for (place, count) in counts.iter_mut().enumerate() {
        *count = row.get(from + place)?;
    }
    Ok(counted(counts))
}
