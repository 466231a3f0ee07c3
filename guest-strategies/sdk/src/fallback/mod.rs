//! What the built-in strategies share: everything but their order.

mod options;
mod order;
mod turn;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod properties;

pub use options::FallbackOptions;
pub use order::Order;

use turn::Turn;

use crate::{Ask, Backoff, Candidate, Decision, Failure, Hedge, Roster, Select, Standing, words};

/// Keeps at a request until it is served: stays with a target while that is worth it, goes on to the next in order, comes
/// back, waits, asks a second target in parallel where the operator wants that, and knows when to give up.
///
/// ```
/// use backstop_strategy::{Ask, Candidate, Decision, Fallback, FallbackOptions, Order, Roster, Strategy};
///
/// /// The fastest first; retries, waits and emergencies as usual.
/// struct Fastest(Fallback);
///
/// impl Strategy for Fastest {
///     type Options = FallbackOptions;
///
///     fn configure(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
///         Fallback::new(roster, options).map(Self)
///     }
///
///     fn next(&self, ask: &Ask<'_>) -> Decision {
///         self.0.decide(ask, self)
///     }
/// }
///
/// impl Order for Fastest {
///     type Rank = f32;
///
///     fn rank(&self, candidate: &Candidate<'_>) -> f32 {
///         candidate.state().first_token_ms.unwrap_or(f32::INFINITY)
///     }
///
///     fn reason(&self, _: &Candidate<'_>) -> String {
///         "fastest".to_owned()
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Fallback {
    options: FallbackOptions,
    /// Whether a target is the operator's primary, in roster order; empty where there is none.
    primary: Vec<bool>,
    backoff: Backoff,
    retries: u32,
}

impl Fallback {
    /// Prepares for a roster.
    ///
    /// # Errors
    /// Where `primary` names nothing in the roster: a sentence for the operator.
    pub fn new(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
        let primary = match &options.primary {
            Some(name) => roster.find(name).map_err(|error| ["`primary`: ", &error].concat())?,
            None => Vec::new(),
        };
        let (backoff, retries) = (options.backoff(), options.retries.unwrap_or(1));
        Ok(Self { options, primary, backoff, retries })
    }

    /// Says who is next.
    pub fn decide<O: Order>(&self, ask: &Ask<'_>, order: &O) -> Decision {
        if !ask.in_flight.is_empty() {
            return self.decide_meanwhile(ask, order);
        }
        if let Some(end) = end(ask) {
            return end;
        }
        let turn = Turn::new(self, *ask, order);
        let decision = self
            .stay(ask)
            .or_else(|| turn.go_on())
            .or_else(|| turn.come_back())
            .or_else(|| turn.try_anyway())
            .or_else(|| turn.wait())
            .unwrap_or_else(|| turn.give_up());
        match self.options.hedge.ms() {
            Some(ms) => decision.hedge_after_ms(ms),
            None => decision,
        }
    }

    /// Says whether to ask a second target while an attempt is under way: the next in order that is ready, at once, where
    /// the operator asked for hedging.
    fn decide_meanwhile<O: Order>(&self, ask: &Ask<'_>, order: &O) -> Decision {
        let may_hedge = self.options.hedge != Hedge::Off && end(ask).is_none();
        let second = if may_hedge { Turn::new(self, *ask, order).hedge() } else { None };
        second.unwrap_or_else(Decision::hold)
    }

    /// Says who is next for those who ask one target only: the first in order that is ready, and then that one again as
    /// far as [`Fallback::stay`] goes.
    pub fn decide_on_one<O: Order>(&self, ask: &Ask<'_>, order: &O) -> Decision {
        if !ask.in_flight.is_empty() {
            return Decision::hold();
        }
        if let Some(end) = end(ask) {
            return end;
        }
        let decision = if ask.attempts.is_empty() { Turn::new(self, *ask, order).go_on() } else { self.stay(ask) };
        let reason = if ask.attempts.is_empty() { "nothing is ready" } else { "the one target asked has failed" };
        decision.unwrap_or_else(|| Decision::give_up().because(reason))
    }

