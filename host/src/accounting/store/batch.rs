//! What is written in one go: requests that have begun and not ended, those that have ended, and what strategies noted.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use crate::accounting::{Change, Changes, NotebookName};
use crate::types::{RequestId, RequestRecord};

/// Notes of some requests. One that has begun and ended within it is written once.
#[derive(Default)]
pub(super) struct Batch {
    begun: HashMap<RequestId, Box<RequestRecord>>,
    ended: Vec<Arc<RequestRecord>>,
    noted: Vec<(NotebookName, Vec<Change>)>,
}

const ENTER: &str = "
    INSERT INTO requests (id, started, instance, outcome, record) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, record = excluded.record";

const NOTE: &str = "
    INSERT INTO notes (route, strategy, key, value) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (route, strategy, key) DO UPDATE SET value = excluded.value";

const FORGET: &str = "DELETE FROM notes WHERE route = ?1 AND strategy = ?2 AND key = ?3";

impl Batch {
    pub(super) fn begin(&mut self, record: Box<RequestRecord>) {
        self.begun.insert(record.id, record);
    }

    pub(super) fn end(&mut self, record: Arc<RequestRecord>) {
        self.begun.remove(&record.id);
        self.ended.push(record);
    }

    pub(super) fn note(&mut self, notebook: &dyn Changes) {
        self.noted.push((notebook.name().clone(), notebook.take()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.ended.is_empty() && self.noted.is_empty()
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
        for (NotebookName { route, strategy }, changes) in &self.noted {
            for (key, value) in changes {
                match value {
                    Some(value) => change.prepare_cached(NOTE)?.execute((&**route, &**strategy, key, value))?,
                    None => change.prepare_cached(FORGET)?.execute((&**route, &**strategy, key))?,
                };
            }
        }
        change.commit()
    }
}
