//! One decision in the making: the policy, the question, and the strategy's order.

use super::{Fallback, Order};
use crate::{Ask, Candidate, Decision, Failure, Select, Standing, words};

/// How long the result of another request's probe is taken to be away, in milliseconds, where nothing was measured.
const PROBE_MS: u32 = 1_000;

/// Of so many requests, one goes by the plain order, whatever trouble is to be avoided.
const PLAIN_EVERY: u64 = 16;

pub(super) struct Turn<'p, 'a, O> {
    policy: &'p Fallback,
    ask: Ask<'a>,
    order: &'p O,
    /// The first in order, where it goes before the preferred one.
    leader: Option<u32>,
    avoids_trouble: bool,
}

/// What goes before the strategy's own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Primary,
    Preferred,
    Rest,
}

impl<'p, 'a, O: Order> Turn<'p, 'a, O> {
    pub(super) fn new(policy: &'p Fallback, ask: Ask<'a>, order: &'p O) -> Self {
        let options = &policy.options;
        let leads = options.sticky && ask.preferred.is_some() && policy.primary.is_empty();
        let lasting =
            || ask.candidates().filter(|c| !matches!(c.standing(), Standing::Disabled | Standing::Unsupported));
        let leader = if leads { lasting().least_by(|candidate| order.rank(candidate)) } else { None };
        Self {
            policy,
            ask,
            order,
            leader: leader.map(|candidate| candidate.index()),
            avoids_trouble: options.avoid_trouble && ask.sequence % PLAIN_EVERY != PLAIN_EVERY - 1,
        }
    }

    /// Goes on to the first in order that is ready and has not been tried.
    pub(super) fn go_on(&self) -> Option<Decision> {
        let candidate = self.first(self.eligible().ready().untried())?;
        Some(Decision::attempt(&candidate).because(self.reason(&candidate)))
    }

    /// Asks a second target while the first goes on.
    pub(super) fn hedge(&self) -> Option<Decision> {
        let candidate = self.first(self.eligible().ready().untried())?;
        let reason = ["in parallel: ", &self.reason(&candidate)].concat();
        Some(Decision::attempt(&candidate).because(reason))
    }

    /// Comes back to one that is ready and was tried: the least tried first.
    pub(super) fn come_back(&self) -> Option<Decision> {
        let candidate = self.least_tried(self.eligible().ready().filter(|c| self.policy.may_return(&self.ask, c)))?;
        let delay = self.policy.delay_ms(&self.ask, &candidate);
        self.ask.has_time_for(delay).then(|| again(&candidate, delay))
    }

    /// Tries one that is left alone, where the operator allows that and nothing is ready: the least tried first.
    pub(super) fn try_anyway(&self) -> Option<Decision> {
        if !self.ask.emergency {
            return None;
        }
        let open = self.eligible().filter(|candidate| {
            matches!(candidate.standing(), Standing::CoolingDown(0) | Standing::Tripped(0))
                && (candidate.is_untried() || self.policy.may_insist(&self.ask, candidate))
        });
        let candidate = self.least_tried(open)?;
        let delay = if candidate.is_untried() { 0 } else { self.policy.delay_ms(&self.ask, &candidate) };
        let decision = Decision::attempt(&candidate).after_ms(delay);
        self.ask.has_time_for(delay).then(|| decision.because("emergency: nothing is ready"))
    }

    /// Waits for the one that is back soonest, within the deadline.
    pub(super) fn wait(&self) -> Option<Decision> {
        let coming = self.eligible().filter(|c| c.is_untried() || self.policy.may_return(&self.ask, c));
        let away = coming.filter(|c| self.away_ms(c).is_some_and(|ms| self.ask.has_time_for(ms)));
        let candidate = away.least_by(|candidate| (self.away_ms(candidate), self.position(candidate)))?;
        match candidate.standing() {
            Standing::Probing => Some(Decision::attempt(&candidate).because("waiting for another request's probe")),
            _ => self.policy.wait_for(&self.ask, &candidate, "nothing else is ready"),
        }
    }

