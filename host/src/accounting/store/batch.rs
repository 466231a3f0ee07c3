//! What is written in one go: requests that have begun and not ended, those that have ended, and what they cost.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use rusqlite::{Connection, Transaction};

use crate::types::{RequestId, RequestRecord, TargetName, Usage};

/// Notes of some requests. One that has begun and ended within it is written once.
#[derive(Default)]
pub(super) struct Batch {
    begun: HashMap<RequestId, Box<RequestRecord>>,
    ended: Vec<Arc<RequestRecord>>,
}

/// What some answers of one target on one day came to.
#[derive(Default)]
struct Spend {
    answers: u64,
    usage: Usage,
    cost: u64,
}

const ENTER: &str = "
    INSERT INTO requests (id, started, instance, outcome, record) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, record = excluded.record";

const ADD: &str = "
    INSERT INTO spend (day, provider, model, answers, input, output, cache_read, cache_creation, reasoning, cost)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (day, provider, model) DO UPDATE SET
        answers = answers + excluded.answers, input = input + excluded.input, output = output + excluded.output,
        cache_read = cache_read + excluded.cache_read, cache_creation = cache_creation + excluded.cache_creation,
        reasoning = reasoning + excluded.reasoning, cost = cost + excluded.cost";

impl Batch {
    pub(super) fn begin(&mut self, record: Box<RequestRecord>) {
        self.begun.insert(record.id, record);
    }

    pub(super) fn end(&mut self, record: Arc<RequestRecord>) {
        self.begun.remove(&record.id);
        self.ended.push(record);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.ended.is_empty()
    }

    /// Records that would be lost with it.
    pub(super) fn len(&self) -> usize {
        self.begun.len() + self.ended.len()
    }

    /// Writes all of it, or nothing.
    pub(super) fn write(&self, connection: &mut Connection, instance: i64) -> rusqlite::Result<()> {
        let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        {
            let mut enter = change.prepare_cached(ENTER)?;
            // Those still under way come last: they will be the latest to end.
            let begun = self.begun.values().map(|record| &**record);
            for record in self.ended.iter().map(|record| &**record).chain(begun) {
                let text = serde_json::to_string(record)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                let (id, started) = (record.id.0.to_be_bytes(), record.started.as_millisecond());
                enter.execute((&id[..], started, instance, record.outcome.name(), text))?;
            }
        }
        self.add_spend(&change)?;
        change.commit()
    }

    fn add_spend(&self, change: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut sums: HashMap<(String, &TargetName), Spend> = HashMap::new();
        for record in &self.ended {
            let Some(target) = record.answered_by() else { continue };
            let ended = record.started.saturating_add(record.took).unwrap_or(record.started);
            let day = ended.to_zoned(TimeZone::UTC).date().to_string();
            sums.entry((day, target)).or_default().add(record);
        }
        let mut add = change.prepare_cached(ADD)?;
        for ((day, target), spend) in sums {
            let Spend { answers, usage, cost } = spend;
            let counts =
                [answers, usage.input, usage.output, usage.cache_read, usage.cache_creation, usage.reasoning, cost];
            let [answers, input, output, cache_read, cache_creation, reasoning, cost] = counts.map(fitting);
            add.execute((
                day,
                &*target.provider,
                &*target.model,
                answers,
                input,
                output,
                cache_read,
                cache_creation,
                reasoning,
                cost,
            ))?;
        }
        Ok(())
    }
}

impl Spend {
    fn add(&mut self, record: &RequestRecord) {
        let usage = record.usage.unwrap_or_default();
        self.answers += 1;
        self.cost = self.cost.saturating_add(record.cost.unwrap_or_default().nanos());
        self.usage = Usage {
            input: self.usage.input.saturating_add(usage.input),
            output: self.usage.output.saturating_add(usage.output),
            cache_read: self.usage.cache_read.saturating_add(usage.cache_read),
            cache_creation: self.usage.cache_creation.saturating_add(usage.cache_creation),
            reasoning: self.usage.reasoning.saturating_add(usage.reasoning),
        };
    }
}

/// A count as SQLite has them. The largest stand for themselves: sums beyond would be no integers there.
fn fitting(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX / 2)
}
