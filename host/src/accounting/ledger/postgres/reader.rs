//! Reads the ledger in PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::fault::PostgresFault;
use super::head::Head;
use super::rows::{self, Least, NewEntries};
use super::schema::{self, Found};
use super::session::{Purpose, Session, get};
use crate::accounting::ledger::entry::{COLUMNS, Entry, Place, labels_of, money};
use crate::accounting::ledger::error::{Fault, LedgerError};
use crate::accounting::ledger::reader::{CostSum, CostsBy, ExportedEntry, counted, exported, named};
use crate::accounting::{CostLine, date_of, day_of};
use crate::config::LedgerAddress;
use crate::types::{NanoUsd, Usage};

/// The database, for reading. Without tables in it nothing was spent yet.
pub(in crate::accounting::ledger) struct SharedReader {
    session: Session,
    address: LedgerAddress,
    found: Found,
}

/// What costs are shown of: entries behind the latest reset that is theirs.
const COUNTED: &str = "kind <> 'reset' AND day >= $1 AND seq > coalesce((SELECT max(mark.seq) \
    FROM backstop_entries AS mark WHERE mark.kind = 'reset' AND (mark.provider = '' OR mark.provider = entry.provider)), 0)";

/// What was taken back comes off. No sum is beyond the largest integer, or below nothing.
const SUMS: &str = "sums(answers), sums(input), sums(output), sums(cache_read), sums(cache_creation), sums(reasoning), \
    sums(CASE kind WHEN 'returned' THEN -cost ELSE cost END)";

const UNCERTAIN: &str =
    "sums(CASE kind WHEN 'returned' THEN -cost WHEN 'lost' THEN cost WHEN 'uncertain' THEN cost ELSE 0 END)";

/// Nothing is left of what was charged and taken back.
const LEFT: &str = "HAVING sum(answers) > 0 OR sum(CASE kind WHEN 'returned' THEN -cost ELSE cost END) > 0";

impl SharedReader {
    pub(in crate::accounting::ledger) fn open(address: &LedgerAddress) -> Result<Self, LedgerError> {
        let open = || {
            let session = Session::open(address, Purpose::Read)?;
            let found = schema::look(&session)?;
            Ok(Self { session, address: address.clone(), found })
        };
        open().map_err(|fault: PostgresFault| LedgerError::of_shared(address, fault.into()))
    }

    pub(in crate::accounting::ledger) fn lines(&self, since: Date) -> Result<Vec<CostLine>, LedgerError> {
        let line = |row: &Row| {
            let (answers, usage, cost) = counts(row, 3)?;
            let (provider, model) = (named(get(row, 1)?), named(get(row, 2)?));
            let (day, provider, model) = (date_of(get(row, 0)?), Arc::from(provider), Arc::from(model));
            Ok(CostLine { day, provider, model, answers, usage, cost })
        };
        let (of, order) = ("day, provider, model", "day, provider, model");
        self.read(
            &grouped(of, &format!("GROUP BY {of} {LEFT} ORDER BY {order}")),
            &[(&day_of(since), Type::INT4)],
            line,
        )
    }

    pub(in crate::accounting::ledger) fn sums(&self, since: Date, by: CostsBy) -> Result<Vec<CostSum>, LedgerError> {
        let of = match by {
            CostsBy::Provider => "provider",
            CostsBy::Model => "CASE provider WHEN '' THEN '' ELSE provider || '/' || model END",
            CostsBy::Key => "coalesce(key, '')",
            CostsBy::Route => "route",
            CostsBy::Day => "day::text",
            CostsBy::Label => "labels",
        };
        let sum = |row: &Row| {
            let of: Option<String> = get(row, 0)?;
            let (answers, usage, cost) = counts(row, 1)?;
            Ok(CostSum { of: of.unwrap_or_default(), answers, usage, cost, uncertain: money(get(row, 8)?) })
        };
        let query = grouped_and_uncertain(of);
        let sums = self.read(&query, &[(&day_of(since), Type::INT4)], sum)?;
        Ok(match by {
            CostsBy::Day => {
                let mut sums = sums;
                sums.sort_by_key(|sum| sum.of.parse::<i32>().unwrap_or(i32::MIN));
                sums.iter_mut().for_each(|sum| sum.of = date_of(sum.of.parse().unwrap_or(0)).to_string());
                sums
            }
            CostsBy::Label => dearest_first(by_label(sums)),
            CostsBy::Provider | CostsBy::Model => {
                let mut sums = sums;
                sums.iter_mut().for_each(|sum| sum.of = named(&sum.of));
                dearest_first(sums)
            }
            CostsBy::Key | CostsBy::Route => dearest_first(sums),
        })
    }