    /// Ends the request, with what kept it from going on.
    pub(super) fn give_up(&self) -> Decision {
        let soonest = self.eligible().filter(|candidate| !candidate.is_ready()).soonest();
        let reason = match soonest.and_then(|candidate| candidate.standing().wait_ms()) {
            Some(ms) if !self.ask.has_time_for(ms) => {
                ["nothing is ready, and in ", &words::length(ms), " it would be too late"].concat()
            }
            Some(ms) => ["nothing is ready, the next may be in ", &words::length(ms)].concat(),
            None if self.ask.attempts.is_empty() => "no target can take this request".to_owned(),
            None => "every target has had its turn".to_owned(),
        };
        Decision::give_up().because(reason)
    }

    /// Those this request could go to at all.
    fn eligible(&self) -> impl Iterator<Item = Candidate<'a>> {
        self.ask.candidates().idle().filter(Candidate::is_large_enough)
    }

    fn first(&self, candidates: impl Iterator<Item = Candidate<'a>>) -> Option<Candidate<'a>> {
        candidates.least_by(|candidate| self.position(candidate))
    }

    fn least_tried(&self, candidates: impl Iterator<Item = Candidate<'a>>) -> Option<Candidate<'a>> {
        candidates.least_by(|candidate| (candidate.attempts(), self.position(candidate)))
    }

    /// Where a candidate stands in line: the least goes first.
    fn position(&self, candidate: &Candidate<'_>) -> (bool, Precedence, bool, O::Rank) {
        let precedence = self.precedence(candidate);
        let is_troubled = self.avoids_trouble && precedence != Precedence::Primary && candidate.is_troubled();
        (self.has_left_provider_of(candidate), precedence, is_troubled, self.order.rank(candidate))
    }

    fn precedence(&self, candidate: &Candidate<'_>) -> Precedence {
        if self.policy.is_primary(candidate) || self.leader == Some(candidate.index()) {
            Precedence::Primary
        } else if self.policy.options.sticky && candidate.is_preferred() {
            Precedence::Preferred
        } else {
            Precedence::Rest
        }
    }

    /// Whether this request has failed at the candidate's provider for a reason that its other models share.
    fn has_left_provider_of(&self, candidate: &Candidate<'_>) -> bool {
        self.policy.options.leave_provider
            && self.ask.attempts.iter().any(|attempt| {
                !matches!(attempt.failure, Failure::ModelNotFound | Failure::ContextLength)
                    && self.ask.target(attempt.target).is_some_and(|tried| tried.provider == candidate.provider)
            })
    }

    /// Milliseconds until a candidate may be back, where waiting for it makes sense. A tripped one may well not be back.
    fn away_ms(&self, candidate: &Candidate<'_>) -> Option<u32> {
        match candidate.standing() {
            Standing::CoolingDown(ms) | Standing::Limited(ms) => Some(ms),
            Standing::OutOfQuota(ms) if ms <= self.policy.options.patience.ms() => Some(ms),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from f32 saturates")]
            Standing::Probing => Some(candidate.state().first_token_ms.map_or(PROBE_MS, |ms| ms as u32)),
            Standing::Ready
            | Standing::Tripped(_)
            | Standing::OutOfQuota(_)
            | Standing::OverBudget
            | Standing::Unsupported
            | Standing::Spent
            | Standing::Disabled => None,
        }
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        let mut reason = match self.precedence(candidate) {
            Precedence::Primary if self.policy.is_primary(candidate) => "primary".to_owned(),
            Precedence::Preferred => "served last".to_owned(),
            Precedence::Primary | Precedence::Rest => self.order.reason(candidate),
        };
        if let Some(last) = self.ask.attempts.last() {
            reason.push_str(", after ");
            reason.push_str(last.failure.phrase());
        }
        reason
    }
}

/// Another attempt at a target that has failed this request before.
pub(super) fn again(candidate: &Candidate<'_>, delay_ms: u32) -> Decision {
    let failure = candidate.last_failure().map_or("a failure", Failure::phrase);
    let reason = ["again in ", &words::length(delay_ms), ", after ", failure].concat();
    Decision::attempt(candidate).after_ms(delay_ms).because(reason)
}
