//! What was spent, for good: a SQLite file in which every cost is an entry, and every budget an account.
//!
//! A process is *lent* slices of each limited account, and spends them in memory; what it spends is entered a few milliseconds
//! later, together with whatever else has come by then. No request waits for the disk unless the slice is used up. What holds,
//! for each account:
//!
//! > what providers were asked for ≤ what is spent + what is lent ≤ the limit,
//!
//! at every moment and after every crash: money is on disk as lent before anybody may spend it, and leaves what is lent only in
//! the change that enters it as spent, or when its holder has given it up. What a process was lent when it died is charged in
//! full, since nobody knows what it spent of it: after that
//!
//! > what providers were asked for ≤ what is spent ≤ what providers were asked for + what was lent.
//!
//! `books` makes changes, `entry` chains them, `lease` is what is lent, `appetite` says how much at once, `batch` is one change,
//! `clerk` the thread that makes them, `audit` reads everything over, `head` notes how far the ledger went, `reader` is for people.

mod error;
mod schema;
mod entry;
mod lease;
mod head;
mod instance;
mod appetite;
mod books;
mod batch;
mod clerk;
mod audit;
mod reader;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Clock;

use super::treasury::{Ask, Holder, Posting, Slice, Treasury};
use audit::Audit;
use books::Books;
use clerk::{Clerk, Note};

pub use error::{Damage, LedgerError};
pub use reader::{CostSum, CostsBy, ExportedEntry, LedgerReader};

/// How often the ledger is read over.
const AUDITED: Duration = Duration::from_secs(60);

/// The ledger, open for writing.
pub struct Ledger {
    notes: Sender<Note>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Ends the audits.
    stop: SyncSender<()>,
    lost: Arc<AtomicU64>,
}

impl Ledger {
    /// Opens the ledger beside the store at a path, or makes it: charges what dead processes were lent, reads everything over,
    /// and starts to write. Where it does not add up it is open all the same, and nothing may be spent.
    ///
    /// # Errors
    /// When the folder or the file cannot be used, the file is something else than a ledger of this version, or ends before an
    /// entry that was entered for good.
    pub fn open(store: &Path, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        Self::open_and_audit(store, clock, AUDITED)
    }

    /// As [`Ledger::open`], read over as often as is said.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_and_audit(store: &Path, clock: Arc<dyn Clock>, every: Duration) -> Result<Self, LedgerError> {
        let path = schema::path_beside(store);
        let mut books = Books::open(&path)?;
        let mut audit = Audit::default();
        let found = audit.run(&path);
        if found.is_ok() {
            let buried = Clerk::bury_the_dead(&mut books, clock.wall());
            buried.map_err(|fault| LedgerError::of_fault(&path, fault))?;
        }
        let lost = Arc::new(AtomicU64::new(0));
        let (notes, told) = channel();
        let clerk = Clerk::new(books, told, clock, Arc::clone(&lost));
        match found {
            Ok(()) => {}
            Err(LedgerError::Damaged { damage, .. }) => drop(notes.send(Note::Damaged(damage))),
            Err(error) => return Err(error),
        }
        let started = |source| LedgerError::File { path: path.clone(), source };
        let clerk = Builder::new().name("ledger".to_owned()).spawn(move || clerk.run()).map_err(started)?;
        let (stop, stopped) = sync_channel(1);
        let (tell, audited) = (notes.clone(), path.clone());
        let auditor = move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                match audit.run(&audited) {
                    Ok(()) => {}
                    Err(LedgerError::Damaged { damage, .. }) => return drop(tell.send(Note::Damaged(damage))),
                    Err(error) => tracing::warn!("the ledger could not be read over: {error}"),
                }
            }
        };
        let auditor = Builder::new().name("ledger audit".to_owned()).spawn(auditor).map_err(started)?;
        Ok(Self { notes, threads: Mutex::new(vec![auditor, clerk]), stop, lost })
    }

    /// Waits until everything told so far is on disk, or it is clear that it cannot be. Not for a thread that serves requests.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.notes.send(Note::Flush(done)).is_ok() {
            let _ = is_done.recv();
        }
    }

    /// Enters everything told so far, gives back what is lent, and ends: what is told later is lost. A process calls it before
    /// it ends, since it cannot be sure to hold the last reference.
    pub fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.is_empty() {
            return;
        }
        let _ = self.notes.send(Note::Stop);
        let _ = self.stop.try_send(());
        let here = std::thread::current().id();
        // The last reference may be the clerk's own, who cannot wait for themselves.
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != here) {
            let _ = thread.join();
        }
    }

    /// Costs that could not be entered.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Treasury for Ledger {
    fn attach(&self, holder: Weak<dyn Holder>) {
        let _ = self.notes.send(Note::Attach(holder));
    }

    fn post(&self, posting: Posting) {
        let _ = self.notes.send(Note::Post(posting));
    }

    fn ask(&self, asks: Vec<Ask>) -> oneshot::Receiver<()> {
        let (done, told) = oneshot::channel();
        let _ = self.notes.send(Note::Ask { asks, done: Some(done) });
        told
    }

    fn top_up(&self, asks: Vec<Ask>) {
        let _ = self.notes.send(Note::Ask { asks, done: None });
    }

    fn take_back(&self, slices: Vec<Slice>) {
        let _ = self.notes.send(Note::TakeBack(slices));
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}
