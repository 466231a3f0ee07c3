//! What an admitted request holds of the guard, and how it is given back.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Guard;
use super::admission::Quote;
use super::budget::Reservation;
use super::claim::AttemptKind;
use super::news::{REJECTED_FOR, What};
use super::payer::Payer;
use super::period::{BudgetAlert, Certainty};
use super::provider::{Book, Provider};
use super::retry_budget::Drawn;
use super::shares::{Shares, Used};
use super::slot::{Rests, Role, Turns};
use super::target::Target;
use crate::accounting::{About, Account, Posting, PostingKind};
use crate::clock::Moment;
use crate::types::{AlertKind, Effect, Failure, FailureKind, NanoUsd, RequestId, TargetId, Usage};

/// No model answers in so many tokens: a reply that claims them is not believed.
const MOST_TOKENS: u64 = 100_000_000;

/// Everything that was taken at admission. Its owner, a `Permit` or an `InFlight`, gives it back exactly once.
#[derive(Debug)]
pub(super) struct Stake {
    pub(super) guard: Arc<Guard>,
    pub(super) target: TargetId,
    pub(super) key: usize,
    pub(super) turns: Turns,
    pub(super) shares: Shares,
    pub(super) quote: Quote,
    /// Whether a budget or the caller's purse counts what it costs.
    pub(super) counts_money: bool,
    pub(super) payer: Option<Arc<Payer>>,
    /// Gone when it is settled.
    pub(super) reservation: Option<Reservation>,
    pub(super) drawn: Option<(AttemptKind, Drawn)>,
}

/// What an attempt came to once it was settled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// What it cost, where the price is known.
    pub cost: Option<NanoUsd>,
    /// How that figure came about.
    pub charge: Charge,
    /// The budgets that have just reached the share at which the operator wants to know.
    pub alerts: Vec<BudgetAlert>,
}

/// How a cost came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charge {
    /// The provider's own count, or nothing where nothing is charged.
    #[default]
    Exact,
    /// The worst case: the provider did not say, or cannot have meant what it said.
    Uncertain,
    /// The provider's own count, and more than the worst case that was reserved.
    Overrun,
}

/// What is to be posted for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bill {
    /// Nothing.
    Nothing,
    /// What the provider counted.
    Counted(Usage),
    /// Whatever it may have cost at most.
    WorstCase,
}

impl Stake {
    /// The provider it is for; `None` never, as a stake is made for a target that was found.
    pub(super) fn place(&self) -> Option<(&Target, &Provider)> {
        self.guard.find(self.target)
    }

    /// The attempt was never sent: everything is given back.
    pub(super) fn void(mut self) {
        if let Some(reservation) = self.reservation.take() {
            self.guard.coffer.void(reservation);
        }
        if let Some(drawn) = self.drawn.take() {
            self.guard.give_back(drawn);
        }
        // Undone as of the moment it was taken: the present one does not matter.
        self.close(Used::Nothing, Moment::START, |book, stake, model| stake.release(book, model));
    }

    /// The attempt ended without news of the target.
    pub(super) fn abandon(mut self) -> Settled {
        let settled = self.post(Bill::WorstCase, 0);
        self.close(Used::Unknown, Moment::START, |book, stake, model| stake.release(book, model));
        settled
    }

    /// The attempt was served.
    pub(super) fn serve(mut self, bill: Bill, quota_left: Option<f32>, now: Moment, wall: Timestamp) -> Settled {
        let settled = self.post(bill, 1);
        self.close(bill.used(), now, |book, stake, model| {
            stake.tell_served(model);
            if let Some(slot) = book.slot_mut(model, stake.key) {
                slot.served(stake.turns, now);
            }
            book.health.served(now, wall);
            if let Some(of_model) = book.models.get_mut(model) {
                of_model.health.served(now, wall);
                quota_left.into_iter().for_each(|left| of_model.health.quota_told(left, now));
            }
        });
        settled
    }

