//! Reads the ledger, wherever it is: what was spent, by whatever one likes, and every entry.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::LedgerPlace;
use super::entry::{Entry, labels_of};
use super::error::LedgerError;
use super::file_reader::FileReader;
#[cfg(feature = "postgres")]
use super::postgres::SharedReader;
use crate::accounting::{CostLine, date_of};
use crate::types::as_json::usd;
use crate::types::{NanoUsd, RequestId, Usage};

/// The ledger, open for reading beside whoever writes it. Not for a thread that must not block.
pub struct LedgerReader(Of);

enum Of {
    File(FileReader),
    #[cfg(feature = "postgres")]
    Shared(Box<SharedReader>),
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
    /// `exact`, `uncertain`, `overrun`, `lost` (what a dead process may have spent), `returned` (takes such a cost back: the process
    /// had lost its connection and lives) or `reset`.
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

/// What is shown in a provider's place for what a dead process may have spent.
const UNKNOWN: &str = "(unknown)";

impl LedgerReader {
    /// Opens the ledger beside the store at a path.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(store: &Path) -> Result<Self, LedgerError> {
        FileReader::open(store).map(|reader| Self(Of::File(reader)))
    }

    /// Opens the ledger at a place.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open_at(place: &LedgerPlace) -> Result<Self, LedgerError> {
        match place {
            LedgerPlace::Beside(store) => Self::open(store),
            #[cfg(feature = "postgres")]
            LedgerPlace::Postgres(address) => {
                SharedReader::open(address).map(|reader| Self(Of::Shared(Box::new(reader))))
            }
            #[cfg(not(feature = "postgres"))]
            LedgerPlace::Postgres(_) => Err(LedgerError::NoPostgres),
        }
    }

    /// What was spent since a day, by day, provider and model.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lines(&self, since: Date) -> Result<Vec<CostLine>, LedgerError> {
        match &self.0 {
            Of::File(reader) => reader.lines(since),
            #[cfg(feature = "postgres")]
            Of::Shared(reader) => reader.lines(since),
        }
    }

    /// What was spent since a day, the dearest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sums(&self, since: Date, by: CostsBy) -> Result<Vec<CostSum>, LedgerError> {
        match &self.0 {
            Of::File(reader) => reader.sums(since, by),
            #[cfg(feature = "postgres")]
            Of::Shared(reader) => reader.sums(since, by),
        }
    }

    /// Entries since a day and after one of them, in the order they were entered, resets among them; so many at most.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entries(&self, since: Date, after: i64, limit: u32) -> Result<Vec<ExportedEntry>, LedgerError> {
        match &self.0 {
            Of::File(reader) => reader.entries(since, after, limit),
            #[cfg(feature = "postgres")]
            Of::Shared(reader) => reader.entries(since, after, limit),
        }
    }

    /// Counts costs anew from now on, at one provider or at all of them. What was entered stays; budgets are not given back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn reset(&self, provider: Option<&str>, now: Timestamp) -> Result<(), LedgerError> {
        match &self.0 {
            Of::File(reader) => reader.reset(provider, now),
            #[cfg(feature = "postgres")]
            Of::Shared(reader) => reader.reset(provider, now),
        }
    }
}

/// A provider's name as it is shown.
pub(super) fn named(provider: &str) -> String {
    if provider.is_empty() { UNKNOWN.to_owned() } else { provider.to_owned() }
}

/// Answers, tokens and cost: what an entry counts, or what several come to.
pub(super) fn counted(counts: [i64; 7]) -> (u64, Usage, NanoUsd) {
    let [answers, input, output, cache_read, cache_creation, reasoning, cost] =
        counts.map(|count| u64::try_from(count).unwrap_or(0));
    (answers, Usage { input, output, cache_read, cache_creation, reasoning }, NanoUsd::from_nanos(cost))
}

/// An entry as it is exported.
pub(super) fn exported(seq: i64, entry: &Entry<'_>) -> ExportedEntry {
    let (answers, usage, cost) = counted(entry.counts);
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
        usage,
        cost,
    }
}
