//! A strategy beside the one that decides: asked the same, on a thread of its own, and obeyed by nobody.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::behind::{Behind, Scribe};
use crate::strategy::StrategyHealth;
use crate::types::{Ask, ChatRequest, RequestId, Verdict};

use super::decider::Decider;
use super::seat::{Seat, in_words};

/// Questions that may wait. A shadow that is slower than the one that decides is spared the others.
const WAITING: usize = 1_024;

/// How long questions gather before they are answered.
const GATHERING: Duration = Duration::from_millis(10);

/// Disagreements that are kept.
const KEPT: usize = 100;

/// A strategy that is asked whatever the route's own is asked.
pub struct Shadow {
    decider: Arc<Decider>,
    questions: Behind<Question>,
    tally: Arc<Tally>,
}

/// How a shadow compares with the strategy that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShadowStatus {
    /// Its name.
    pub strategy: Arc<str>,
    /// Its file, where it is not built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// SHA-256 of its component, in hexadecimal.
    pub digest: String,
    /// Decisions that were the same: the same target, or the same end.
    pub agreed: u64,
    /// Decisions that were not.
    pub differed: u64,
    /// Questions it was spared, since it did not keep up.
    pub passed_over: u64,
    /// How it fares.
    #[serde(flatten)]
    pub health: StrategyHealth,
    /// The latest disagreements, newest first.
    pub latest: Vec<Disagreement>,
}

/// One decision of two minds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The request it was about.
    pub request: RequestId,
    /// What was done.
    pub decided: String,
    /// What the shadow would have done.
    pub shadow: String,
    /// The shadow's own reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

struct Question {
    request: RequestId,
    ask: Ask,
    /// For a strategy that was granted the sight of it.
    chat: Option<Arc<ChatRequest>>,
    decided: Verdict,
}

/// Asks, and compares.
struct Answering {
    decider: Arc<Decider>,
    roster: Vec<Seat>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Tally {
    agreed: AtomicU64,
    differed: AtomicU64,
    passed_over: Arc<AtomicU64>,
    latest: Mutex<VecDeque<Disagreement>>,
}

impl Shadow {
    /// Begins to ask a strategy, among the seats of a route. It ends when it is dropped.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(decider: Decider, roster: Vec<Seat>) -> std::io::Result<Self> {
        let (decider, tally) = (Arc::new(decider), Arc::new(Tally::default()));
        let answering = Answering { decider: Arc::clone(&decider), roster, tally: Arc::clone(&tally) };
        let spared = Arc::clone(&tally.passed_over);
        let questions = Behind::start("shadow", WAITING, GATHERING, answering, spared)?;
        Ok(Self { decider, questions, tally })
    }

    /// Who is asked.
    #[must_use]
    pub fn decider(&self) -> &Arc<Decider> {
        &self.decider
    }

    /// Puts a question to it that has been decided. Never waits.
    pub(super) fn ask(&self, request: RequestId, ask: &Ask, chat: Option<&Arc<ChatRequest>>, decided: Verdict) {
        // A note is between a request and the strategy that wrote it.
        let ask = Ask { note: Vec::new(), ..ask.clone() };
        self.questions.tell(Question { request, ask, chat: chat.cloned(), decided }, || {});
    }

    /// How it compares so far.
    #[must_use]
    pub fn status(&self) -> ShadowStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let latest = self.tally.latest.lock().unwrap_or_else(PoisonError::into_inner);
        ShadowStatus {
            strategy: Arc::clone(&self.decider.name),
            file: self.decider.file().map(ToOwned::to_owned),
            digest: self.decider.digest().to_owned(),
            agreed: count(&self.tally.agreed),
            differed: count(&self.tally.differed),
            passed_over: count(&self.tally.passed_over),
            health: self.decider.health(),
            latest: latest.iter().cloned().collect(),
        }
    }
}

impl Scribe<Question> for Answering {
    fn write(&mut self, told: Vec<Question>) {
        told.into_iter().for_each(|question| self.compare(question));
    }

    fn end(self) {}
}

impl Answering {
    fn compare(&self, question: Question) {
        let Self { decider, roster, tally } = self;
        let Question { request, ask, chat, decided } = question;
        if decider.health().quarantined {
            tally.passed_over.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let ruling = decider.decide(&ask, chat.as_ref());
        if ruling.fault.is_some() {
            // Its health tells of that.
            return;
        }
        let decision = ruling.decision;
        if decided.is_same_choice(decision.verdict) {
            tally.agreed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        tally.differed.fetch_add(1, Ordering::Relaxed);
        let mut latest = tally.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.truncate(KEPT - 1);
        latest.push_front(Disagreement {
            request,
            decided: in_words(decided, roster),
            shadow: in_words(decision.verdict, roster),
            reason: decision.reason,
        });
    }
}
