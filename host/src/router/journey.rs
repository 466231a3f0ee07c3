//! One request on its way: what it has tried, what it may still do, and the question that follows from both.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::accounting::About;
use crate::accounting::recording::Decided;
use crate::clock::{Moment, whole_ms};
use crate::guard::{AttemptKind, Claim, Denied, Payer, Place};
use crate::strategy::Ruling;
use crate::types::{
    Again, AlertKind, Ask, AttemptPlan, CandidateRecord, Elsewhere, Event, Failure, FailureKind, NanoUsd, Needs,
    PastAttempt, Standing, Verdict,
};

use super::asked::Asked;
use super::choice::Choice;
use super::decider::Decider;
use super::eligibility::Eligibility;
use super::endpoint::Endpoint;
use super::leave::{Failed, Leave};
use super::legs::Legs;
use super::output::Output;
use super::refused::Refused;
use super::route::Route;
use super::seat::{Seat, in_words};
use super::story::Story;
use super::transcript::Transcript;
use super::{RouteError, Router};

/// Requests that waited for the same probe are let go over this long, so that a recovery is not greeted by a herd.
const SPREAD_AFTER_PROBE: Duration = Duration::from_millis(600);

/// How long a request waits for the ledger at most.
const LONGEST_REFILL: Duration = Duration::from_secs(5);

/// One request on its way.
pub(super) struct Journey {
    pub(super) router: Arc<Router>,
    pub(super) route: Arc<Route>,
    pub(super) asked: Asked,
    pub(super) streaming: bool,
    pub(super) story: Story,
    pub(super) deadline: Moment,
    pub(super) needs: Needs,
    pub(super) labels: Arc<[(String, String)]>,
    /// Whose budgets it draws on.
    pub(super) payer: Arc<Payer>,
    /// The ledger has not answered in time: nothing that costs anything is tried any more.
    pub(super) is_ledger_late: bool,
    /// Why money last stood in the way. Others' reservations come and go: what it did not fit may look free a moment later.
    pub(super) lacked_money: Option<Denied>,
    pub(super) sequence: u64,
    pub(super) began: Moment,
    pub(super) eligibility: Eligibility,
    /// What its answers may have at each seat.
    pub(super) outputs: Vec<Output>,
    pub(super) past: Vec<PastAttempt>,
    pub(super) decisions: u32,
    pub(super) note: Vec<u8>,
    pub(super) emergency: bool,
    pub(super) spent: NanoUsd,
    /// What the caller has of an answer that broke off: another target goes on from there.
    pub(super) sent: Option<Transcript>,
    /// Seats whose provider's line the request has waited in, in vain.
    pub(super) waited_for: Vec<u32>,
    used_keys: Vec<String>,
    other_key: Option<AttemptPlan>,
}

/// Whether another attempt makes sense after a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onward {
    /// It does, as far as the failure goes.
    Anywhere,
    /// Every other target would say the same, or may not be asked.
    Nowhere,
}

impl Journey {
    pub(super) fn new(
        router: Arc<Router>,
        asked: Asked,
        streaming: bool,
        choice: Choice,
        story: Story,
        sequence: u64,
    ) -> Self {
        let route = choice.route;
        let needs = router.needs_of(&asked);
        let outlooks = router.outlooks_of(&asked, streaming, &route.roster).into_iter();
        let (shortfalls, outputs): (Vec<_>, Vec<_>) = outlooks.map(|seat| (seat.shortfall, seat.output)).unzip();
        let roster = route.roster.iter().map(|seat| &seat.roster).zip(shortfalls);
        let eligibility = Eligibility::new(roster, &needs, choice.named);
        let began = router.clock.now();
        let labels = story.labels();
        let payer = router.guard.payer(story.id(), &route.name, asked.key(), &labels);
        Self {
            deadline: began + asked.deadline().unwrap_or(route.deadline),
            labels,
            payer,
            is_ledger_late: false,
            lacked_money: None,
            note: Vec::new(),
            past: Vec::new(),
            spent: NanoUsd::ZERO,
            sent: None,
            waited_for: Vec::new(),
            used_keys: Vec::new(),
            other_key: None,
            decisions: 0,
            emergency: false,
            router,
            route,
            asked,
            streaming,
            story,
            needs,
            sequence,
            began,
            eligibility,
            outputs,
        }
    }

    /// Asks the strategy, unless the answer is plain: the last target has another key to try.
    pub(super) fn decide(&mut self, ask: &Ask) -> Verdict {
        if let Some(plan) = self.other_key.take() {
            return Verdict::Attempt(plan);
        }
        let decider = self.route.decider();
        let ruling = decider.decide(ask, self.asked.chat());
        self.show_others(&decider, ask, &ruling);
        if ruling.is_quarantined_now {
            let name = &decider.name;
            self.raise(
                AlertKind::StrategyQuarantined,
                format!("strategy {name} is quarantined until it is loaded again"),
            );
        }
        if let Some(message) = ruling.fault {
            self.story.tell(Event::StrategyFault { message: message.to_string() });
        }
        let seats = self.route.roster.iter().zip(&ask.states).enumerate();
        let candidates = seats.map(|(index, (seat, state))| CandidateRecord {
            target: Arc::clone(&seat.name),
            standing: state.standing,
            estimated_cost: state.estimated_cost,
            why: self.eligibility.shortfall(index).map(Into::into),
        });
        let event = Event::Decided {
            candidates: candidates.collect(),
            verdict: in_words(ruling.decision.verdict, &self.route.roster),
            reason: ruling.decision.reason,
            state: ruling.read,
        };
        self.story.tell(event);
        self.note = ruling.decision.note;
        ruling.decision.verdict
    }

