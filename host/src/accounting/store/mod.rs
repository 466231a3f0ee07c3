//! Records and spend on disk: a SQLite file that outlives the process, written by one thread in batches.
//!
//! A request's path never waits for the disk: what is to be written is handed to the writer and forgotten. A process that is
//! killed loses at most the last tenth of a second; requests it had under way are found again with the outcome `unknown`.

mod error;
mod schema;
mod instance;
mod batch;
mod writer;
mod reader;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::behind::Behind;
use crate::types::RequestRecord;

use super::GATHERING;
use super::archive::{Archive, Changes, NotebookName};
use super::ledger::LedgerPlace;
use super::sink::RecordSink;
use writer::{Note, Writer};

pub use error::StoreError;
pub use reader::{Page, Reader};

/// Notes that may wait for the writer. More come only when the disk has stopped.
const WAITING: usize = 65_536;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Records of requests at most.
    pub requests: u64,
    /// And no longer than this.
    pub time: Duration,
}

/// The store, open for writing.
pub struct Store {
    path: PathBuf,
    ledger: LedgerPlace,
    writer: Behind<Note>,
}

impl Store {
    /// Opens the store at a path, or makes it, and starts its writer. Requests that a dead process had under way get the
    /// outcome `unknown`.
    ///
    /// # Errors
    /// When the folder or the file cannot be used, or the file is something else than a store of this version.
    pub fn open(path: &Path, keep: Keep) -> Result<Self, StoreError> {
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer::open(path, keep, Arc::clone(&lost))?;
        let writer = Behind::start("store", WAITING, GATHERING, writer, lost);
        let writer = writer.map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), ledger: LedgerPlace::Beside(path.to_owned()), writer })
    }

    /// The same with its ledger at another place.
    #[must_use]
    pub fn with_ledger(mut self, ledger: LedgerPlace) -> Self {
        self.ledger = ledger;
        self
    }

    /// Reads what is written.
    ///
    /// # Errors
    /// When the file cannot be opened any more.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path).map(|reader| reader.with_ledger(self.ledger.clone()))
    }

    /// Waits until everything told so far is on disk. Not for a thread that serves requests.
    pub fn flush(&self) {
        self.writer.flush();
    }

    /// Writes everything told so far and ends the writer: what is told later is lost. A process calls it before it ends, since
    /// it cannot be sure to hold the last reference.
    pub fn close(&self) {
        self.writer.close();
    }

    /// Records that could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.writer.lost()
    }

    fn tell(&self, note: Note) {
        self.writer.tell(note, || {
            tracing::error!(path = %self.path.display(), "the disk does not keep up: records of requests are lost");
        });
    }
}

impl RecordSink for Store {
    fn began(&self, record: &RequestRecord) {
        self.tell(Note::Began(Box::new(record.clone())));
    }

    fn ended(&self, record: &Arc<RequestRecord>) {
        self.tell(Note::Ended(Arc::clone(record)));
    }
}

impl Archive for Store {
    fn entries(&self, name: &NotebookName) -> Vec<(String, Vec<u8>)> {
        let read = self.reader().and_then(|reader| reader.notes(name));
        read.unwrap_or_else(|error| {
            let NotebookName { route, strategy } = name;
            tracing::warn!(%route, %strategy, "the strategy begins anew, for what it has learnt cannot be read: {error}");
            Vec::new()
        })
    }

    fn changed(&self, notebook: Arc<dyn Changes>) -> bool {
        self.writer.try_tell(Note::Noted(notebook))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
