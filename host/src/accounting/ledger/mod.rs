//! What was spent, for good: a SQLite file in which every cost is an entry, and every budget an account.
//!
//! A process is *lent* slices of each limited account, and spends them in memory; what it spends is entered within 20 ms,
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
//! `change` is what a ledger can be told, `books` the file that is told it, `postgres` the same in a database that any number of
//! processes share. `entry` chains what happened, `lease` is what is lent, `appetite` says how much at once, `batch` is one change,
//! `clerk` the thread that makes them, `audit` reads everything over, `checkpoint` keeps how far, `head` notes how far the
//! ledger went, `reader` is for people.

mod error;
mod schema;
mod entry;
mod lease;
mod head;
mod instance;
mod appetite;
mod change;
mod standing;
mod books;
mod batch;
mod clerk;
mod commons;
mod checkpoint;
mod audit;
mod file_reader;
mod reader;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::config::{LedgerAddress, SharedAddress};

use super::treasury::{Ask, Holder, Need, Posting, Slice, Treasury};
use audit::Audit;
use books::FileBooks;
use change::Books;
use clerk::{Clerk, Note, Told, Watch};
use commons::Trouble;
use error::Fault;

pub use error::{Damage, LedgerError};
#[cfg(feature = "postgres")]
pub use postgres::PostgresFault;
pub use reader::{CostSum, CostsBy, ExportedEntry, LedgerReader};

/// How often the ledger is read over.
const AUDITED: Duration = Duration::from_secs(60);

/// How soon one is read over that was not at the start, or not from its beginning.
const AUDITED_FIRST: Duration = Duration::from_secs(1);

/// How a ledger was found.
enum Opened {
    Sound,
    /// Sound from where it was read over before: what comes before is read over soon.
    Resumed,
    /// Nothing may be spent until somebody has looked after it.
    Damaged(Damage),
    /// It cannot be reached: that may pass.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "a file is here or it is not"))]
    Away(Fault),
}

impl Opened {
    /// What the first audit found, where that was.
    fn of(audited: Result<(), LedgerError>, sound: Self) -> Result<Self, LedgerError> {
        match audited.map_err(LedgerError::damage) {
            Ok(()) => Ok(sound),
            Err(Ok(damage)) => Ok(Self::Damaged(damage)),
            #[cfg(feature = "postgres")]
            Err(Err(LedgerError::Postgres { source, .. })) if source.is_away() => Ok(Self::Away(source.into())),
            Err(Err(error)) => Err(error),
        }
    }
}

/// The ledger, open for writing.
pub struct Ledger {
    notes: Sender<Note>,
    /// Wakes the clerk who waits for more to enter in one go.
    hurry: SyncSender<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Ends the audits.
    stop: SyncSender<()>,
    lost: Arc<AtomicU64>,
    is_failing: Arc<AtomicBool>,
}

