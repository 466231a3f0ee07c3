//! May this request go to that target now? The one question behind `view` and `admit`.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::claim::{AttemptKind, Claim};
use super::denied::{Denied, Disabled};
use super::line::Rank;
use super::payer::Spender;
use super::period::{BudgetScope, Unfunded, Whose, fits};
use super::permit::Permit;
use super::provider::{Book, Choice, Provider};
use super::retry_budget::{Drawn, RetryBudget};
use super::stake::Stake;
use super::target::Target;
use super::{Guard, locked};
use crate::clock::Moment;
use crate::config::UnknownPrice;
use crate::types::{NanoUsd, Price, Standing, State, TargetId};

/// What an attempt comes to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Quote {
    /// Nobody knows.
    Unpriced,
    /// So much at most.
    Priced { price: Price, worst_case: NanoUsd },
}

impl Quote {
    pub(super) fn worst_case(self) -> Option<NanoUsd> {
        match self {
            Self::Unpriced => None,
            Self::Priced { worst_case, .. } => Some(worst_case),
        }
    }
}

impl Guard {
    /// How a target stands for a request, as its strategy is told, and what stands in the way. Nothing is taken. `wall`
    /// is for the budgets.
    #[must_use]
    pub fn view(&self, target: TargetId, claim: &Claim<'_>, now: Moment, wall: Timestamp) -> (State, Option<Denied>) {
        let unknown = || (State::unknown(Standing::Disabled), Some(Disabled::NoSuchTarget.into()));
        let Some((target, provider)) = self.find(target) else { return unknown() };
        let quote = self.quote(target, claim);
        let mut book = provider.book();
        let denied = match self.look(&mut book, target, provider, &quote, claim, None, now, wall) {
            Ok((choice, _)) => choice.overruled,
            Err(denied) => Some(denied),
        };
        let Some(model) = book.models.get(target.model) else { return unknown() };
        let state = State {
            standing: denied.map_or(Standing::Ready, |denied| denied.standing()),
            estimated_cost: quote.worst_case(),
            in_flight: model.in_flight,
            consecutive_failures: model.health.failures_in_a_row(),
            success_rate: model.health.success_rate(now),
            first_token_ms: model.health.first_token_ms(),
            quota_left: model.health.quota_left(now),
        };
        (state, denied)
    }

    /// Admits a request to a target: takes a key's turn, the probe's place where it is one, a share of the limits, the
    /// worst case from the budgets, and a retry where it is one; all of them or none. `wall` is for the budgets.
    ///
    /// # Errors
    /// The first thing that stands in the way.
    pub fn admit(
        self: &Arc<Self>,
        target: TargetId,
        claim: &Claim<'_>,
        now: Moment,
        wall: Timestamp,
    ) -> Result<Permit, Denied> {
        self.admit_at(target, claim, None, now, wall)
    }

    /// The same for a request that may have a place in line.
    pub(super) fn admit_at(
        self: &Arc<Self>,
        target: TargetId,
        claim: &Claim,
        place: Option<Rank>,
        now: Moment,
        wall: Timestamp,
    ) -> Result<Permit, Denied> {
        let Some((found, provider)) = self.find(target) else { return Err(Disabled::NoSuchTarget.into()) };
        let quote = self.quote(found, claim);
        // Locks are always taken in this order: provider, then budget, then retries.
        let mut book = provider.book();
        let (Choice { key, .. }, amount) = self
            .look(&mut book, found, provider, &quote, claim, place, now, wall)
            .inspect_err(|denied| self.ask_others(*denied))?;
        let reservation = self.coffer.reserve(self.spender(found, claim), amount, claim.spent, wall)?;
        let counts_money = amount > NanoUsd::ZERO && (claim.allowed.is_some() || reservation.is_limited);
        let drawn = match self.draw(claim, now) {
            Ok(drawn) => drawn,
            Err(denied) => {
                self.coffer.void(reservation);
                return Err(denied);
            }
        };
        let (turns, shares) = book.enter(found.model, key, claim.tokens(), now);
        if let Some(rank) = place {
            book.line.serve(rank);
            book.line.call_first();
        }
        drop(book);
        let (guard, payer, reservation) = (Arc::clone(self), claim.payer.cloned(), Some(reservation));
        Ok(Permit::new(Stake { guard, target, key, turns, shares, quote, counts_money, payer, reservation, drawn }))
    }

    /// Has other instances asked for what they may have to give of a limit that is shared.
    fn ask_others(&self, denied: Denied) {
        if let (Denied::Limited(_), Some(commons)) = (denied, &self.commons) {
            commons.ring();
        }
    }

    /// What an attempt at a target may cost at most; `None` where its price is not known.
    #[must_use]
    pub fn worst_case(&self, target: TargetId, claim: &Claim<'_>) -> Option<NanoUsd> {
        let (target, _) = self.find(target)?;
        self.quote(target, claim).worst_case()
    }

