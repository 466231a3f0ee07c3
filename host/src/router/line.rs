//! Waiting in line at a target whose provider is at the operator's limit, where the operator has a line there.

use std::sync::Arc;
use std::time::Duration;

use crate::guard::Denied;
use crate::types::{AttemptPlan, Event, Standing, State};

use super::journey::Journey;
use super::leave::Leave;
use super::legs::Legs;
use super::refused::Refused;

/// By which labels askers are told apart, the first that a request has: those of one key, or of one context, are equals.
const ASKERS: [&str; 2] = ["gateway-key", "context"];

impl Journey {
    /// Waits as the strategy asked and asks the guard for leave. A target that is limited is waited for in its provider's line
    /// where there is one: there turns come in order, which waits that each request chooses for itself cannot promise.
    pub(super) async fn leave_in_turn<R>(
        &mut self,
        plan: &AttemptPlan,
        shown: Option<Standing>,
        legs: &mut Legs<R>,
    ) -> Result<Leave, Refused> {
        let patience = self.patience(plan);
        if let (Some(Standing::Limited(_)), Some(patience)) = (shown, patience) {
            return Box::pin(self.line_up(plan, patience, legs)).await;
        }
        self.wait(plan).await;
        match (self.admit(plan, legs, None), patience) {
            // Boxed: few requests wait in line, and all would have to have room for it.
            (Err(Refused::Guard(Denied::Limited(_))), Some(patience)) => {
                Box::pin(self.line_up(plan, patience, legs)).await
            }
            (admitted, _) => admitted,
        }
    }

    /// Who has waited in line in vain is shown that target as having had its turn: the wait is over.
    pub(super) fn hold_back_those_waited_for(&self, states: &mut [State]) {
        for seat in &self.waited_for {
            if let Some(state) = states.get_mut(*seat as usize)
                && matches!(state.standing, Standing::Limited(_))
            {
                state.standing = Standing::Spent;
            }
        }
    }

    /// How long the request may wait in the line of a target's provider; `None` where it has none.
    fn patience(&self, plan: &AttemptPlan) -> Option<Duration> {
        let seat = self.route.roster.get(plan.target as usize)?;
        self.router.guard.patience(seat.target)
    }

    async fn line_up<R>(
        &mut self,
        plan: &AttemptPlan,
        patience: Duration,
        legs: &mut Legs<R>,
    ) -> Result<Leave, Refused> {
        let admitted = self.wait_in_line(plan, patience, legs).await;
        if let Err(Refused::NoPlace(_) | Refused::InVain(_)) = admitted {
            self.give_up_waiting_for_provider_of(plan);
        }
        admitted
    }

    async fn wait_in_line<R>(
        &mut self,
        plan: &AttemptPlan,
        patience: Duration,
        legs: &mut Legs<R>,
    ) -> Result<Leave, Refused> {
        let router = Arc::clone(&self.router);
        let clock = &*router.clock;
        let Some(seat) = self.route.roster.get(plan.target as usize).cloned() else {
            return Err(Refused::Unfit(Standing::Disabled));
        };
        let began = clock.now();
        let patience = patience.min(self.deadline.since(began));
        let until = began + patience;
        let claim = self.claim_of_attempt(plan, &seat, legs);
        let place =
            router.guard.line_up(seat.target, &claim, self.asker(), patience, began).map_err(Refused::NoPlace)?;
        let target = Arc::clone(&seat.name);
        self.story.tell(Event::Waiting { target, wait: patience, ahead: Some(place.ahead) });
        loop {
            let wait = match self.admit(plan, legs, Some(&place)) {
                Err(Refused::Guard(Denied::Limited(wait))) => wait,
                // Its turn has come: it keeps the place while the ledger lends what the budget lacks.
                Err(Refused::Guard(Denied::Short)) if !self.is_ledger_late => {
                    if clock.now() >= until {
                        return Err(Refused::InVain(patience));
                    }
                    tokio::select! {
                        biased;
                        () = self.refill(plan) => {}
                        () = clock.sleep_until(until) => {}
                    }
                    tokio::task::yield_now().await;
                    continue;
                }
                admitted => return admitted,
            };
            let now = clock.now();
            if now >= until {
                return Err(Refused::InVain(patience));
            }
            let look_again = clock.sleep_until((now + wait).min(until));
            tokio::select! {
                biased;
                () = place.called() => {}
                () = look_again => {}
            }
        }
    }

    /// Nobody waits twice: the line is the provider's, and so is what the wait has shown.
    fn give_up_waiting_for_provider_of(&mut self, plan: &AttemptPlan) {
        let Some(seat) = self.route.roster.get(plan.target as usize) else { return };
        let places = (0..).zip(&self.route.roster).filter(|(_, other)| other.name.provider == seat.name.provider);
        self.waited_for.extend(places.map(|(place, _)| place));
    }

    fn asker(&self) -> Arc<str> {
        let label = |name: &&str| self.labels.iter().find(|(label, _)| label == name).map(|(_, text)| text.as_str());
        ASKERS.iter().find_map(label).unwrap_or_default().into()
    }
}