/// Where a ledger is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerPlace {
    /// In a file beside the store at this path.
    Beside(PathBuf),
    /// In PostgreSQL.
    Postgres(LedgerAddress),
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
        Self::open_with(store, None, clock, every)
    }

    fn open_with(
        store: &Path,
        shared: Option<&SharedAddress>,
        clock: Arc<dyn Clock>,
        every: Duration,
    ) -> Result<Self, LedgerError> {
        let path = schema::path_beside(store);
        let mut books = FileBooks::open(&path)?;
        let mut audit = Audit::resume(&path);
        let sound = if audit.is_resumed() { Opened::Resumed } else { Opened::Sound };
        let found = Opened::of(audit.run(&path), sound)?;
        if matches!(found, Opened::Resumed) {
            // The next one begins at the first entry.
            audit = Audit::default();
        }
        if matches!(found, Opened::Sound | Opened::Resumed) {
            audit.keep(&path);
            let buried = books.bury_the_dead(clock.wall().as_millisecond());
            buried.map_err(|fault| LedgerError::of_fault(&path, fault))?;
        }
        if let Some(address) = shared {
            books.share(address, &clock).map_err(|trouble| match trouble {
                Trouble::Ledger(fault) => LedgerError::of_fault(&path, fault),
                Trouble::Store(error) => LedgerError::Shared(error),
            })?;
        }
        Self::start(books, clock, found, every, move || {
            audit.run(&path)?;
            audit.keep(&path);
            Ok(())
        })
    }

    /// Opens the ledger at a place, as [`Ledger::open`] does. One in PostgreSQL that cannot be reached is open all the same: nothing
    /// is lent until it can. Budgets of one in a file are those of all ledgers that share a store, where there is one; it need not
    /// be there yet.
    ///
    /// # Errors
    /// As [`Ledger::open`]; when PostgreSQL refuses, or the shared store's address cannot be one.
    pub fn open_at(
        place: &LedgerPlace,
        shared: Option<&SharedAddress>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        match place {
            LedgerPlace::Beside(store) => Self::open_with(store, shared, clock, AUDITED),
            LedgerPlace::Postgres(address) => Self::open_shared(address, clock, AUDITED),
        }
    }

    /// Opens the ledger in PostgreSQL, read over as often as is said.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    #[cfg(feature = "postgres")]
    pub fn open_shared(address: &LedgerAddress, clock: Arc<dyn Clock>, every: Duration) -> Result<Self, LedgerError> {
        // On a thread of its own: whoever opens it may be one that must not block.
        let opener = || {
            let mut audit = Audit::default();
            let found = Opened::of(postgres::audit(&mut audit, address), Opened::Sound)?;
            let mut books = postgres::SharedBooks::new(address.clone(), Arc::clone(&clock));
            let at = clock.wall().as_millisecond();
            let found = match found {
                Opened::Sound => match books.connect().and_then(|()| books.bury_the_dead(at)) {
                    Ok(()) => Opened::Sound,
                    Err(fault) if fault.is_away() => Opened::Away(fault),
                    Err(fault) => return Err(LedgerError::of_shared(address, fault)),
                },
                found => found,
            };
            let audited = address.clone();
            Self::start(books, clock, found, every, move || postgres::audit(&mut audit, &audited))
        };
        std::thread::scope(|scope| scope.spawn(opener).join()).unwrap_or(Err(LedgerError::NoPostgres))
    }

    /// This program was built without PostgreSQL.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "postgres"))]
    pub fn open_shared(_: &LedgerAddress, _: Arc<dyn Clock>, _: Duration) -> Result<Self, LedgerError> {
        Err(LedgerError::NoPostgres)
    }

    /// Starts to write, and to read over.
    fn start(
        books: impl Books,
        clock: Arc<dyn Clock>,
        found: Opened,
        every: Duration,
        mut audit: impl FnMut() -> Result<(), LedgerError> + Send + 'static,
    ) -> Result<Self, LedgerError> {
        let watch = Watch::default();
        let Watch { lost, is_failing } = watch.clone();
        let (notes, told) = channel();
        let (hurry, hurried) = sync_channel(1);
        let clerk = Clerk::new(books, Told { notes: told, hurry: hurried }, clock, watch);
        let mut first = every;
        match found {
            Opened::Sound => {}
            Opened::Resumed => first = AUDITED_FIRST.min(every),
            Opened::Damaged(damage) => drop(notes.send(Note::Damaged(damage))),
            Opened::Away(fault) => {
                is_failing.store(true, Ordering::Relaxed);
                first = AUDITED_FIRST.min(every);
                drop(notes.send(Note::Fault(fault)));
            }
        }
        let started = |source| LedgerError::File { path: PathBuf::from("a thread for the ledger"), source };
        let clerk = Builder::new().name("ledger".to_owned()).spawn(move || clerk.run()).map_err(started)?;
        let (stop, stopped) = sync_channel(1);
        let tell = notes.clone();
        let auditor = move || {
            let mut pause = first;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                match audit().map_err(LedgerError::damage) {
                    Ok(()) => pause = every,
                    Err(Ok(damage)) => return drop(tell.send(Note::Damaged(damage))),
                    Err(Err(error)) => {
                        tracing::warn!("the ledger could not be read over: {error}");
                        pause = pause.saturating_mul(2).min(every);
                    }
                }
            }
        };
        let auditor = Builder::new().name("ledger audit".to_owned()).spawn(auditor).map_err(started)?;
        Ok(Self { notes, hurry, threads: Mutex::new(vec![auditor, clerk]), stop, lost, is_failing })
    }

    /// Waits until everything told so far is on disk, or it is clear that it cannot be. Not for a thread that serves requests.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.urge(Note::Flush(done)) {
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
        self.urge(Note::Stop);
        let _ = self.stop.try_send(());
        let here = std::thread::current().id();
        // The last reference may be the clerk's own, who cannot wait for themselves.
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != here) {
            let _ = thread.join();
        }
    }

    /// Tells the clerk what somebody waits for; whether they are there to hear it.
    fn urge(&self, note: Note) -> bool {
        let is_told = self.notes.send(note).is_ok();
        // Where there is no room, they have been woken already.
        let _ = self.hurry.try_send(());
        is_told
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
        if self.is_failing.load(Ordering::Relaxed) && !asks.iter().any(|ask| ask.need == Need::News) {
            // The clerk may be waiting for an answer of their own.
            return told;
        }
        self.urge(Note::Ask { asks, done: Some(done) });
        told
    }

    fn top_up(&self, asks: Vec<Ask>) {
        // Nobody waits: half of what was lent before is there still, which lasts until the clerk writes anyway.
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