    /// The attempt failed.
    pub(super) fn fail(mut self, failure: &Failure, bill: Bill, now: Moment, wall: Timestamp) -> Settled {
        let settled = self.post(bill, 0);
        let kind = failure.kind;
        self.close(bill.used(), now, |book, stake, model| {
            if let Some(slot) = book.slot_mut(model, stake.key) {
                let before = slot.rests();
                slot.failed(kind, failure.retry_after, stake.turns, now);
                stake.tell_rests(model, before, slot.rests());
            }
            book.health.failed(kind, now, wall);
            if let Some(of_model) = book.models.get_mut(model) {
                of_model.health.failed(kind, now, wall);
            }
            stake.leave_out(book, model, kind, now);
        });
        settled
    }

    /// The first token is here: a probe has shown that the target is back, and nobody waits for the end of its stream.
    pub(super) fn first_token(&mut self, took: Duration, now: Moment) {
        let Some((target, provider)) = self.guard.find(self.target) else { return };
        let role = mem::replace(&mut self.turns.role, Role::Ordinary);
        let mut book = provider.book();
        book.health.first_token(took);
        if let Some(model) = book.models.get_mut(target.model) {
            model.health.first_token(took);
        }
        if role == Role::Probe {
            self.tell_served_by_probe(provider, target.model);
            if let Some(slot) = book.slot_mut(target.model, self.key) {
                self.turns = slot.served(self.turns, now);
            }
            drop(book);
            provider.tell_probe_ended(target.model);
        }
    }

    /// A reply told what is left of the scarcest quota.
    pub(super) fn quota_told(&self, left: f32, now: Moment) {
        let Some((target, provider)) = self.place() else { return };
        if let Some(model) = provider.book().models.get_mut(target.model) {
            model.health.quota_told(left, now);
        }
    }

    /// Ends the attempt in its provider's book, and wakes those that waited for it in line, or as a probe.
    fn close(self, used: Used, now: Moment, end: impl FnOnce(&mut Book, &Self, usize)) {
        let Some((target, provider)) = self.place() else { return };
        let mut book = provider.book();
        book.end(target.model, self.shares, used, now);
        end(&mut book, &self, target.model);
        book.line.call_first();
        drop(book);
        if self.turns.role == Role::Probe {
            provider.tell_probe_ended(target.model);
        }
    }

    /// Tells other instances that a probe was served.
    fn tell_served(&self, model: usize) {
        if let (Role::Probe, Some((_, provider))) = (self.turns.role, self.place()) {
            self.tell_served_by_probe(provider, model);
        }
    }

    fn tell_served_by_probe(&self, provider: &Provider, model: usize) {
        if let Some(spot) = provider.spot(model, self.key) {
            self.guard.tell(What::Served(spot), None);
        }
    }

    fn tell_rests(&self, model: usize, before: Rests, after: Rests) {
        if let Some((_, provider)) = self.place() {
            self.guard.tell_rests(provider, model, self.key, before, after);
        }
    }

    fn release(&self, book: &mut Book, model: usize) {
        if let Some(slot) = book.slot_mut(model, self.key) {
            slot.release(self.turns);
        }
    }

    fn leave_out(&self, book: &mut Book, model: usize, kind: FailureKind, now: Moment) {
        let Some((target, provider)) = self.place() else { return };
        let key = provider.keys.get(self.key).map_or("(none)", |key| key.name.as_str());
        match kind.effect() {
            Effect::DropKey => {
                if book.keys.reject(self.key, kind) {
                    let message =
                        format!("{}: key {key} was rejected ({kind}) and is not used any more", provider.name);
                    self.guard.raise(AlertKind::KeyRejected, About::Provider(&provider.name), message);
                    let (provider, key) = (provider.name.to_string(), provider.mark(self.key));
                    self.guard.tell(What::KeyRejected { provider, key, kind }, Some(now + REJECTED_FOR));
                }
            }
            Effect::DropModel => {
                if let Some(of_model) = book.models.get_mut(model).filter(|of_model| !of_model.is_unknown) {
                    of_model.is_unknown = true;
                    let message = format!("{} is unknown to its provider and is not used any more", target.name);
                    self.guard.raise(AlertKind::ModelUnknown, About::Provider(&provider.name), message);
                }
            }
            Effect::CoolDown | Effect::OutOfQuota | Effect::Counts | Effect::Nothing => {}
        }
    }

