//! Who writes: lines into the latest file, and a file after another.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::behind::Scribe;
use crate::types::RequestRecord;

use super::folder::Folder;
use super::line::{Decided, Ended, Entry, Panel};

/// What the writer is told.
pub(super) enum Note {
    Decided(Arc<Panel>, Box<Decided>),
    Ended(Arc<RequestRecord>),
}

/// Panels that are known by their numbers. Each change of a strategy or a configuration makes one.
const MOST_PANELS: usize = 1_024;

pub(super) struct Writer {
    folder: Folder,
    file: BufWriter<File>,
    written: u64,
    /// The panels this file tells of, with their numbers, by their addresses: one that is held shares its address with no other.
    panels: HashMap<usize, (u32, Arc<Panel>)>,
    line: Vec<u8>,
    lost: Arc<AtomicU64>,
    has_failed: bool,
}

impl Writer {
    pub(super) fn begin(folder: Folder, lost: Arc<AtomicU64>) -> io::Result<Self> {
        let file = BufWriter::new(folder.begin()?);
        Ok(Self { folder, file, written: 0, panels: HashMap::new(), line: Vec::new(), lost, has_failed: false })
    }

    /// Writes something. What fails is lost, and said once until something can be written again.
    fn keep(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        match write(self) {
            Ok(()) => self.has_failed = false,
            Err(error) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                if !self.has_failed {
                    self.has_failed = true;
                    tracing::error!(folder = %self.folder.path().display(), "decisions are not recorded: {error}");
                }
                // The line may be torn: what comes next begins a file.
                self.written = self.folder.bytes_of_a_file();
            }
        }
    }

    fn decided(&mut self, panel: &Arc<Panel>, decided: Decided) -> io::Result<()> {
        self.turn_over()?;
        let panel = self.number_of(panel)?;
        self.enter(&Entry::Decided(panel, decided))
    }

    /// The number of a panel; one that the file does not tell of is written first.
    fn number_of(&mut self, panel: &Arc<Panel>) -> io::Result<u32> {
        let address = Arc::as_ptr(panel).addr();
        if let Some((number, _)) = self.panels.get(&address) {
            return Ok(*number);
        }
        if self.panels.len() >= MOST_PANELS {
            self.panels.clear();
        }
        let number = u32::try_from(self.panels.len()).unwrap_or(u32::MAX);
        self.enter(&Entry::Panel(number, (**panel).clone()))?;
        self.panels.insert(address, (number, Arc::clone(panel)));
        Ok(number)
    }

    /// Begins another file where this one is full.
    fn turn_over(&mut self) -> io::Result<()> {
        if self.written < self.folder.bytes_of_a_file() {
            return Ok(());
        }
        self.file.flush()?;
        self.file = BufWriter::new(self.folder.begin()?);
        self.written = 0;
        self.panels.clear();
        Ok(())
    }

    fn enter(&mut self, entry: &Entry) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry)?;
        self.line.push(b'\n');
        self.written = self.written.saturating_add(u64::try_from(self.line.len()).unwrap_or(u64::MAX));
        self.file.write_all(&self.line)
    }
}

impl Scribe<Note> for Writer {
    fn write(&mut self, told: Vec<Note>) {
        for note in told {
            match note {
                Note::Decided(panel, decided) => self.keep(|writer| writer.decided(&panel, *decided)),
                Note::Ended(record) => self.keep(|writer| writer.enter(&Entry::Ended(Ended::of(&record)))),
            }
        }
        self.keep(|writer| writer.file.flush());
    }

    fn end(self) {}
}