    /// Tells of a decision those who have no part in it: the recording, and the strategy in the shadow.
    fn show_others(&self, decider: &Decider, ask: &Ask, ruling: &Ruling) {
        let verdict = ruling.decision.verdict;
        if let Some(recorder) = &self.router.recorder {
            let decided =
                Decided { request: self.story.id(), ask: ask.clone(), verdict, is_fault: ruling.fault.is_some() };
            recorder.decided(decider.panel(&self.route.name, &self.route.roster), decided);
        }
        if let Some(shadow) = self.route.shadow() {
            shadow.ask(self.story.id(), ask, self.asked.chat(), verdict);
        }
    }

    /// Tells the operator something about the request's route.
    pub(super) fn raise(&self, kind: AlertKind, message: String) {
        self.router.accounts.alarm().raise(kind, About::Route(&self.route.name), message);
    }

    /// Waits as the strategy asked, to the deadline at most.
    pub(super) async fn wait(&mut self, plan: &AttemptPlan) {
        let Some(seat) = self.route.roster.get(plan.target as usize) else { return };
        if plan.after_ms == 0 {
            return;
        }
        let wait = Duration::from_millis(plan.after_ms.into());
        self.story.tell(Event::Waiting { target: Arc::clone(&seat.name), wait, ahead: None });
        let until = (self.router.clock.now() + wait).min(self.deadline);
        self.router.clock.sleep_until(until).await;
    }

    /// Asks the guard for leave to send, beside those under way; in its turn, where the request has a place in line.
    pub(super) fn admit<R>(
        &mut self,
        plan: &AttemptPlan,
        legs: &Legs<R>,
        place: Option<&Place>,
    ) -> Result<Leave, Refused> {
        let seat = self.route.roster.get(plan.target as usize).cloned();
        let router = Arc::clone(&self.router);
        let reachable = seat.filter(|seat| router.endpoint(seat).is_some());
        let Some(seat) = reachable else { return Err(Refused::Unfit(Standing::Disabled)) };
        if let Some(standing) = self.eligibility.standing(plan.target as usize, &seat.roster) {
            return Err(Refused::Unfit(standing));
        }
        let needs_other_key = self.last_failure_at(plan).is_some_and(|failure| failure.again() == Again::OtherKey);
        let claim = self.claim_of_attempt(plan, &seat, legs);
        let (now, wall) = (router.clock.now(), router.clock.wall());
        let admitted = match place {
            Some(place) => place.admit(&claim, now, wall),
            None => router.guard.admit(seat.target, &claim, now, wall),
        };
        let permit = admitted.map_err(Refused::Guard)?;
        let key = permit.key().map(|key| key.name.clone());
        if needs_other_key && key.as_ref().is_none_or(|key| self.used_keys.contains(key)) {
            return Err(Refused::NoFreshKey);
        }
        self.used_keys.extend(key);
        Ok(Leave { permit, seat })
    }

