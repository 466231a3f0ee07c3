//! The one thread that writes the ledger: what comes while it writes is written together, next.

mod faults;
mod rounds;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::appetite::Appetite;
use super::batch::{Answer, Batch, Wish};
use super::books::Books;
use super::error::{Damage, Fault, LedgerError};
use crate::accounting::{Account, Ask, Back, Holder, Lent, Posting, Slice};
use crate::clock::{Clock, Moment};
use crate::types::NanoUsd;
use rounds::{INSPECT, LOOK, TIDY};

/// What the clerk is told.
pub(super) enum Note {
    Post(Posting),
    Ask {
        asks: Vec<Ask>,
        done: Option<oneshot::Sender<()>>,
    },
    TakeBack(Vec<Slice>),
    Attach(Weak<dyn Holder>),
    /// Somebody waits until all that was told before is on disk, or cannot be.
    Flush(SyncSender<()>),
    Damaged(Damage),
    /// The disk takes no more, or takes something again.
    #[cfg(test)]
    Disk(crate::accounting::ledger::tests::Disk),
    Stop,
}

/// How long a cost waits for others to be entered with, unless somebody asks for money.
const GATHERED: Duration = Duration::from_millis(5);

/// Costs entered in one go at most.
const LARGEST: usize = 8_192;

/// How long others are given to give back what a request waits for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often is looked what others did while a request waits for it.
const LOOK_OFTEN: Duration = Duration::from_millis(10);

/// Whether anything can be entered.
enum State {
    Open,
    /// Not at the moment: it is tried again.
    Failing,
    /// Not until somebody has looked after it.
    Shut,
}

/// Wishes that somebody waits for together.
struct Asked {
    asks: Vec<Ask>,
    done: Option<oneshot::Sender<()>>,
    until: Moment,
}

pub(super) struct Clerk {
    books: Books,
    notes: Receiver<Note>,
    clock: Arc<dyn Clock>,
    holder: Option<Weak<dyn Holder>>,
    state: State,
    /// What is to be entered.
    batch: Batch,
    asked: Vec<Asked>,
    appetites: HashMap<Arc<Account>, Appetite>,
    /// Accounts that were refused: their holder is told when others have changed something.
    refused: HashMap<Arc<Account>, NanoUsd>,
    version: i64,
    tidied: Moment,
    inspected: Moment,
    looked: Moment,
    tried: Moment,
    lost: Arc<AtomicU64>,
    /// Why nothing can be entered, while that lasts.
    fault: Option<Arc<str>>,
    /// Whether it does not add up: then it is left as it is.
    is_damaged: bool,
}

/// Whether more is to come.
#[derive(PartialEq, Eq)]
enum Onward {
    More,
    End,
}

impl Clerk {
    pub(super) fn new(books: Books, notes: Receiver<Note>, clock: Arc<dyn Clock>, lost: Arc<AtomicU64>) -> Self {
        let now = clock.now();
        Self {
            version: books.version(),
            books,
            notes,
            clock,
            holder: None,
            state: State::Open,
            batch: Batch::default(),
            asked: Vec::new(),
            appetites: HashMap::new(),
            refused: HashMap::new(),
            tidied: now,
            inspected: now,
            looked: now,
            tried: now,
            lost,
            fault: None,
            is_damaged: false,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let mut waiting = Vec::new();
            let onward = self.gather(&mut waiting);
            self.look_around();
            self.write();
            for done in waiting {
                let _ = done.try_send(());
            }
            if onward == Onward::End {
                break;
            }
        }
        self.end();
    }

    /// Takes what has come, and waits a moment for more unless somebody asks for money.
    fn gather(&mut self, waiting: &mut Vec<SyncSender<()>>) -> Onward {
        let first = match self.notes.recv_timeout(self.pause()) {
            Ok(note) => note,
            Err(RecvTimeoutError::Timeout) => return Onward::More,
            Err(RecvTimeoutError::Disconnected) => return Onward::End,
        };
        let until = self.clock.now() + GATHERED;
        let mut next = Some(first);
        while let Some(note) = next {
            match note {
                Note::Post(posting) => self.batch.postings.push(posting),
                Note::TakeBack(slices) => self.batch.returns.extend(slices),
                Note::Ask { asks, done } => {
                    self.asked.push(Asked { asks, done, until: self.clock.now() + PATIENCE });
                }
                Note::Attach(holder) => self.attach(holder),
                Note::Flush(done) => waiting.push(done),
                Note::Damaged(damage) => self.shut(Fault::Damage(damage)),
                #[cfg(test)]
                Note::Disk(disk) => self.books.set_disk(disk),
                Note::Stop => return Onward::End,
            }
            let is_urgent = !self.asked.is_empty() || !waiting.is_empty();
            let left = if is_urgent { Duration::ZERO } else { until.since(self.clock.now()) };
            next = match self.batch.postings.len() < LARGEST {
                true => self.notes.recv_timeout(left).ok(),
                false => None,
            };
        }
        Onward::More
    }

