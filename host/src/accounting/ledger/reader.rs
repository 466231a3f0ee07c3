//! Reads the ledger: what was spent, by whatever one likes, and every entry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};
use serde::{Deserialize, Serialize};

use super::entry::{BEGINNING, COLUMNS, Entry, RESET, labels_of, money};
use super::error::LedgerError;
use super::{books, schema};
use crate::accounting::{CostLine, date_of, day_of};
use crate::types::as_json::usd;
use crate::types::{NanoUsd, RequestId, Usage};

/// The ledger, open for reading beside whoever writes it.
pub struct LedgerReader {
    connection: Connection,
    path: PathBuf,
}

/// What costs are added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostsBy {
    /// The provider.
    Provider,
    /// Provider and model.
    Model,
    /// The gateway's key.
    Key,
    /// The route.
    Route,
    /// The day.
    Day,
    /// Each label, as `name=text`; what has several counts under each.
    Label,
}

impl CostsBy {
    /// All there are.
    pub const ALL: [Self; 6] = [Self::Provider, Self::Model, Self::Key, Self::Route, Self::Label, Self::Day];

    /// Its name in commands and addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Key => "key",
            Self::Route => "route",
            Self::Label => "label",
            Self::Day => "day",
        }
    }

    /// Reads what [`CostsBy::name`] says.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

/// What somebody's requests cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostSum {
    /// Whose; empty for those that had none.
    pub of: String,
    /// Answers.
    pub answers: u64,
    /// Their tokens.
    pub usage: Usage,
    /// What they cost, where the price was known.
    #[serde(rename = "cost_usd", with = "usd")]
    pub cost: NanoUsd,
    /// The part of it that is a worst case, since nobody knows how they ended.
    #[serde(rename = "uncertain_usd", with = "usd")]
    pub uncertain: NanoUsd,
}

/// One entry, for whoever takes the books elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedEntry {
    /// Its number, from 1, without gaps.
    pub entry: i64,
    /// When it was entered.
    pub at: Timestamp,
    /// `exact`, `uncertain`, `overrun`, `lost` (what a dead process may have spent) or `reset`.
    pub kind: String,
    /// The day it counts in.
    pub day: Date,
    /// The request.
    pub request: Option<RequestId>,
    /// Its route.
    pub route: String,
    /// Who was asked.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// The gateway's key it came with.
    pub key: Option<String>,
    /// Its labels, as `name=text`.
    pub labels: Vec<String>,
    /// Answers it brought.
    pub answers: u64,
    /// What the provider counted.
    pub usage: Usage,
    /// What it cost.
    #[serde(rename = "cost_usd", with = "usd")]
    pub cost: NanoUsd,
}

/// What costs are shown of: entries behind the latest reset that is theirs.
const COUNTED: &str = "kind <> 'reset' AND day >= ?1 AND seq > ifnull((SELECT max(mark.seq) FROM entries AS mark \
    WHERE mark.kind = 'reset' AND (mark.provider = '' OR mark.provider = entries.provider)), 0)";

const SUMS: &str =
    "sum(answers), sum(input), sum(output), sum(cache_read), sum(cache_creation), sum(reasoning), sum(cost)";

/// What is shown in a provider's place for what a dead process may have spent.
const UNKNOWN: &str = "(unknown)";

impl LedgerReader {
    /// Opens the ledger beside the store at a path.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(store: &Path) -> Result<Self, LedgerError> {
        let path = schema::path_beside(store);
        Ok(Self { connection: schema::open_to_read(&path)?, path })
    }

    /// What was spent since a day, by day, provider and model.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lines(&self, since: Date) -> Result<Vec<CostLine>, LedgerError> {
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
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sums(&self, since: Date, by: CostsBy) -> Result<Vec<CostSum>, LedgerError> {
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
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn entries(&self, since: Date, after: i64, limit: u32) -> Result<Vec<ExportedEntry>, LedgerError> {
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
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reset(&self, provider: Option<&str>, now: Timestamp) -> Result<(), LedgerError> {
        let mark = || {
            let change = rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
            let latest = books::latest(&change)?;
            let day = day_of(now.to_zoned(jiff::tz::TimeZone::UTC).date());
            let (at, provider) = (now.as_millisecond(), provider.unwrap_or_default());
            let entry = Entry { at, kind: RESET, day, provider, ..Entry::default() };
            let seq = latest.seq + 1;
            let before = if latest.seq == 0 { BEGINNING } else { latest.hash };
            let place = super::entry::Place { seq, hash: entry.digest(seq, &before) };
            entry.insert(&change, &place)?;
            change.commit()
        };
        mark().map_err(|source| LedgerError::of(&self.path, source))
    }
}

fn named(provider: &str) -> String {
    if provider.is_empty() { UNKNOWN.to_owned() } else { provider.to_owned() }
}

fn counts(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<(u64, Usage, NanoUsd)> {
    let count = |place: usize| row.get::<_, i64>(from + place).map(|count| u64::try_from(count).unwrap_or(0));
    let usage = Usage {
        input: count(1)?,
        output: count(2)?,
        cache_read: count(3)?,
        cache_creation: count(4)?,
        reasoning: count(5)?,
    };
    Ok((count(0)?, usage, NanoUsd::from_nanos(count(6)?)))
}

fn exported(seq: i64, entry: &Entry<'_>) -> ExportedEntry {
    let [answers, input, output, cache_read, cache_creation, reasoning, cost] =
        entry.counts.map(|count| u64::try_from(count).unwrap_or(0));
    let request = entry.request.and_then(|id| id.try_into().ok()).map(|id| RequestId(u128::from_be_bytes(id)));
    ExportedEntry {
        entry: seq,
        at: Timestamp::from_millisecond(entry.at).unwrap_or(Timestamp::UNIX_EPOCH),
        kind: entry.kind.to_owned(),
        day: date_of(entry.day),
        request,
        route: entry.route.to_owned(),
        provider: entry.provider.to_owned(),
        model: entry.model.to_owned(),
        key: entry.key.map(str::to_owned),
        labels: labels_of(entry.labels),
        answers,
        usage: Usage { input, output, cache_read, cache_creation, reasoning },
        cost: NanoUsd::from_nanos(cost),
    }
}
