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
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::types::RequestRecord;

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
    notes: SyncSender<Note>,
    /// Has the writer write now what it would gather for a moment longer.
    hurry: SyncSender<()>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lost: Arc<AtomicU64>,
}

impl Store {
    /// Opens the store at a path, or makes it, and starts its writer. Requests that a dead process had under way get the
    /// outcome `unknown`.
    ///
    /// # Errors
    /// When the folder or the file cannot be used, or the file is something else than a store of this version.
    pub fn open(path: &Path, keep: Keep) -> Result<Self, StoreError> {
        let (notes, told) = sync_channel(WAITING);
        let (hurry, hurried) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer::open(path, keep, Arc::clone(&lost))?;
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(&told, &hurried));
        let thread = thread.map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), notes, hurry, writer: Mutex::new(Some(thread)), lost })
    }

    /// Reads what is written.
    ///
    /// # Errors
    /// When the file cannot be opened any more.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// Waits until everything told so far is on disk. Not for a thread that serves requests.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.notes.send(Note::Flush(done)).is_ok() {
            let _ = self.hurry.try_send(());
            let _ = is_done.recv();
        }
    }

    /// Writes everything told so far and ends the writer: what is told later is lost. A process calls it before it ends, since
    /// it cannot be sure to hold the last reference.
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        let _ = self.notes.send(Note::Stop);
        let _ = self.hurry.try_send(());
        let _ = writer.join();
    }

    /// Records that could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn tell(&self, note: Note) {
        if let Err(TrySendError::Full(_)) = self.notes.try_send(note)
            && self.lost.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!(path = %self.path.display(), "the disk does not keep up: records of requests are lost");
        }
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

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