    fn attach(&mut self, holder: Weak<dyn Holder>) {
        if let (Some(why), Some(holder)) = (&self.fault, holder.upgrade()) {
            holder.shut(Arc::clone(why));
        }
        self.holder = Some(holder);
    }

    /// How long there is nothing to do where nobody says anything.
    fn pause(&self) -> Duration {
        let holds_any = || self.holder().is_some_and(|holder| holder.holds_any());
        match self.state {
            State::Open if !self.asked.is_empty() => LOOK_OFTEN,
            State::Open if !self.refused.is_empty() || holds_any() => LOOK,
            State::Open => INSPECT,
            State::Failing | State::Shut => TIDY,
        }
    }

    /// Enters what there is and answers whoever asks, in one change.
    fn write(&mut self) {
        if matches!(self.state, State::Shut) {
            // Whoever waits is told by its receiver's end.
            self.asked.clear();
            self.forget_the_excess();
            return;
        }
        // A ledger that could not be written is tried even where there is nothing to enter: nobody asks while it is shut.
        let is_trial = matches!(self.state, State::Failing);
        if self.batch.is_empty() && self.asked.is_empty() && !is_trial {
            return;
        }
        let (now, at) = (self.clock.now(), self.clock.wall().as_millisecond());
        if is_trial && now.since(self.tried) < TIDY {
            self.asked.clear();
            self.forget_the_excess();
            return;
        }
        self.tried = now;
        let Self { books, batch, asked, appetites, .. } = self;
        let written = books.change(|change| {
            if is_trial {
                change.touch()?;
            }
            if asked.is_empty() {
                change.want_nothing()?;
            }
            batch.write(change, at)?;
            let mut answers = Vec::new();
            for one in asked.iter() {
                let is_last = now >= one.until;
                for ask in &one.asks {
                    answers.push(Wish { ask: ask.clone(), is_last }.answer(change, appetites, now)?);
                }
            }
            Ok(answers)
        });
        match written {
            Ok(answers) => {
                self.batch = Batch::default();
                self.tell(answers);
                self.succeed();
            }
            Err(fault) => self.fail(fault),
        }
    }

    /// Puts the answers into the holder's hands, then wakes those who wait for them.
    fn tell(&mut self, answers: Vec<Answer>) {
        let holder = self.holder();
        let mut answers = answers.into_iter();
        let mut asked = std::mem::take(&mut self.asked);
        for one in &mut asked {
            one.asks.retain(|ask| match answers.next() {
                Some(Answer::Lent(lent)) => {
                    self.take_note(ask, &lent);
                    match &holder {
                        Some(holder) => holder.put(lent),
                        // Nobody is there any more to take it.
                        None => self.batch.returns.push(Slice { account: lent.account, amount: lent.granted }),
                    }
                    false
                }
                Some(Answer::Wait) => true,
                None => false,
            });
        }
        let (waiting, told): (Vec<_>, Vec<_>) = asked.into_iter().partition(|one| !one.asks.is_empty());
        self.asked = waiting;
        for done in told.into_iter().filter_map(|one| one.done) {
            let _ = done.send(());
        }
    }

    fn take_note(&mut self, ask: &Ask, lent: &Lent) {
        if lent.refused_beyond.is_some() {
            self.refused.insert(Arc::clone(&ask.account), ask.limit);
        }
    }

    /// The last change: what is held goes back.
    fn end(mut self) {
        while let Ok(note) = self.notes.try_recv() {
            match note {
                Note::Post(posting) => self.batch.postings.push(posting),
                Note::TakeBack(slices) => self.batch.returns.extend(slices),
                _ => {}
            }
        }
        if let Some(holder) = self.holder() {
            holder.shut("the ledger is closed".into());
        }
        self.asked.clear();
        if self.is_damaged {
            tracing::error!(costs = self.batch.postings.len(), "what was spent is not entered into a damaged ledger");
            return;
        }
        self.give_back(Back::All);
        let (at, Self { mut books, batch, .. }) = (self.clock.wall().as_millisecond(), self);
        match books.change(|change| batch.write(change, at)) {
            Ok(()) => books.leave(),
            Err(fault) => {
                let error = LedgerError::of_fault(&books.path, fault);
                tracing::error!(costs = batch.postings.len(), "what was spent at the end is not entered: {error}");
            }
        }
    }

    fn holder(&self) -> Option<Arc<dyn Holder>> {
        self.holder.as_ref()?.upgrade()
    }
}
