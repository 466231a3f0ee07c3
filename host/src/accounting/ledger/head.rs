//! The latest entry, noted beside the ledger: a ledger that ends before it is an older one.
//!
//! A note is written after each commit and never flushed by itself, so that it is never newer than what a disk that keeps its
//! word has of the ledger itself.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::entry::{Hash, Place};
use super::error::{Damage, Fault, LedgerError};

/// The note's length: a number and a digest.
const LENGTH: usize = 40;

/// The file that the note is in.
pub(super) struct Head {
    file: File,
}

/// Where the note of a ledger is.
pub(super) fn path_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-head");
    PathBuf::from(name)
}

impl Head {
    pub(super) fn open(ledger: &Path) -> Result<Self, LedgerError> {
        let path = path_of(ledger);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        Ok(Self { file: file.map_err(|source| LedgerError::File { path, source })? })
    }

    /// Whether the ledger has the entry that was noted.
    pub(super) fn check(&self, connection: &Connection, ledger: &Path) -> Result<(), LedgerError> {
        let Some(noted) = self.read() else { return Ok(()) };
        let query = "SELECT hash FROM entries WHERE seq = ?1";
        let found = connection.query_row(query, [noted.seq], |row| row.get::<_, Hash>(0)).optional();
        match found.map_err(|source| LedgerError::of(ledger, source))? {
            Some(hash) if hash == noted.hash => Ok(()),
            Some(_) => Err(LedgerError::of_fault(ledger, Fault::Damage(Damage::Entry(noted.seq)))),
            None => Err(LedgerError::of_fault(ledger, Fault::Damage(Damage::Older(noted.seq)))),
        }
    }

    /// Notes an entry that is on disk. A note that cannot be written leaves the one before.
    pub(super) fn write(&mut self, place: &Place) {
        let mut note = [0; LENGTH];
        let bytes = place.seq.to_le_bytes().into_iter().chain(place.hash);
        note.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        if let Err(error) = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(&note)) {
            tracing::debug!("the latest entry of the ledger is not noted: {error}");
        }
    }

    /// The note; `None` where none was written, or not in full.
    fn read(&self) -> Option<Place> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0)).ok()?;
        let mut note = Vec::with_capacity(LENGTH);
        file.read_to_end(&mut note).ok()?;
        let (seq, hash) = note.get(..LENGTH)?.split_at(8);
        Some(Place { seq: i64::from_le_bytes(seq.try_into().ok()?), hash: hash.try_into().ok()? })
            .filter(|place| place.seq > 0)
    }
}
