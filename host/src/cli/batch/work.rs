//! The work of a batch: so many questions under way at once, until all have had their turn or something ends it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use backstop::client::Backstop;
use backstop::clock::{Clock, Moment};
use backstop::router::{RouteError, WorstCase};
use backstop::types::{NanoUsd, Purse};
use tokio::task::JoinSet;

use crate::cli::args::WishArgs;
use crate::cli::exit::UsageError;
use crate::cli::interrupt::Endings;
use crate::cli::paint::{Tone, harmless, paint};

use super::answers::Answers;
use super::input::{Digest, Lines, Place};
use super::journal::{Entry, Journal};
use super::progress::Progress;
use super::question::{Form, Question};
use super::roll::{Fate, Roll};
use super::summary::Ending;
use super::tally::Tally;
use super::till::{Hold, Till};
use super::told::Outcome;

/// How often the progress is looked at while nothing ends.
const TICK: Duration = Duration::from_millis(200);

/// The shortest and the longest pause while nobody can be asked.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Everything a batch works with.
pub(crate) struct Work {
    pub(crate) backstop: Backstop,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wish: WishArgs,
    pub(crate) form: Form,
    pub(crate) concurrency: usize,
    pub(crate) patience: Duration,
    pub(crate) roll: Roll,
    pub(crate) till: Till,
    pub(crate) answers: Answers,
    pub(crate) journal: Option<Journal>,
    pub(crate) tally: Tally,
    pub(crate) progress: Progress,
}

/// A question that is to be asked, and what an attempt may cost at each target.
struct Pending {
    place: Place,
    digest: Digest,
    question: Question,
    worst: Vec<WorstCase>,
}

/// A question that has ended.
struct Ended {
    pending: Pending,
    held: NanoUsd,
    outcome: Outcome,
}

/// What is between the file and those under way.
struct Queue {
    lines: Lines,
    /// Whether the file has been read to its end.
    is_read: bool,
    /// Taken from the file and not asked yet, or not for good.
    waiting: VecDeque<Pending>,
    /// A budget was in the way: nothing is asked until something under way has ended.
    is_held_back: bool,
    /// Nobody could be asked: nothing is asked until then.
    paused_until: Moment,
    /// When somebody has answered last, or the work began.
    last_answer: Moment,
}

impl Work {
    /// Asks until all questions have had their turn, or something ends it. The first Ctrl-C lets those under way end, the second
    /// does not.
    ///
    /// # Errors
    /// When questions cannot be read or answers not be written: nothing more is asked then.
    pub(crate) async fn go(&mut self, lines: Lines) -> anyhow::Result<Ending> {
        let now = self.clock.now();
        let mut queue = Queue {
            lines,
            is_read: false,
            waiting: VecDeque::new(),
            is_held_back: false,
            paused_until: now,
            last_answer: now,
        };
        let mut under_way: JoinSet<Ended> = JoinSet::new();
        let mut ending = Ending::Through;
        let mut endings = Endings::listen();
        loop {
            if ending == Ending::Through {
                ending = self.fill(&mut queue, &mut under_way)?;
            }
            self.progress.show(&self.tally, self.till.spent());
            let now = self.clock.now();
            if under_way.is_empty() && (ending != Ending::Through || queue.is_empty()) {
                return Ok(ending);
            }
            let tick = now + TICK;
            let tick = if now < queue.paused_until { tick.min(queue.paused_until) } else { tick };
            tokio::select! {
                Some(ended) = under_way.join_next() => {
                    let ended = ended.context("a question ended in a fault of the program")?;
                    let is_alone = under_way.is_empty();
                    if let Some(end) = self.take_in(ended, &mut queue, is_alone)? && ending == Ending::Through {
                        ending = end;
                    }
                }
                () = endings.next() => {
                    if ending == Ending::Interrupted {
                        return Ok(ending);
                    }
                    ending = Ending::Interrupted;
                    self.say_stopping(under_way.len());
                }
                () = self.clock.sleep_until(tick) => {}
            }
        }
    }

    /// Sets questions out while there is room, money and somebody to ask.
    fn fill(&mut self, queue: &mut Queue, under_way: &mut JoinSet<Ended>) -> anyhow::Result<Ending> {
        while under_way.len() < self.concurrency && !queue.is_held_back && self.clock.now() >= queue.paused_until {
            let Some(pending) = self.next(queue)? else { break };
            match self.till.hold(&pending.worst, under_way.is_empty()) {
                Hold::Granted(held) => self.set_out(pending, held, under_way)?,
                Hold::Wait => {
                    queue.waiting.push_front(pending);
                    break;
                }
                Hold::Never => return Ok(Ending::OverBudget),
            }
        }
        Ok(Ending::Through)
    }

    /// The next question to ask.
    fn next(&self, queue: &mut Queue) -> anyhow::Result<Option<Pending>> {
        if let Some(pending) = queue.waiting.pop_front() {
            return Ok(Some(pending));
        }
        while let Some(line) = queue.lines.next()? {
            let place = line.place;
            if self.roll.fate(place.index) != Some(Fate::New) {
                continue;
            }
            let digest = Digest::of(&line.text);
            if self.roll.digest(place.index) != Some(digest) {
                bail!(UsageError(format!("line {} was changed while the batch was under way", place.number)));
            }
            let question = Question::read(&line.text, self.form, &self.wish);
            let question = question.map_err(|why| UsageError(format!("line {}: {why}", place.number)))?;
            let worst = self.backstop.worst_cases(&question.request)?;
            return Ok(Some(Pending { place, digest, question, worst }));
        }
        queue.is_read = true;
        Ok(None)
    }

