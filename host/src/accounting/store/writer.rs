//! Who writes: what has come within a moment is committed together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use rusqlite::Connection;

use crate::accounting::Changes;
use crate::accounting::database::make_folder;
use crate::behind::Scribe;
use crate::types::RequestRecord;

use super::Keep;
use super::batch::Batch;
use super::error::StoreError;
use super::instance::Instance;
use super::schema;

/// What the writer is told.
pub(super) enum Note {
    Began(Box<RequestRecord>),
    Ended(Arc<RequestRecord>),
    /// A strategy has noted something.
    Noted(Arc<dyn Changes>),
}

/// Batches between two looks for records that are not to be kept any longer.
const BETWEEN_SWEEPS: u32 = 64;

/// Records that are removed in one go: others wait meanwhile.
const SWEPT: i64 = 2_000;

pub(super) struct Writer {
    connection: Connection,
    instance: Instance,
    keep: Keep,
    path: PathBuf,
    lost: Arc<AtomicU64>,
    until_sweep: u32,
    has_failed: bool,
}

impl Writer {
    pub(super) fn open(path: &Path, keep: Keep, lost: Arc<AtomicU64>) -> Result<Self, StoreError> {
        make_folder(path).map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        let mut connection = schema::open(path)?;
        let instance = Instance::enter(&mut connection, path)?;
        Ok(Self { connection, instance, keep, path: path.to_owned(), lost, until_sweep: 0, has_failed: false })
    }

    fn commit(&mut self, batch: &Batch) {
        if batch.is_empty() {
            return;
        }
        match batch.write(&mut self.connection, self.instance.id).and_then(|()| self.sweep()) {
            Ok(()) if self.has_failed => {
                self.has_failed = false;
                tracing::info!(path = %self.path.display(), "records of requests are written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.lost.fetch_add(u64::try_from(batch.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
                if !self.has_failed {
                    self.has_failed = true;
                    tracing::error!("records of requests are lost: {}", StoreError::of(&self.path, error));
                }
            }
        }
    }

    /// Now and then, removes what is not to be kept any longer.
    fn sweep(&mut self) -> rusqlite::Result<()> {
        if self.until_sweep > 0 {
            self.until_sweep -= 1;
            return Ok(());
        }
        self.until_sweep = BETWEEN_SWEEPS;
        let newest: Option<(i64, i64)> = {
            let mut query =
                self.connection.prepare_cached("SELECT rowid, started FROM requests ORDER BY rowid DESC LIMIT 1")?;
            let mut rows = query.query(())?;
            rows.next()?.map(|row| Ok::<_, rusqlite::Error>((row.get(0)?, row.get(1)?))).transpose()?
        };
        let Some((newest, started)) = newest else { return Ok(()) };
        // By the time of the newest record: the writer has no clock, and needs none.
        let kept = i64::try_from(self.keep.time.as_millis()).unwrap_or(i64::MAX);
        let (oldest, since) = (newest.saturating_sub_unsigned(self.keep.requests), started.saturating_sub(kept));
        let since = since.max(Timestamp::UNIX_EPOCH.as_millisecond());
        let remove = "
            DELETE FROM requests WHERE (rowid <= ?1 OR started < ?2)
            AND rowid IN (SELECT rowid FROM requests ORDER BY rowid LIMIT ?3)";
        let removed = self.connection.execute(remove, (oldest, since, SWEPT))?;
        if i64::try_from(removed) == Ok(SWEPT) {
            self.until_sweep = 0;
        }
        Ok(())
    }
}

impl Scribe<Note> for Writer {
    fn write(&mut self, told: Vec<Note>) {
        let mut batch = Batch::default();
        for note in told {
            match note {
                Note::Began(record) => batch.begin(record),
                Note::Ended(record) => batch.end(record),
                Note::Noted(notebook) => batch.note(&*notebook),
            }
        }
        self.commit(&batch);
    }

    fn end(self) {
        self.instance.leave(&self.connection);
    }
}