    /// Stays with the target that failed last, where that is worth it: after an outage that may be over in a moment, and
    /// after a rate limit that ends within the operator's patience. An attempt that a ready target not tried yet will need is
    /// not spent on it.
    #[must_use]
    pub fn stay(&self, ask: &Ask<'_>) -> Option<Decision> {
        let others: u32 = ask.candidates().ready().untried().map(|_| 1).sum();
        if others > 0 && others >= ask.attempts_left {
            return None;
        }
        let candidate = ask.last_tried().filter(|tried| ask.in_flight.is_empty() && self.may_return(ask, tried))?;
        let patience = self.options.patience.ms();
        match candidate.standing() {
            Standing::Ready => {
                let (delay, backoff) = (self.delay_ms(ask, &candidate), self.backoff.nominal_ms(candidate.attempts()));
                let is_brief = candidate.last_failure().is_some_and(Failure::is_transient) && delay <= backoff;
                let is_worth_it = is_brief || delay <= patience;
                (is_worth_it && ask.has_time_for(delay)).then(|| turn::again(&candidate, delay))
            }
            // In an emergency those that were not tried yet go before it.
            Standing::CoolingDown(ms) | Standing::Limited(ms) if ms <= patience && !(ask.emergency && ms == 0) => {
                self.wait_for(ask, &candidate, "within patience")
            }
            Standing::CoolingDown(_)
            | Standing::Limited(_)
            | Standing::Tripped(_)
            | Standing::Probing
            | Standing::OutOfQuota(_)
            | Standing::OverBudget
            | Standing::Unsupported
            | Standing::Spent
            | Standing::Disabled => None,
        }
    }

    /// An attempt once the target's wait is over, and a little later than others who were told the same.
    fn wait_for(&self, ask: &Ask<'_>, candidate: &Candidate<'_>, why: &str) -> Option<Decision> {
        let wait = candidate.standing().wait_ms().filter(|&ms| ask.has_time_for(ms))?;
        let spread = wait.saturating_add(self.backoff.spread_ms(ask.chance()));
        let latest = ask.remaining_ms.map_or(u32::MAX, |remaining| remaining.saturating_sub(1));
        let (provider, model) = (candidate.provider.as_str(), candidate.model.as_str());
        let reason = ["waiting ", &words::length(wait), " for ", provider, "/", model, ": ", why].concat();
        Some(Decision::attempt(candidate).after_ms(spread.min(latest).max(wait)).because(reason))
    }

    /// The wait before a target is asked again: no shorter than the one it asked for.
    fn delay_ms(&self, ask: &Ask<'_>, candidate: &Candidate<'_>) -> u32 {
        let named = candidate.last_attempt().and_then(|attempt| attempt.retry_after_ms).unwrap_or(0);
        self.backoff.delay_ms(candidate.attempts(), ask.chance()).max(named)
    }

    /// Whether a target that failed this request before may be asked again: after a rate limit as long as it has attempts
    /// left, after an outage as long as it has retries left.
    fn may_return(&self, ask: &Ask<'_>, candidate: &Candidate<'_>) -> bool {
        self.may_insist(ask, candidate)
            && (candidate.last_failure() == Some(Failure::RateLimited) || candidate.attempts() <= self.retries)
    }

    /// Whether a target that failed this request before may be asked again when nothing else is left.
    fn may_insist(&self, ask: &Ask<'_>, candidate: &Candidate<'_>) -> bool {
        let is_worth_it = |failure: Failure| failure == Failure::RateLimited || failure.is_transient();
        ask.retries_left > 0
            && candidate.attempts() < self.options.attempts
            && candidate.last_failure().is_some_and(is_worth_it)
    }

    fn is_primary(&self, candidate: &Candidate<'_>) -> bool {
        usize::try_from(candidate.index()).ok().and_then(|place| self.primary.get(place)) == Some(&true)
    }
}

/// The end of the request, where nothing more can come of it.
fn end(ask: &Ask<'_>) -> Option<Decision> {
    let last = ask.attempts.last().map(|attempt| attempt.failure);
    if last.is_some_and(Failure::would_repeat_elsewhere) {
        Some(Decision::give_up().because("every target would refuse this request"))
    } else if ask.attempts_left == 0 {
        Some(Decision::give_up().because("no attempts are left"))
    } else {
        None
    }
}
