//! Entries and accounts as PostgreSQL has them.

use std::borrow::Cow;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::fault::PostgresFault;
use super::session::{Session, get};
use crate::accounting::ledger::entry::{Entry, Hash, Place};
use crate::accounting::ledger::error::{Damage, Fault};
use crate::accounting::{Account, Scope, Window};

/// Rows that are written by one statement: what takes longer than a statement may would never be written.
const AT_ONCE: usize = 2_048;

const INSERT: &str = "INSERT INTO backstop_entries (seq, at, kind, instance, day, request, route, provider, model, key, \
    labels, answers, input, output, cache_read, cache_creation, reasoning, cost, charges, hash) \
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::integer[], $6::bytea[], $7::text[], \
    $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], \
    $16::bigint[], $17::bigint[], $18::bigint[], $19::text[], $20::bytea[])";

/// Entries that are to be written, column by column.
#[derive(Default)]
pub(super) struct NewEntries {
    seq: Vec<i64>,
    at: Vec<i64>,
    kind: Vec<String>,
    instance: Vec<i64>,
    day: Vec<i32>,
    request: Vec<Option<Vec<u8>>>,
    texts: [Vec<String>; 3],
    maybe: [Vec<Option<String>>; 3],
    counts: [Vec<i64>; 7],
    hash: Vec<Vec<u8>>,
}

impl NewEntries {
    pub(super) fn is_empty(&self) -> bool {
        self.seq.is_empty()
    }

    pub(super) fn push(&mut self, place: &Place, entry: &Entry<'_>) {
        self.seq.push(place.seq);
        self.at.push(entry.at);
        self.kind.push(entry.kind.to_owned());
        self.instance.push(entry.instance);
        self.day.push(entry.day);
        self.request.push(entry.request.map(<[u8]>::to_vec));
        let texts = [entry.route, entry.provider, entry.model];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text.to_owned()));
        let maybe = [entry.key, entry.labels, entry.charges];
        self.maybe.iter_mut().zip(maybe).for_each(|(column, text)| column.push(text.map(str::to_owned)));
        self.counts.iter_mut().zip(entry.counts).for_each(|(column, count)| column.push(count));
        self.hash.push(place.hash.to_vec());
    }

    /// Writes what there is, where there is enough of it or it is the end.
    pub(super) fn write(&mut self, session: &Session, least: Least) -> Result<(), Fault> {
        if self.is_empty() || (least == Least::Many && self.seq.len() < AT_ONCE) {
            return Ok(());
        }
        let Self { seq, at, kind, instance, day, request, texts, maybe, counts, hash } = std::mem::take(self);
        let [route, provider, model] = &texts;
        let [key, labels, charges] = &maybe;
        let [answers, input, output, cache_read, cache_creation, reasoning, cost] = &counts;
        session.execute(
            INSERT,
            &[
                (&seq, Type::INT8_ARRAY),
                (&at, Type::INT8_ARRAY),
                (&kind, Type::TEXT_ARRAY),
                (&instance, Type::INT8_ARRAY),
                (&day, Type::INT4_ARRAY),
                (&request, Type::BYTEA_ARRAY),
                (route, Type::TEXT_ARRAY),
                (provider, Type::TEXT_ARRAY),
                (model, Type::TEXT_ARRAY),
                (key, Type::TEXT_ARRAY),
                (labels, Type::TEXT_ARRAY),
                (answers, Type::INT8_ARRAY),
                (input, Type::INT8_ARRAY),
                (output, Type::INT8_ARRAY),
                (cache_read, Type::INT8_ARRAY),
                (cache_creation, Type::INT8_ARRAY),
                (reasoning, Type::INT8_ARRAY),
                (cost, Type::INT8_ARRAY),
                (charges, Type::TEXT_ARRAY),
                (&hash, Type::BYTEA_ARRAY),
            ],
        )?;
        Ok(())
    }
}

/// How much is worth a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Least {
    Any,
    Many,
}

/// Reads a row of [`crate::accounting::ledger::entry::COLUMNS`].
pub(super) fn entry(row: &Row) -> Result<(Place, Entry<'_>), PostgresFault> {
    let mut counts = [0; 7];
    for (place, count) in counts.iter_mut().enumerate() {
        *count = get(row, place + 11)?;
    }
    let hash: &[u8] = get(row, 19)?;
    let hash = Hash::try_from(hash).map_err(|_| PostgresFault::broken("a digest is cut"))?;
    let entry = Entry {
        at: get(row, 1)?,
        kind: get(row, 2)?,
        instance: get(row, 3)?,
        day: get(row, 4)?,
        request: get(row, 5)?,
        route: get(row, 6)?,
        provider: get(row, 7)?,
        model: get(row, 8)?,
        key: get(row, 9)?,
        labels: get(row, 10)?,
        counts,
        charges: get(row, 18)?,
    };
    Ok((Place { seq: get(row, 0)?, hash }, entry))
}

/// Reads an account's number, scope, window and period.
pub(super) fn account(row: &Row) -> Result<(i64, Account), Fault> {
    let (scope, window): (&str, &str) = (get(row, 1)?, get(row, 2)?);
    let (scope, window) = (Scope::parse(scope), Window::parse(window));
    let Some((scope, window)) = scope.zip(window) else {
        return Err(Damage::Unreadable("an account cannot be read".to_owned()).into());
    };
    Ok((get(row, 0)?, Account { scope, window, period: get(row, 3)? }))
}

/// A text as PostgreSQL takes it: without the one character that it does not.
pub(super) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}
