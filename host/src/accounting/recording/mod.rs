//! Decisions of strategies, written down as they are made, so that another strategy can be asked the same afterwards.
//!
//! What is in it: the numbers a strategy is shown, the caller's labels, what was decided, and how each request ended. No message, no
//! answer, no key. A request's path never waits for the disk: what the writer does not keep up with is lost, and counted.

mod line;
mod folder;
mod writer;
mod reader;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use thiserror::Error;

use crate::behind::Behind;
use crate::types::RequestRecord;

use super::GATHERING;
use super::sink::RecordSink;
use folder::Folder;
use writer::{Note, Writer};

pub use line::{Decided, Ended, Entry, Panel, Tried};
pub use reader::{Line, Lines, ReadError};

/// Notes that may wait for the writer. More come only when the disk has stopped.
const WAITING: usize = 16_384;

/// A recording, open for writing.
pub struct Recorder {
    folder: PathBuf,
    writer: Behind<Note>,
}

/// Nothing can be recorded.
#[derive(Debug, Error)]
#[error("decisions cannot be recorded in {}: {source}; set `folder` in [recording] to a place that can be written to", .folder.display())]
pub struct RecordError {
    folder: PathBuf,
    source: std::io::Error,
}

impl Recorder {
    /// Begins a file in a folder, which is made where there is none, and starts its writer. Of all recordings in the folder the
    /// oldest are removed as soon as there are more bytes than that.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn open(folder: &Path, most_bytes: u64) -> Result<Self, RecordError> {
        let fault = |source| RecordError { folder: folder.to_owned(), source };
        let lost = Arc::new(AtomicU64::new(0));
        let place = Folder::open(folder, most_bytes).map_err(fault)?;
        let writer = Writer::begin(place, Arc::clone(&lost)).map_err(fault)?;
        let writer = Behind::start("recording", WAITING, GATHERING, writer, lost).map_err(fault)?;
        Ok(Self { folder: folder.to_owned(), writer })
    }

    /// Takes note of a decision. `panel` is who decides among whom.
    pub fn decided(&self, panel: &Arc<Panel>, decided: Decided) {
        self.tell(Note::Decided(Arc::clone(panel), Box::new(decided)));
    }

    /// Waits until everything told so far is in the file. Not for a thread that serves requests.
    pub fn flush(&self) {
        self.writer.flush();
    }

    /// Writes everything told so far and ends the writer: what is told later is lost.
    pub fn close(&self) {
        self.writer.close();
    }

    /// What could not be written: decisions and ends of requests.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.writer.lost()
    }

    fn tell(&self, note: Note) {
        self.writer.tell(note, || {
            tracing::error!(folder = %self.folder.display(), "the disk does not keep up: decisions are not recorded");
        });
    }
}

impl RecordSink for Recorder {
    fn ended(&self, record: &Arc<RequestRecord>) {
        self.tell(Note::Ended(Arc::clone(record)));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
