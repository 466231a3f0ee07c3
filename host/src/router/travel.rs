//! THE loop: asks the strategy, the guard and the targets, until one has answered.

use std::sync::Arc;

use crate::cache::Claim;
use crate::guard::Denied;
use crate::provider::Completion;
use crate::types::{AttemptPlan, NanoUsd, Standing, Usage, Verdict};

use super::RouteError;
use super::answer::Answer;
use super::attempt::Shape;
use super::journey::Journey;
use super::legs::{Legs, Next};
use super::refused::Refused;
use super::report::Report;
use super::served::Served;

impl Journey {
    /// Travels until a target has served. Bounded by attempts, decisions and the deadline; every way out of it is a value.
    pub(super) async fn travel<S: Shape>(&mut self) -> Result<Served<S::Received>, RouteError> {
        let mut legs = Legs::none();
        while let Some(ask) = self.question(&legs) {
            match self.decide(&ask) {
                Verdict::Attempt(plan) if legs.is_empty() => {
                    let shown = ask.states.get(plan.target as usize).map(|state| state.standing);
                    self.start::<S>(&plan, shown, &mut legs).await;
                }
                Verdict::Attempt(plan) => self.hedge::<S>(&plan, &mut legs),
                Verdict::Hold | Verdict::GiveUp if legs.is_empty() => break,
                Verdict::Hold | Verdict::GiveUp => legs.hold(),
            }
            if let Some(served) = self.meet(&mut legs).await? {
                return Ok(served);
            }
        }
        // No further attempt is allowed; those under way may still serve.
        while !legs.is_empty() {
            legs.hold();
            if let Some(served) = self.meet(&mut legs).await? {
                return Ok(served);
            }
        }
        Err(self.exhausted())
    }

    /// Starts the only attempt under way, after the wait it was given, or when its turn has come. `shown` is how the target
    /// stood when the strategy chose it.
    async fn start<S: Shape>(&mut self, plan: &AttemptPlan, shown: Option<Standing>, legs: &mut Legs<S::Received>) {
        let mut admitted = self.leave_in_turn(plan, shown, legs).await;
        while !self.is_ledger_late && matches!(admitted, Err(Refused::Guard(Denied::Short))) {
            self.refill(plan).await;
            admitted = self.admit(plan, legs, None);
        }
        match admitted {
            Ok(leave) => self.set_out::<S>(plan, leave, legs),
            Err(refused) => self.refused(plan, &refused).await,
        }
    }

    /// Starts a second attempt beside the one under way, at once or not at all.
    fn hedge<S: Shape>(&mut self, plan: &AttemptPlan, legs: &mut Legs<S::Received>) {
        match self.admit(plan, legs, None) {
            Ok(leave) => self.set_out::<S>(plan, leave, legs),
            Err(refused) => {
                // What is lent of a budget is used up: more is there for the next request.
                if let Refused::Guard(Denied::Short) = refused {
                    drop(self.ask_ledger(plan));
                }
                self.tell_refused(plan, &refused);
                legs.hold();
            }
        }
    }

    /// Waits for what comes first: an answer, which ends all other attempts; a failure, which is remembered; or the time to ask
    /// for a second attempt.
    ///
    /// # Errors
    /// When no other target may have the request: it was refused on its own account.
    async fn meet<R>(&mut self, legs: &mut Legs<R>) -> Result<Option<Served<R>>, RouteError> {
        let clock = Arc::clone(&self.router.clock);
        match legs.next(&*clock).await {
            Next::Served(served) => {
                self.story.served(&served.target, clock.now().since(served.sent));
                self.cancel(legs).into_iter().for_each(Report::outrun);
                self.remember_success(&served);
                Ok(Some(*served))
            }
            Next::Failed(plan, failed) => {
                self.remember(&plan, *failed, legs)?;
                Ok(None)
            }
            Next::HedgeDue | Next::Nothing => Ok(None),
        }
    }

    /// Gives up the attempts that another one was faster than: nobody knows what they cost, so they cost their worst case.
    /// What is to be told of them comes back.
    pub(super) fn cancel<R>(&mut self, legs: &mut Legs<R>) -> Vec<Report> {
        let now = self.router.clock.now();
        let given_up = std::mem::replace(legs, Legs::none());
        self.spend(given_up.worst_case());
        let given_up = given_up.give_up().into_iter();
        let told = given_up.map(|leg| {
            self.story.cancelled(&leg.target, now.since(leg.sent));
            leg.report
        });
        told.flatten().collect()
    }

    fn remember_success<R>(&self, served: &Served<R>) {
        let prefer_for = self.route.prefer_for;
        if !prefer_for.is_zero() {
            self.router.guard.prefer(&self.route.name, served.id, prefer_for, self.router.clock.now());
        }
    }

    /// Settles a whole reply and makes it an answer; with a claim, it is kept as well.
    pub(super) fn arrive(mut self, served: Served<Completion>, claim: Option<Claim>) -> Answer {
        let Completion { usage, .. } = served.received;
        let target = Arc::clone(&served.target);
        let (received, cost) = self.settle(served, usage);
        if let Some(claim) = claim {
            self.keep_whole(claim, &target, &received);
        }
        Answer { text: received.text, target: Some(target), usage, cost, body: received.body, ..Answer::empty(&self) }
    }

    /// Settles what came whole: what of it is left, and what the request has cost.
    pub(super) fn settle<R>(&mut self, served: Served<R>, usage: Option<Usage>) -> (R, Option<NanoUsd>) {
        let (now, wall) = (self.router.clock.now(), self.router.clock.wall());
        let settled = served.flight.served(usage, served.quota_left, now, wall);
        served.report.into_iter().for_each(|report| report.served(usage, settled.cost));
        self.spend(settled.cost.unwrap_or_default());
        let cost = settled.cost.map(|_| self.spent);
        self.end_served(&served.target, usage, cost);
        (served.received, cost)
    }
}