    /// What the attempt asks of the guard.
    pub(super) fn claim_of_attempt<R>(&self, plan: &AttemptPlan, seat: &Seat, legs: &Legs<R>) -> Claim<'_> {
        let last = self.last_failure_at(plan);
        // The same request with another account's key is no retry.
        let fresh_key = || self.router.endpoint(seat).is_some_and(|endpoint| self.has_fresh_key(endpoint));
        let has_other_key = last.is_some_and(wants_other_key) && fresh_key();
        let kind = match last {
            _ if !legs.is_empty() => AttemptKind::Hedge,
            Some(_) if !has_other_key => AttemptKind::Retry,
            Some(_) | None => AttemptKind::Plain,
        };
        self.claim(plan.target as usize, kind, legs.worst_case())
    }

    fn last_failure_at(&self, plan: &AttemptPlan) -> Option<FailureKind> {
        self.past.iter().rfind(|past| past.target == plan.target).map(|past| past.failure)
    }

    /// Waits until the ledger has lent what a target's budgets lack, or refused it, for a while at most.
    pub(super) async fn refill(&mut self, plan: &AttemptPlan) {
        let router = Arc::clone(&self.router);
        let until = (router.clock.now() + LONGEST_REFILL).min(self.deadline);
        let Some(asked) = self.ask_ledger(plan) else { return };
        tokio::select! {
            biased;
            // An error says that there is nobody to lend any more, or nobody who can.
            lent = asked => self.is_ledger_late |= lent.is_err(),
            () = router.clock.sleep_until(until) => self.is_ledger_late = true,
        }
    }

    /// Asks the ledger for what the budgets of a plan's target lack.
    pub(super) fn ask_ledger(&self, plan: &AttemptPlan) -> Option<oneshot::Receiver<()>> {
        let seat = self.route.roster.get(plan.target as usize)?;
        let claim = self.claim(plan.target as usize, AttemptKind::Plain, NanoUsd::ZERO);
        self.router.guard.ask(seat.target, &claim, self.router.clock.wall())
    }

    /// Tells why an attempt is not made, and waits where the strategy chose to wait for another request's probe.
    pub(super) async fn refused(&mut self, plan: &AttemptPlan, refused: &Refused) {
        self.tell_refused(plan, refused);
        let Some(seat) = self.route.roster.get(plan.target as usize).cloned() else { return };
        if !matches!(refused, Refused::Guard(Denied::Probing)) {
            return;
        }
        let deadline = self.router.clock.sleep_until(self.deadline);
        tokio::select! {
            biased;
            () = self.router.guard.probe_ended(seat.target) => {}
            () = deadline => return,
        }
        let spread = self.router.random.next() % u64::try_from(SPREAD_AFTER_PROBE.as_millis()).unwrap_or(1);
        let until = self.router.clock.now() + Duration::from_millis(spread);
        self.router.clock.sleep_until(until.min(self.deadline)).await;
    }

    /// Tells why an attempt is not made.
    pub(super) fn tell_refused(&mut self, plan: &AttemptPlan, refused: &Refused) {
        if let Refused::Guard(denied) = refused
            && denied.standing() == Standing::OverBudget
        {
            self.lacked_money = Some(*denied);
        }
        if let Some(seat) = self.route.roster.get(plan.target as usize) {
            let (target, standing) = (Arc::clone(&seat.name), refused.standing());
            self.story.tell(Event::Denied { target, standing, why: refused.to_string() });
        }
    }

    /// Takes in a failed attempt.
    ///
    /// # Errors
    /// When no other target may have the request: it was refused on its own account. Those under way are given up.
    pub(super) fn remember<R>(
        &mut self,
        plan: &AttemptPlan,
        failed: Failed,
        legs: &mut Legs<R>,
    ) -> Result<(), RouteError> {
        let Failed { failure, took, cost, is_out_of_time, report } = failed;
        if let Some(report) = report.filter(|_| !is_out_of_time) {
            report.failed(failure.kind, cost);
        }
        let Some(seat) = self.route.roster.get(plan.target as usize).cloned() else { return Ok(()) };
        self.story.failed(&seat.name, &failure, took);
        if self.learn(plan, &seat, &failure, took, cost.unwrap_or_default()) == Onward::Nowhere {
            // Nobody was faster: what was under way is told as abandoned.
            drop(self.cancel(legs));
            return Err(self.rejected(&seat, failure));
        }
        let router = Arc::clone(&self.router);
        let has_other_key = router.endpoint(&seat).is_some_and(|endpoint| self.has_fresh_key(endpoint));
        if wants_other_key(failure.kind) && has_other_key {
            self.other_key = Some(AttemptPlan { after_ms: 0, ..*plan });
        }
        Ok(())
    }

    /// Learns from a failed attempt what the request may still do.
    pub(super) fn learn(
        &mut self,
        plan: &AttemptPlan,
        seat: &Seat,
        failure: &Failure,
        took: Duration,
        cost: NanoUsd,
    ) -> Onward {
        self.spend(cost);
        self.past.push(PastAttempt {
            target: plan.target,
            failure: failure.kind,
            took_ms: whole_ms(took),
            retry_after_ms: failure.retry_after.map(whole_ms),
        });
        self.eligibility.learn(plan.target as usize, &seat.roster, failure);
        match failure.kind.elsewhere() {
            Elsewhere::Nowhere => Onward::Nowhere,
            Elsewhere::IfRouteAllows if !self.route.content_filter_falls_back => Onward::Nowhere,
            Elsewhere::LargerWindow if !self.has_larger_window() => Onward::Nowhere,
            Elsewhere::IfRouteAllows | Elsewhere::LargerWindow | Elsewhere::Any => Onward::Anywhere,
        }
    }

    /// Enters what an attempt has cost, where its caller can read it, too.
    pub(super) fn spend(&mut self, cost: NanoUsd) {
        self.spent = self.spent.saturating_add(cost);
        if let Some(purse) = self.asked.purse() {
            purse.enter(self.spent);
        }
    }

    /// Whether a provider has a key that this request has not used.
    fn has_fresh_key(&self, endpoint: &Endpoint) -> bool {
        endpoint.key_names.iter().any(|key| !self.used_keys.contains(key))
    }

    pub(super) fn attempt_number(&self, in_flight: usize) -> u32 {
        u32::try_from(self.past.len() + in_flight).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// Whether a failure is the key's rather than the target's, so that another key may do at once.
fn wants_other_key(kind: FailureKind) -> bool {
    kind == FailureKind::RateLimited || kind.again() == Again::OtherKey
}
