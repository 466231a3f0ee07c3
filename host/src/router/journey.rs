//! One request on its way: what it has tried, what it may still do, and the question that follows from both.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::accounting::About;
use crate::clock::{Moment, whole_ms};
use crate::guard::{AttemptKind, Denied, Payer};
use crate::types::{
    Again, AlertKind, Ask, AttemptPlan, CandidateRecord, Elsewhere, Event, Failure, FailureKind, NanoUsd, Needs,
    PastAttempt, Standing, Verdict,
};

use super::asked::Asked;
use super::choice::Choice;
use super::eligibility::Eligibility;
use super::endpoint::Endpoint;
use super::leave::{Failed, Leave};
use super::legs::Legs;
use super::route::Route;
use super::seat::Seat;
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
    pub(super) sequence: u64,
    pub(super) began: Moment,
    pub(super) eligibility: Eligibility,
    pub(super) past: Vec<PastAttempt>,
    pub(super) decisions: u32,
    pub(super) note: Vec<u8>,
    pub(super) emergency: bool,
    pub(super) spent: NanoUsd,
    /// What the caller has of an answer that broke off: another target goes on from there.
    pub(super) sent: Option<Transcript>,
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

/// Why an attempt the strategy chose is not made.
#[derive(Debug)]
pub(super) enum Refused {
    /// The request itself rules the target out.
    Unfit(Standing),
    /// The only key left has had its turn in this request.
    NoFreshKey,
    /// The guard does not admit it.
    Guard(Denied),
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
        let shortfalls = router.shortfalls_of(&asked, streaming, &route.roster);
        let roster = route.roster.iter().map(|seat| &seat.roster).zip(shortfalls);
        let eligibility = Eligibility::new(roster, &needs, choice.named);
        let began = router.clock.now();
        let labels: Arc<[(String, String)]> = asked.labels().into();
        let payer = router.guard.payer(story.id(), &route.name, asked.key(), &labels);
        Self {
            deadline: began + asked.deadline().unwrap_or(route.deadline),
            labels,
            payer,
            is_ledger_late: false,
            note: Vec::new(),
            past: Vec::new(),
            spent: NanoUsd::ZERO,
            sent: None,
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
        }
    }

    /// Asks the strategy, unless the answer is plain: the last target has another key to try.
    pub(super) fn decide(&mut self, ask: &Ask) -> Verdict {
        if let Some(plan) = self.other_key.take() {
            return Verdict::Attempt(plan);
        }
        let decider = self.route.decider();
        let ruling = decider.decide(ask);
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
            verdict: self.in_words(ruling.decision.verdict),
            reason: ruling.decision.reason,
        };
        self.story.tell(event);
        self.note = ruling.decision.note;
        ruling.decision.verdict
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
        self.story.tell(Event::Waiting { target: Arc::clone(&seat.name), wait });
        let until = (self.router.clock.now() + wait).min(self.deadline);
        self.router.clock.sleep_until(until).await;
    }

    /// Asks the guard for leave to send, beside those under way.
    pub(super) fn admit<R>(&mut self, plan: &AttemptPlan, legs: &Legs<R>) -> Result<Leave, Refused> {
        let seat = self.route.roster.get(plan.target as usize).cloned();
        let router = Arc::clone(&self.router);
        let reachable = seat.and_then(|seat| Some((router.endpoint(&seat)?, seat)));
        let Some((endpoint, seat)) = reachable else { return Err(Refused::Unfit(Standing::Disabled)) };
        if let Some(standing) = self.eligibility.standing(plan.target as usize, &seat.roster) {
            return Err(Refused::Unfit(standing));
        }
        let last = self.past.iter().rfind(|past| past.target == plan.target).map(|past| past.failure);
        // The same request with another account's key is no retry.
        let needs_other_key = last.is_some_and(|failure| failure.again() == Again::OtherKey);
        let has_other_key = last.is_some_and(wants_other_key) && self.has_fresh_key(endpoint);
        let kind = match last {
            _ if !legs.is_empty() => AttemptKind::Hedge,
            Some(_) if !has_other_key => AttemptKind::Retry,
            Some(_) | None => AttemptKind::Plain,
        };
        let claim = self.claim(&seat, kind, legs.worst_case());
        let (now, wall) = (router.clock.now(), router.clock.wall());
        let permit = router.guard.admit(seat.target, &claim, now, wall).map_err(Refused::Guard)?;
        let key = permit.key().map(|key| key.name.clone());
        if needs_other_key && key.as_ref().is_none_or(|key| self.used_keys.contains(key)) {
            return Err(Refused::NoFreshKey);
        }
        self.used_keys.extend(key);
        Ok(Leave { permit, seat })
    }

    /// Waits until the ledger has lent what a target's budgets lack, or refused it, for a while at most.
    pub(super) async fn refill(&mut self, plan: &AttemptPlan) {
        let Some(seat) = self.seat(plan) else { return };
        let router = Arc::clone(&self.router);
        let until = (router.clock.now() + LONGEST_REFILL).min(self.deadline);
        let Some(asked) = self.ask_ledger(&seat) else { return };
        tokio::select! {
            // An error says that the ledger cannot be written, which the guard knows by then.
            _ = asked => {}
            () = router.clock.sleep_until(until) => self.is_ledger_late = true,
        }
    }

    /// The seat of a plan's target.
    pub(super) fn seat(&self, plan: &AttemptPlan) -> Option<Seat> {
        self.route.roster.get(plan.target as usize).cloned()
    }

    /// Asks the ledger for what a target's budgets lack.
    pub(super) fn ask_ledger(&self, seat: &Seat) -> Option<oneshot::Receiver<()>> {
        let claim = self.claim(seat, AttemptKind::Plain, NanoUsd::ZERO);
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
            () = self.router.guard.probe_ended(seat.target) => {}
            () = deadline => return,
        }
        let spread = self.router.random.next() % u64::try_from(SPREAD_AFTER_PROBE.as_millis()).unwrap_or(1);
        let until = self.router.clock.now() + Duration::from_millis(spread);
        self.router.clock.sleep_until(until.min(self.deadline)).await;
    }

    /// Tells why an attempt is not made.
    pub(super) fn tell_refused(&mut self, plan: &AttemptPlan, refused: &Refused) {
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
        let Failed { failure, took, cost } = failed;
        let Some(seat) = self.route.roster.get(plan.target as usize).cloned() else { return Ok(()) };
        self.story.failed(&seat.name, &failure, took);
        if self.learn(plan, &seat, &failure, took, cost) == Onward::Nowhere {
            self.cancel(legs);
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
        self.spent = self.spent.saturating_add(cost);
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

    /// Whether a provider has a key that this request has not used.
    fn has_fresh_key(&self, endpoint: &Endpoint) -> bool {
        endpoint.key_names.iter().any(|key| !self.used_keys.contains(key))
    }

    pub(super) fn attempt_number(&self, in_flight: usize) -> u32 {
        u32::try_from(self.past.len() + in_flight).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn in_words(&self, verdict: Verdict) -> String {
        match verdict {
            Verdict::Attempt(plan) => match self.route.roster.get(plan.target as usize) {
                Some(seat) => format!("attempt {}", seat.name),
                None => format!("attempt target {}", plan.target),
            },
            Verdict::Hold => "hold".to_owned(),
            Verdict::GiveUp => "give up".to_owned(),
        }
    }
}

/// Whether a failure is the key's rather than the target's, so that another key may do at once.
fn wants_other_key(kind: FailureKind) -> bool {
    kind == FailureKind::RateLimited || kind.again() == Again::OtherKey
}

impl Refused {
    fn standing(&self) -> Standing {
        match self {
            Self::Unfit(standing) => *standing,
            Self::NoFreshKey => Standing::Spent,
            Self::Guard(denied) => denied.standing(),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unfit(standing) => write!(f, "{} for this request", standing.name()),
            Self::NoFreshKey => f.write_str("its keys have had their turns"),
            Self::Guard(denied) => write!(f, "{denied}"),
        }
    }
}