    /// Whether a request may be sent, with which key, and what is to be set aside for it: `admit` without taking
    /// anything.
    #[expect(clippy::too_many_arguments, reason = "all that a request is held against")]
    fn look(
        &self,
        book: &mut Book,
        target: &Target,
        provider: &Provider,
        quote: &Quote,
        claim: &Claim<'_>,
        place: Option<Rank>,
        now: Moment,
        wall: Timestamp,
    ) -> Result<(Choice, NanoUsd), Denied> {
        if let Some(disabled) = provider.access.denied() {
            return Err(disabled.into());
        }
        if book.models.get(target.model).is_none_or(|model| model.is_unknown) {
            return Err(Disabled::ModelUnknown.into());
        }
        // Money before rests: no wait makes a request fit its budget. What is merely short is asked for when it is
        // reserved.
        let amount = self.amount(target, quote, claim)?;
        if let Some(limit) = claim.allowed.filter(|_| amount > NanoUsd::ZERO) {
            fits(Whose::Everything, BudgetScope::Request, limit, claim.spent, amount)?;
        }
        match self.coffer.budget().check(self.spender(target, claim), amount, claim.spent, wall) {
            Ok(()) | Err(Unfunded::Short) => {}
            Err(unfunded) => return Err(unfunded.into()),
        }
        self.check_load(claim.kind, now)?;
        let choice = book.choose_key(target.model, now, claim.urgency())?;
        match book.wait(target.model, claim.tokens(), place, now) {
            Some(wait) => Err(Denied::Limited(wait)),
            None => Ok((choice, amount)),
        }
    }

    /// What is to be set aside for an attempt. What it costs must be known only where somebody has set a bound to that.
    fn amount(&self, target: &Target, quote: &Quote, claim: &Claim<'_>) -> Result<NanoUsd, Denied> {
        // Asked only where it matters: it takes a lock.
        let is_counted = || self.is_money_counted(target, claim);
        let Quote::Priced { price, worst_case } = *quote else {
            return if is_counted() { Err(Denied::Unpriced) } else { Ok(NanoUsd::ZERO) };
        };
        let is_free = || price.cost(u64::from(u32::MAX), u64::from(u32::MAX)) == NanoUsd::ZERO;
        if claim.media > 0 && target.media_tokens.is_none() && !is_free() && is_counted() {
            return Err(Denied::Unmeasured);
        }
        Ok(worst_case)
    }

    /// Whether anybody, operator or caller, has set a bound to what requests cost.
    fn is_money_counted(&self, target: &Target, claim: &Claim<'_>) -> bool {
        claim.allowed.is_some() || self.coffer.budget().is_limited(self.spender(target, claim))
    }

    /// Whose budgets an attempt at a target draws on.
    fn spender<'a>(&self, target: &Target, claim: &Claim<'a>) -> Spender<'a> {
        let provider = self.provider_budgets.get(target.provider).copied().flatten();
        Spender { payer: claim.payer, provider }
    }

    /// Asks the ledger for what an attempt at a target lacks of its budgets: when the receiver ends, it was lent or
    /// refused, or the ledger cannot be written. `None` where nothing is lacking.
    pub fn ask(&self, target: TargetId, claim: &Claim<'_>, wall: Timestamp) -> Option<oneshot::Receiver<()>> {
        let (target, _) = self.find(target)?;
        let amount = self.quote(target, claim).worst_case().unwrap_or_default();
        self.coffer.ask(self.spender(target, claim), amount, wall)
    }

    /// Whether all requests together may add another attempt of this kind.
    fn check_load(&self, kind: AttemptKind, now: Moment) -> Result<(), Denied> {
        let Some((budget, denied)) = self.load_budget(kind) else { return Ok(()) };
        if locked(budget).left(now) == 0 { Err(denied) } else { Ok(()) }
    }

    fn draw(&self, claim: &Claim<'_>, now: Moment) -> Result<Option<(AttemptKind, Drawn)>, Denied> {
        let Some((budget, denied)) = self.load_budget(claim.kind) else { return Ok(None) };
        let drawn = locked(budget).draw(now).ok_or(denied)?;
        Ok(Some((claim.kind, drawn)))
    }

    /// Takes back what was drawn for an attempt that was never sent.
    pub(super) fn give_back(&self, (kind, drawn): (AttemptKind, Drawn)) {
        if let Some((budget, _)) = self.load_budget(kind) {
            locked(budget).undo(drawn);
        }
    }

    /// What attempts of a kind draw on, and what it means when that is used up.
    fn load_budget(&self, kind: AttemptKind) -> Option<(&Mutex<RetryBudget>, Denied)> {
        match kind {
            AttemptKind::Plain => None,
            AttemptKind::Retry => Some((&self.retries, Denied::NoRetriesLeft)),
            AttemptKind::Hedge => Some((&self.hedges, Denied::NoHedgesLeft)),
        }
    }

    /// What an attempt comes to by the price to count with: the known one, else what the operator assumes while a
    /// budget is set.
    fn quote(&self, target: &Target, claim: &Claim<'_>) -> Quote {
        let assumed = || match self.unknown_price {
            UnknownPrice::Assume(price) if self.is_money_counted(target, claim) => Some(price),
            UnknownPrice::Assume(_) | UnknownPrice::Refuse => None,
        };
        match target.price().or_else(assumed) {
            Some(price) => Quote::Priced { price, worst_case: worst_case(target, price, claim) },
            None => Quote::Unpriced,
        }
    }
}

impl From<Unfunded> for Denied {
    fn from(unfunded: Unfunded) -> Self {
        match unfunded {
            Unfunded::Over(over) => Self::OverBudget(over),
            Unfunded::Short => Self::Short,
            Unfunded::Shut => Self::LedgerUnavailable,
        }
    }
}

fn worst_case(target: &Target, price: Price, claim: &Claim<'_>) -> NanoUsd {
    let media = u64::from(claim.media) * u64::from(target.media_tokens.unwrap_or(0));
    let input = u64::from(claim.input_bound.max(claim.input_tokens)) + media;
    price.cost(input, u64::from(claim.max_output_tokens))
}
