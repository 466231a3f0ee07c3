//! The one thread that writes the ledger: what comes while it writes is written together, next.

mod faults;
mod rounds;
mod sharing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::appetite::Appetite;
use super::batch::{Answer, Batch, Wish};
use super::change::{Books, Change};
use super::error::{Damage, Fault};
use crate::accounting::{Account, Ask, Back, Holder, Lent, Posting, Slice};
use crate::clock::{Clock, Moment};
use crate::types::NanoUsd;
use rounds::{LOOK, TIDY};

pub(super) use rounds::INSPECT;

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
    /// It could not be opened.
    Fault(Fault),
    /// The disk takes no more, or takes something again.
    #[cfg(test)]
    Disk(crate::accounting::ledger::tests::Disk),
    Stop,
}

/// Where they are told.
pub(super) struct Told {
    pub(super) notes: Receiver<Note>,
    /// Somebody waits for what they were told.
    pub(super) hurry: Receiver<()>,
}

/// How long a cost waits for others to be entered with, unless somebody asks for money.
const GATHERED: Duration = Duration::from_millis(20);

/// Costs entered in one go at most, and heard of in one.
const LARGEST: usize = 8_192;

/// How long others are given to give back what a request waits for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a holder that another thread is dropping just now may take to say what it had.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often is looked what others did while a request waits for it.
const LOOK_OFTEN: Duration = Duration::from_millis(10);

/// Whether anything can be entered.
enum State {
    Open,
    /// Not at the moment: it is tried again.
    Failing(Mercy),
    /// Not until somebody has looked after it.
    Shut,
}

/// What may be spent of a ledger that cannot be written at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mercy {
    /// What is lent: whoever keeps the ledger has it noted.
    Lent,
    /// Nothing.
    None,
}

/// Wishes that somebody waits for together.
struct Asked {
    asks: Vec<Ask>,
    done: Option<oneshot::Sender<()>>,
    until: Moment,
}

/// A change of which nobody knows whether it was made, and what it lent: nobody has been told of that.
struct Doubt {
    batch: Batch,
    lent: Vec<Slice>,
}

pub(super) struct Clerk<B> {
    books: B,
    told: Told,
    /// Whether nothing may be spent, since a store that lends to this ledger and others has been silent for too long.
    is_cut_off: bool,
    clock: Arc<dyn Clock>,
    holder: Option<Weak<dyn Holder>>,
    state: State,
    /// What is to be entered.
    batch: Batch,
    doubt: Option<Doubt>,
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
    /// Whether nothing can be lent: then nobody need wait for an answer.
    is_failing: Arc<AtomicBool>,
    /// Why nothing can be entered, while that lasts.
    fault: Option<Arc<str>>,
    /// Whether it does not add up: then it is left as it is.
    is_damaged: bool,
}

/// What others see of the clerk's state.
#[derive(Clone, Default)]
pub(super) struct Watch {
    /// Costs that could not be entered.
    pub(super) lost: Arc<AtomicU64>,
    /// Whether nothing can be lent at the moment, or ever.
    pub(super) is_failing: Arc<AtomicBool>,
}

/// Whether more is to come.
#[derive(PartialEq, Eq)]
enum Onward {
    More,
    End,
}