    /// Sends a question out, once it stands in the journal that it was.
    fn set_out(&mut self, pending: Pending, held: NanoUsd, under_way: &mut JoinSet<Ended>) -> anyhow::Result<()> {
        let Place { index, .. } = pending.place;
        self.enter(Entry::Asked { index, digest: pending.digest, worst: held })?;
        self.roll.set(index, Fate::Uncertain);
        let purse = Arc::new(if self.till.is_limited() { Purse::new(held) } else { Purse::unlimited() });
        let request = pending.question.request.clone().with_purse(&purse);
        let (backstop, clock) = (self.backstop.clone(), Arc::clone(&self.clock));
        under_way.spawn(async move {
            let began = clock.now();
            let answered = backstop.chat(request).await;
            let outcome = Outcome { answered, cost: purse.spent(), took: clock.now().since(began) };
            Ended { pending, held, outcome }
        });
        Ok(())
    }

    /// Takes in what a question came to. Says so where that ends the batch.
    fn take_in(&mut self, ended: Ended, queue: &mut Queue, is_alone: bool) -> anyhow::Result<Option<Ending>> {
        let Ended { pending, held, outcome } = ended;
        self.till.settle(held, outcome.cost);
        match &outcome.answered {
            Err(RouteError::BudgetExceeded { estimated, reason, .. }) => {
                return self.refused(pending, *estimated, reason, queue, is_alone);
            }
            Err(RouteError::Unavailable { retry_after: Some(wait), .. }) => {
                return self.nobody_to_ask(pending, *wait, queue);
            }
            // The disk is full or away: nobody is asked until it can be entered what that costs.
            Err(RouteError::LedgerUnavailable { attempts, reason, .. }) if attempts.is_empty() => {
                self.progress.say_failed(pending.place.number, &harmless(reason));
                return self.nobody_to_ask(pending, LONGEST_PAUSE, queue);
            }
            // It has waited for its turn at a provider until its time was over, and nothing was sent.
            Err(RouteError::DeadlineExceeded { attempts, .. }) if attempts.is_empty() => {
                return self.nobody_to_ask(pending, SHORTEST_PAUSE, queue);
            }
            Ok(_) | Err(_) => {}
        }
        queue.is_held_back = false;
        let Pending { place, question, .. } = pending;
        self.answers.add(outcome.line(place, question.shape, question.custom_id.as_deref()))?;
        let gist = outcome.gist();
        let (index, cost) = (place.index, outcome.cost);
        if gist.is_answer {
            queue.last_answer = self.clock.now();
            self.enter(Entry::Answered { index, cost })?;
            self.roll.set(index, Fate::Answered);
        } else {
            self.enter(Entry::Failed { index, cost })?;
            self.roll.set(index, Fate::Failed);
            let why = outcome.answered.as_ref().err().map(ToString::to_string);
            self.progress.say_failed(place.number, &harmless(why.as_deref().unwrap_or("no model answered")));
        }
        self.tally.add(gist, outcome.took);
        Ok(None)
    }

    /// A budget of the operator's did not allow the question, and nothing was sent. What is under way may give some of it back: then
    /// it is asked again. Else it stays refused; and where a day's or a month's budget is used up, so is the batch's time.
    fn refused(
        &mut self,
        pending: Pending,
        estimated: Option<NanoUsd>,
        reason: &str,
        queue: &mut Queue,
        is_alone: bool,
    ) -> anyhow::Result<Option<Ending>> {
        self.not_sent(&pending)?;
        queue.is_held_back = !is_alone;
        if !is_alone {
            queue.waiting.push_back(pending);
            return Ok(None);
        }
        let needed = estimated.unwrap_or_default();
        let is_used_up = self.backstop.budgets().iter().any(|budget| {
            let left = budget.limit.saturating_sub(budget.spent).saturating_sub(budget.reserved);
            left < needed
        });
        if is_used_up {
            self.progress.say(paint(Tone::Warn, reason));
            return Ok(Some(Ending::OverBudget));
        }
        self.roll.set(pending.place.index, Fate::Refused);
        self.tally.refused += 1;
        self.progress.say_failed(pending.place.number, reason);
        Ok(None)
    }

    /// Nobody could be asked, and nothing was sent: a failure of the moment and not of the question, which waits.
    fn nobody_to_ask(&mut self, pending: Pending, wait: Duration, queue: &mut Queue) -> anyhow::Result<Option<Ending>> {
        self.not_sent(&pending)?;
        queue.waiting.push_back(pending);
        queue.is_held_back = false;
        let now = self.clock.now();
        if now.since(queue.last_answer) >= self.patience {
            return Ok(Some(Ending::NobodyAnswers));
        }
        let until = now + wait.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        queue.paused_until = queue.paused_until.max(until).min(queue.last_answer + self.patience);
        Ok(None)
    }

    fn not_sent(&mut self, pending: &Pending) -> anyhow::Result<()> {
        self.enter(Entry::NotSent { index: pending.place.index })?;
        self.roll.set(pending.place.index, Fate::New);
        Ok(())
    }

    fn enter(&mut self, entry: Entry) -> anyhow::Result<()> {
        self.journal.as_mut().map_or(Ok(()), |journal| journal.enter(entry))
    }

    fn say_stopping(&self, under_way: usize) {
        let words = format!("stopping: {under_way} under way are let end; Ctrl-C once more stops at once");
        self.progress.say(paint(Tone::Warn, words));
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.is_read && self.waiting.is_empty()
    }
}