    pub(in crate::accounting::ledger) fn entries(
        &self,
        since: Date,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ExportedEntry>, LedgerError> {
        let query =
            format!("SELECT {COLUMNS} FROM backstop_entries WHERE day >= $1 AND seq > $2 ORDER BY seq LIMIT $3");
        let values =
            [(&day_of(since) as _, Type::INT4), (&after as _, Type::INT8), (&i64::from(limit) as _, Type::INT8)];
        self.read(&query, &values, |row| rows::entry(row).map(|(place, entry)| exported(place.seq, &entry)))
    }

    /// Appends the mark from which on costs are counted anew.
    pub(in crate::accounting::ledger) fn reset(
        &self,
        provider: Option<&str>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mark = || -> Result<(), Fault> {
            if self.found == Found::Nothing {
                return Ok(());
            }
            let session = Session::open(&self.address, Purpose::Write)?;
            let head = Head::hold(&session)?;
            let entry = Entry::reset(provider, now.as_millisecond());
            let seq = head.place.seq.saturating_add(1);
            let place = Place { seq, hash: entry.digest(seq, &head.place.hash) };
            let mut entries = NewEntries::default();
            entries.push(&place, &entry);
            entries.write(&session, Least::Any)?;
            let update = "UPDATE backstop_head SET seq = $1, hash = $2, changes = changes + 1";
            session.execute(update, &[(&place.seq, Type::INT8), (&place.hash.as_slice(), Type::BYTEA)])?;
            session.run("COMMIT")?;
            Ok(())
        };
        mark().map_err(|fault| LedgerError::of_shared(&self.address, fault))
    }

    fn read<T>(
        &self,
        query: &str,
        values: &[super::session::Value<'_>],
        row: impl Fn(&Row) -> Result<T, PostgresFault>,
    ) -> Result<Vec<T>, LedgerError> {
        if self.found == Found::Nothing {
            return Ok(Vec::new());
        }
        let read = || self.session.query(query, values)?.iter().map(row).collect::<Result<Vec<T>, _>>();
        read().map_err(|fault| LedgerError::of_shared(&self.address, fault.into()))
    }
}

fn grouped(of: &str, behind: &str) -> String {
    let query = format!("SELECT {of}, {SUMS} FROM backstop_entries AS entry WHERE {COUNTED} {behind}");
    bounded(&query)
}

fn grouped_and_uncertain(of: &str) -> String {
    let query =
        format!("SELECT {of}, {SUMS}, {UNCERTAIN} FROM backstop_entries AS entry WHERE {COUNTED} GROUP BY 1 {LEFT}");
    bounded(&query)
}

/// Writes each `sums(…)` as a sum that fits into an integer.
fn bounded(query: &str) -> String {
    let mut bounded = String::new();
    let mut rest = query;
    while let Some((before, behind)) = rest.split_once("sums(") {
        let (inner, after) = behind.split_once(')').unwrap_or((behind, ""));
        bounded.push_str(before);
        bounded.push_str(&format!("greatest(least(sum({inner}), 9223372036854775807), 0)::bigint"));
        rest = after;
    }
    bounded.push_str(rest);
    bounded
}

fn dearest_first(mut sums: Vec<CostSum>) -> Vec<CostSum> {
    sums.sort_by(|one, other| other.cost.cmp(&one.cost).then_with(|| one.of.cmp(&other.of)));
    sums
}

/// Adds up by each label what was added up by all of a request's.
fn by_label(sums: Vec<CostSum>) -> Vec<CostSum> {
    let mut labels: BTreeMap<String, CostSum> = BTreeMap::new();
    for sum in sums {
        for label in labels_of(Some(&sum.of)) {
            match labels.get_mut(&label) {
                Some(known) => add(known, &sum),
                None => drop(labels.insert(label.clone(), CostSum { of: label, ..sum.clone() })),
            }
        }
    }
    labels.into_values().collect()
}

fn add(to: &mut CostSum, sum: &CostSum) {
    to.answers = to.answers.saturating_add(sum.answers);
    to.cost = to.cost.saturating_add(sum.cost);
    to.uncertain = to.uncertain.saturating_add(sum.uncertain);
    let Usage { input, output, cache_read, cache_creation, reasoning } = &mut to.usage;
    let more = [sum.usage.input, sum.usage.output, sum.usage.cache_read, sum.usage.cache_creation, sum.usage.reasoning];
    let all = [input, output, cache_read, cache_creation, reasoning];
    all.into_iter().zip(more).for_each(|(count, more)| *count = count.saturating_add(more));
}

fn counts(row: &Row, from: usize) -> Result<(u64, Usage, NanoUsd), PostgresFault> {
    let mut counts = [0; 7];
    for (place, count) in counts.iter_mut().enumerate() {
        *count = get(row, from + place)?;
    }
    Ok(counted(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(of: &str, cost: u64) -> CostSum {
        let usage = Usage { input: 1, ..Usage::default() };
        CostSum { of: of.to_owned(), answers: 1, usage, cost: NanoUsd::from_nanos(cost), uncertain: NanoUsd::ZERO }
    }

    #[test]
    fn counts_what_has_several_labels_under_each() {
        let sums = by_label(vec![
            sum("[[\"team\",\"a\"],[\"env\",\"x\"]]", 5),
            sum("[[\"team\",\"a\"],[\"team\",\"a\"]]", 3),
            sum("", 7),
        ]);

        let of: Vec<_> =
            dearest_first(sums).into_iter().map(|sum| (sum.of, sum.cost.nanos(), sum.usage.input)).collect();
        assert_eq!(of, [("team=a".to_owned(), 8, 2), ("env=x".to_owned(), 5, 1)]);
    }

    #[test]
    fn bounds_every_sum() {
        assert_eq!(
            bounded("SELECT sums(a), sums(-b) FROM c"),
            "SELECT greatest(least(sum(a), 9223372036854775807), 0)::bigint, \
            greatest(least(sum(-b), 9223372036854775807), 0)::bigint FROM c"
        );
    }
}