impl<B: Books> Clerk<B> {
    pub(super) fn new(books: B, told: Told, clock: Arc<dyn Clock>, watch: Watch) -> Self {
        let now = clock.now();
        let Watch { lost, is_failing } = watch;
        Self {
            // What others did before is looked at once.
            version: -1,
            books,
            is_cut_off: false,
            told,
            clock,
            holder: None,
            state: State::Open,
            batch: Batch::default(),
            doubt: None,
            asked: Vec::new(),
            appetites: HashMap::new(),
            refused: HashMap::new(),
            tidied: now,
            inspected: now,
            looked: now,
            tried: now,
            lost,
            is_failing,
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
            self.keep_in_touch();
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
        let first = match self.told.notes.recv_timeout(self.pause()) {
            Ok(note) => note,
            Err(RecvTimeoutError::Timeout) => return Onward::More,
            Err(RecvTimeoutError::Disconnected) => return Onward::End,
        };
        // Nobody is woken for each cost that comes meanwhile.
        let _ = self.told.hurry.recv_timeout(GATHERED);
        // Those that wait while nothing can be entered do not count: what comes must be heard all the same.
        let full = self.batch.postings.len().saturating_add(LARGEST);
        let mut next = Some(first);
        while let Some(note) = next {
            match note {
                Note::Post(posting) => self.batch.postings.push(posting),
                Note::TakeBack(slices) => self.part(slices),
                Note::Ask { asks, done } => {
                    self.asked.push(Asked { asks, done, until: self.clock.now() + PATIENCE });
                }
                Note::Attach(holder) => self.attach(holder),
                Note::Flush(done) => waiting.push(done),
                Note::Damaged(damage) => self.shut(Fault::Damage(damage)),
                Note::Fault(fault) => self.fail(fault),
                #[cfg(test)]
                Note::Disk(disk) => self.books.set_disk(disk),
                Note::Stop => return Onward::End,
            }
            next = if self.batch.postings.len() < full { self.told.notes.try_recv().ok() } else { None };
        }
        Onward::More
    }

    fn attach(&mut self, holder: Weak<dyn Holder>) {
        self.holder = Some(holder);
        if let Some(why) = self.fault.clone() {
            self.refuse(why);
        }
    }

    /// How long there is nothing to do where nobody says anything.
    fn pause(&self) -> Duration {
        let holds_any = || self.holder().is_some_and(|holder| holder.holds_any());
        match self.state {
            State::Open if !self.batch.is_empty() => Duration::ZERO,
            State::Open if !self.asked.is_empty() => LOOK_OFTEN,
            State::Open if !self.refused.is_empty() || holds_any() => LOOK,
            State::Open => self.books.rhythm(),
            State::Failing(_) | State::Shut => TIDY,
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
        let is_trial = matches!(self.state, State::Failing(_));
        if self.batch.is_empty() && self.asked.is_empty() && !is_trial {
            return;
        }
        let (now, at) = (self.clock.now(), self.clock.wall().as_millisecond());
        if is_trial && now.since(self.tried) < TIDY {
            self.ask_again_later();
            self.forget_the_excess();
            return;
        }
        self.tried = now;
        if let Err(fault) = self.settle_the_doubt() {
            return self.fail(fault);
        }
        // After a long failure there is more than goes into one change.
        let rest = self.batch.split_off(LARGEST);
        let Self { books, batch, asked, appetites, .. } = self;
        let mut lent = Vec::new();
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
            lent.extend(answers.iter().filter_map(Answer::slice));
            Ok(answers)
        });
        match written {
            Ok(answers) => {
                self.batch = rest;
                self.tell(answers);
                self.succeed();
            }
            Err(fault) => {
                if fault.is_doubtful() {
                    self.doubt = Some(Doubt { batch: std::mem::take(&mut self.batch), lent });
                }
                self.batch.append(rest);
                self.fail(fault);
            }
        }
    }

    /// Finds out whether a change was made, where that was left open: what it entered is not entered again, and what it lent goes
    /// back, since nobody was told of it.
    fn settle_the_doubt(&mut self) -> Result<(), Fault> {
        if self.doubt.is_none() {
            return Ok(());
        }
        let was_made = self.books.was_made()?;
        let Some(Doubt { batch, lent }) = self.doubt.take() else { return Ok(()) };
        if was_made {
            self.batch.returns.extend(lent);
        } else {
            let later = std::mem::replace(&mut self.batch, batch);
            self.batch.append(later);
        }
        Ok(())
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
        if lent.refused.is_some() {
            self.refused.insert(Arc::clone(&ask.account), ask.limit);
        }
    }

    /// The last change: what is held goes back.
    fn end(mut self) {
        if let Some(holder) = self.holder() {
            holder.shut("the ledger is closed".into());
            self.batch.returns.extend(holder.give_back(Back::All));
        }
        while let Some(note) = self.last_note() {
            match note {
                Note::Post(posting) => self.batch.postings.push(posting),
                Note::TakeBack(slices) => self.part(slices),
                _ => {}
            }
        }
        self.asked.clear();
        if self.is_damaged {
            tracing::error!(costs = self.batch.postings.len(), "what was spent is not entered into a damaged ledger");
            return;
        }
        let settled = self.settle_the_doubt();
        let (at, Self { mut books, batch, .. }) = (self.clock.wall().as_millisecond(), self);
        match settled.and_then(|()| books.change(|change| batch.write(change, at))) {
            Ok(()) => books.leave(),
            Err(fault) if batch.is_empty() => tracing::debug!("the ledger is away at the end: {}", books.error(fault)),
            Err(fault) => {
                let error = books.error(fault);
                tracing::error!(costs = batch.postings.len(), "what was spent at the end is not entered: {error}");
            }
        }
    }

    /// What has been told and not been heard yet. A holder that is gone without a word is just being dropped: its word is waited for.
    fn last_note(&self) -> Option<Note> {
        let is_leaving = self.holder.as_ref().is_some_and(|holder| holder.strong_count() == 0);
        let patience = if is_leaving { FAREWELL } else { Duration::ZERO };
        self.told.notes.recv_timeout(patience).ok()
    }

    /// The holder's last word: what it had.
    fn part(&mut self, slices: Vec<Slice>) {
        self.batch.returns.extend(slices);
        self.holder = None;
    }

    fn holder(&self) -> Option<Arc<dyn Holder>> {
        self.holder.as_ref()?.upgrade()
    }
}