    /// Posts the bill, and the answers it is for, to the budgets and to the ledger.
    fn post(&mut self, bill: Bill, answers: u32) -> Settled {
        let (cost, charge) = self.charge(bill);
        let certainty = if charge == Charge::Uncertain { Certainty::Uncertain } else { Certainty::Known };
        let Some(reservation) = self.reservation.take() else { return Settled { cost, charge, alerts: Vec::new() } };
        let spent = cost.unwrap_or_default();
        let guard = Arc::clone(&self.guard);
        let alerts = guard.coffer.settle(reservation, spent, certainty, |day, held| {
            // What cost nothing and answered nothing has happened to nobody's account.
            (spent > NanoUsd::ZERO || answers > 0).then(|| self.posting(bill, charge, spent, answers, day, held))?
        });
        for alert in &alerts {
            let BudgetAlert { of, scope, limit, spent } = alert;
            let message = format!("{spent} of the {of}{scope} budget of {limit} are spent");
            self.guard.raise(AlertKind::Budget, About::Everything, message);
        }
        Settled { cost, charge, alerts }
    }

    fn posting(
        &self,
        bill: Bill,
        charge: Charge,
        cost: NanoUsd,
        answers: u32,
        day: i32,
        held: Vec<Arc<Account>>,
    ) -> Option<Posting> {
        let (target, _) = self.place()?;
        let payer = self.payer.as_deref();
        let usage = match bill {
            Bill::Counted(usage) => usage,
            Bill::Nothing | Bill::WorstCase => Usage::default(),
        };
        Some(Posting {
            request: payer.map_or(RequestId(0), |payer| payer.request),
            route: payer.map_or_else(|| "".into(), |payer| Arc::clone(&payer.route)),
            target: Arc::clone(&target.name),
            key: payer.and_then(|payer| payer.key.clone()),
            labels: payer.map_or_else(|| Arc::from([]), |payer| Arc::clone(&payer.labels)),
            day,
            kind: match charge {
                Charge::Exact => PostingKind::Exact,
                Charge::Uncertain => PostingKind::Uncertain,
                Charge::Overrun => PostingKind::Overrun,
            },
            cost,
            usage,
            answers,
            held,
        })
    }

    fn charge(&self, bill: Bill) -> (Option<NanoUsd>, Charge) {
        let Quote::Priced { price, worst_case } = self.quote else { return (None, Charge::Exact) };
        match bill {
            Bill::Nothing => (Some(NanoUsd::ZERO), Charge::Exact),
            Bill::WorstCase => (Some(worst_case), Charge::Uncertain),
            Bill::Counted(usage) => {
                let cost = price.bill(&usage);
                let charge = if cost > worst_case { Charge::Overrun } else { Charge::Exact };
                (Some(cost), charge)
            }
        }
    }
}

impl Bill {
    /// The bill of an attempt that was served: by the provider's count, if it gave one that can be.
    pub(super) fn of(usage: Option<Usage>) -> Self {
        match usage {
            Some(usage) if usage.all_input().saturating_add(usage.output) <= MOST_TOKENS => Self::Counted(usage),
            Some(_) | None => Self::WorstCase,
        }
    }

    /// The bill of an attempt that was sent and failed. An error in place of an answer costs nothing; where an answer had
    /// begun, or may have been made without reaching us, only the provider knows.
    pub(super) fn of_failure(failure: &Failure, has_begun: bool) -> Self {
        let is_error_reply = failure.status.is_some_and(|status| status >= 400);
        match failure.kind {
            FailureKind::Timeout | FailureKind::Connection | FailureKind::Interrupted | FailureKind::MalformedReply => {
                Self::WorstCase
            }
            FailureKind::ContentFiltered if !is_error_reply => Self::WorstCase,
            _ if has_begun => Self::WorstCase,
            FailureKind::RateLimited
            | FailureKind::QuotaExhausted
            | FailureKind::Overloaded
            | FailureKind::ServerError
            | FailureKind::Authentication
            | FailureKind::Permission
            | FailureKind::ModelNotFound
            | FailureKind::ContextLength
            | FailureKind::ContentFiltered
            | FailureKind::InvalidRequest => Self::Nothing,
        }
    }

    /// What it comes to within the limits: what was sent was asked, also where nothing is charged.
    fn used(self) -> Used {
        match self {
            Self::Nothing => Used::Tokens(0),
            Self::Counted(usage) => Used::Tokens(usage.total()),
            Self::WorstCase => Used::Unknown,
        }
    }
}
