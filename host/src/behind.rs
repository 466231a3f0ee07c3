//! Writing behind: what happens is told to a thread, which gathers what comes within a moment and does its work on all of it together.
//!
//! To wake a thread costs whoever tells it more than what is told: so nobody is woken for a single thing.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Steps of niceness: on a machine that is busy the thread runs in smaller portions, so that no request is held up by the milliseconds
/// that it takes to write many others down.
#[cfg(all(target_os = "linux", feature = "store"))]
const NICENESS: i32 = 10;

/// What is written in one go at most.
const LARGEST: usize = 8_192;

/// Whoever writes, on a thread of its own.
pub trait Scribe<T>: Send + 'static {
    /// Writes what was told within a moment, in its order; nothing may have been, where somebody waits for what came before.
    fn write(&mut self, told: Vec<T>);

    /// Nothing more comes.
    fn end(self);
}

/// A thread that writes what it is told. Whoever tells it never waits for the disk.
pub struct Behind<T> {
    notes: SyncSender<Note<T>>,
    /// Has it write now what it would gather for a moment longer.
    hurry: SyncSender<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
    lost: Arc<AtomicU64>,
}

enum Note<T> {
    Told(T),
    /// Somebody waits until all that was told before is written.
    Flush(SyncSender<()>),
    Stop,
}

/// Whether more is to come.
#[derive(PartialEq, Eq)]
enum Onward {
    More,
    End,
}

impl<T: Send + 'static> Behind<T> {
    /// Starts a thread of this name, for which so much may wait, and which lets things gather for so long. What cannot wait is counted with
    /// what the scribe has `lost`.
    ///
    /// # Errors
    /// When the system has no thread.
    pub fn start(
        name: &str,
        waiting: usize,
        gathering: Duration,
        scribe: impl Scribe<T>,
        lost: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let (notes, told) = sync_channel(waiting);
        let (hurry, hurried) = sync_channel(1);
        let thread = Builder::new().name(name.to_owned()).spawn(move || run(scribe, gathering, &told, &hurried))?;
        Ok(Self { notes, hurry, thread: Mutex::new(Some(thread)), lost })
    }

    /// Tells it something. `overrun` is called where that is the first thing that is lost.
    pub fn tell(&self, told: T, overrun: impl FnOnce()) {
        if let Err(TrySendError::Full(_)) = self.notes.try_send(Note::Told(told))
            && self.lost.fetch_add(1, Ordering::Relaxed) == 0
        {
            overrun();
        }
    }

    /// Tells it something that is told again where there is no room; whether there was.
    pub fn try_tell(&self, told: T) -> bool {
        self.notes.try_send(Note::Told(told)).is_ok()
    }

    /// Waits until everything told so far is written. Not for a thread that serves requests.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.notes.send(Note::Flush(done)).is_ok() {
            let _ = self.hurry.try_send(());
            let _ = is_done.recv();
        }
    }

    /// Has everything written that was told so far, and ends the thread: what is told later is lost.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let _ = self.notes.send(Note::Stop);
        let _ = self.hurry.try_send(());
        let _ = thread.join();
    }

    /// What could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

fn run<T>(mut scribe: impl Scribe<T>, gathering: Duration, notes: &Receiver<Note<T>>, hurry: &Receiver<()>) {
    give_way();
    while let Ok(first) = notes.recv() {
        // Whoever waits says so; everybody else does not.
        let _ = hurry.recv_timeout(gathering);
        if gather(&mut scribe, first, notes) == Onward::End {
            break;
        }
    }
    scribe.end();
}

/// Has a note written, and those that have come since.
fn gather<T>(scribe: &mut impl Scribe<T>, first: Note<T>, notes: &Receiver<Note<T>>) -> Onward {
    let (mut told, mut waiting) = (Vec::new(), Vec::new());
    let mut onward = Onward::More;
    let mut next = Some(first);
    while let Some(note) = next {
        match note {
            Note::Told(one) => told.push(one),
            Note::Flush(done) => waiting.push(done),
            Note::Stop => onward = Onward::End,
        }
        next = if told.len() < LARGEST { notes.try_recv().ok() } else { None };
    }
    scribe.write(told);
    for done in waiting {
        let _ = done.try_send(());
    }
    onward
}

/// Has the calling thread give way to others. Where the system does not let it, or has no niceness of single threads, everything is as
/// before.
fn give_way() {
    #[cfg(all(target_os = "linux", feature = "store"))]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}
