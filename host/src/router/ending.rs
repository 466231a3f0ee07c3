//! How a journey ends when nobody has served the request.

use std::sync::Arc;
use std::time::Duration;

use crate::guard::{AttemptKind, Denied};
use crate::types::{AlertKind, Failure, NanoUsd, Outcome, Standing, State, TargetName, Usage};

use super::RouteError;
use super::journey::Journey;
use super::seat::Seat;

impl Journey {
    /// Enters the request as answered.
    pub(super) fn end_served(&mut self, target: &Arc<TargetName>, usage: Option<Usage>, cost: Option<NanoUsd>) {
        if self.route.came_back() {
            self.raise(AlertKind::Recovered, format!("route {} is answered again, by {target}", self.route.name));
        }
        self.story.end_served(target, usage, cost);
    }

    /// What it comes to when nobody has served the request.
    pub(super) fn exhausted(&mut self) -> RouteError {
        let now = self.router.clock.now();
        // What was waited for in vain is limited all the same, and until when is worth knowing.
        self.waited_for.clear();
        let states = self.states(now, NanoUsd::ZERO);
        let waits = states.iter().filter_map(|state| state.standing.wait_ms()).filter(|ms| *ms > 0);
        let retry_after = waits.min().map(|ms| Duration::from_millis(ms.into()));
        let (id, attempts) = (self.story.id(), self.story.attempts().to_vec());
        if now >= self.deadline {
            return RouteError::DeadlineExceeded { id, deadline: self.deadline.since(self.began), attempts };
        }
        if !attempts.is_empty() {
            return RouteError::AllFailed { id, attempts, retry_after };
        }
        if let Some(denied) = self.lacked_money.filter(|_| is_money_all_that_lacks(&states)) {
            if denied == Denied::LedgerUnavailable {
                let fault = self.router.guard.ledger_fault();
                let reason =
                    fault.map_or_else(|| "the ledger does not answer in time".to_owned(), |why| why.to_string());
                return RouteError::LedgerUnavailable { id, reason, attempts };
            }
            let reason = denied.to_string();
            let estimated = states.iter().filter_map(|state| state.estimated_cost).min();
            return RouteError::BudgetExceeded { id, reason, estimated, attempts };
        }
        let seats = self.route.roster.iter().zip(&states);
        let reasons =
            seats.enumerate().map(|(index, (seat, state))| self.reason(index, seat, state.standing)).collect();
        RouteError::Unavailable { id, reasons, retry_after }
    }

    /// Enters the request as failed, unless its caller has a text of their own to fall back on.
    pub(super) fn end_failed(&mut self, error: &RouteError) -> Option<String> {
        let own = self.asked.fallback_text().map(str::to_owned).or_else(|| self.route.fallback_text.clone());
        let text = own.filter(|_| error.is_outage());
        if error.is_everyones_failure() && self.route.went_down() {
            self.raise(AlertKind::EveryProviderDown, format!("route {}: {error}", self.route.name));
        }
        self.story.fail(error.kind(), if text.is_some() { Outcome::Degraded } else { Outcome::Failed });
        text
    }

    pub(super) fn rejected(&self, seat: &Seat, failure: Failure) -> RouteError {
        RouteError::Rejected {
            id: self.story.id(),
            target: Arc::clone(&seat.name),
            failure: Box::new(failure),
            attempts: self.story.attempts().to_vec(),
        }
    }

    pub(super) fn has_larger_window(&self) -> bool {
        let mut seats = self.route.roster.iter().enumerate();
        seats.any(|(index, seat)| self.eligibility.standing(index, &seat.roster).is_none())
    }

    /// A target and why it cannot take the request now.
    fn reason(&self, index: usize, seat: &Seat, standing: Standing) -> String {
        format!("{}: {}", seat.name, self.why(index, seat, standing))
    }

    /// Why a target cannot take the request now.
    pub(super) fn why(&self, index: usize, seat: &Seat, standing: Standing) -> String {
        match standing {
            Standing::Unsupported => {
                let what = self.eligibility.shortfall(index).unwrap_or("its context window is too small");
                format!("cannot serve this request: {what}")
            }
            other => self.denial(index, seat).map_or_else(|| other.name().to_owned(), |denied| denied.to_string()),
        }
    }

    /// The guard's own words for not admitting the request; `None` where it would.
    fn denial(&self, index: usize, seat: &Seat) -> Option<Denied> {
        let (now, wall) = (self.router.clock.now(), self.router.clock.wall());
        let claim = self.claim(index, AttemptKind::Plain, NanoUsd::ZERO);
        self.router.guard.view(seat.target, &claim, now, wall).1
    }
}

/// Whether a target could serve but for the money: it still lacks it, or did a moment ago.
fn is_money_all_that_lacks(states: &[State]) -> bool {
    let is_short = |state: &State| matches!(state.standing, Standing::OverBudget | Standing::Ready);
    let is_tried = |state: &State| state.standing == Standing::Probing;
    states.iter().any(is_short) && !states.iter().any(is_tried)
}
