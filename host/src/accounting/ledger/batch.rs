//! What is written in one go: what was spent, what is given back, and what is asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::appetite::{Appetite, Offer};
use super::change::Change;
use super::entry::{Entry, labels_text, money, nanos};
use super::error::Fault;
use super::lease::Lease;
use super::standing::{Claim, Source, Standing};
use crate::accounting::{Account, Ask, Lent, Need, Posting, Refusal, Slice};
use crate::clock::Moment;
use crate::types::NanoUsd;

/// Work that outlives a failure: it is written again.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) postings: Vec<Posting>,
    pub(super) returns: Vec<Slice>,
}

/// A wish, and whether its time is up: then it is answered one way or the other.
pub(super) struct Wish {
    pub(super) ask: Ask,
    pub(super) is_last: bool,
}

/// What becomes of a wish.
pub(super) enum Answer {
    /// It is answered.
    Lent(Lent),
    /// Others hold what is missing, and are asked to give it back.
    Wait,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.postings.is_empty() && self.returns.is_empty()
    }

    /// Leaves so many costs, and takes what is beyond them.
    pub(super) fn split_off(&mut self, postings: usize) -> Self {
        Self { postings: self.postings.split_off(self.postings.len().min(postings)), returns: Vec::new() }
    }

    /// Takes what is to be written behind this.
    pub(super) fn append(&mut self, mut later: Self) {
        self.postings.append(&mut later.postings);
        self.returns.append(&mut later.returns);
    }

    /// Enters what was spent and takes back what is given.
    pub(super) fn write(&self, change: &mut impl Change, at: i64) -> Result<(), Fault> {
        let mut spent: BTreeMap<i64, i64> = BTreeMap::new();
        let mut held: HashMap<&Arc<Account>, i64> = HashMap::new();
        let instance = change.instance();
        for posting in &self.postings {
            let (request, labels) = (posting.request.0.to_be_bytes(), labels_text(&posting.labels));
            let entry = Entry::of(posting, &request, labels.as_deref(), instance, at);
            change.append(&entry)?;
            let cost = entry.cost();
            change.known().accounts_of(&entry, |account| {
                let sum = spent.entry(account).or_default();
                *sum = sum.saturating_add(cost);
            });
            for account in &posting.held {
                let sum = held.entry(account).or_default();
                *sum = sum.saturating_add(cost);
            }
        }
        for (account, amount) in spent {
            change.spend(account, amount)?;
        }
        for (account, amount) in held {
            let id = change.account(account)?;
            let mut lease = change.lease(id)?;
            lease.consumed = lease.consumed.saturating_add(amount);
            change.write_lease(lease)?;
        }
        for Slice { account, amount } in &self.returns {
            let id = change.account(account)?;
            let mut lease = change.lease(id)?;
            lease.granted = lease.granted.saturating_sub(nanos(*amount)).max(0);
            change.write_lease(lease)?;
        }
        Ok(())
    }
}

impl Answer {
    /// What is lent with it.
    pub(super) fn slice(&self) -> Option<Slice> {
        match self {
            Self::Lent(Lent { account, granted, .. }) if *granted > NanoUsd::ZERO => {
                Some(Slice { account: Arc::clone(account), amount: *granted })
            }
            Self::Lent(_) | Self::Wait => None,
        }
    }
}

impl Wish {
    /// Answers it, in the same change.
    pub(super) fn answer(
        &self,
        change: &mut impl Change,
        appetites: &mut HashMap<Arc<Account>, Appetite>,
        now: Moment,
    ) -> Result<Answer, Fault> {
        let Ask { account, limit, need } = &self.ask;
        let limit = nanos(*limit);
        let id = change.account(account)?;
        let (spent, leases) = (change.spent(id)?, change.leases(id)?);
        let mut own = change.lease(id)?;
        let others = leases.iter().filter(|lease| lease.instance != change.instance());
        let held_here = others.map(Lease::outstanding_amount).fold(0, i64::saturating_add);
        let lent = held_here.saturating_add(own.outstanding_amount());
        let missing = match need {
            Need::News | Need::Ahead => 0,
            Need::Now(missing) => nanos(*missing),
        };
        let appetite = appetites.entry(Arc::clone(account)).or_default();
        let desired = if *need == Need::News { 0 } else { appetite.welcome(missing) };
        let waits = missing > 0 && !self.is_last;
        let claim = Claim { limit, spent, lent, least: missing, desired, waits };
        let Standing { spare, free, spent_elsewhere, held_elsewhere, is_wanted, funds } =
            change.standing(id, account, &claim)?;
        let lent_elsewhere = held_here.saturating_add(held_elsewhere);
        let lend = |granted: i64, refused: Option<Refusal>, own: i64| {
            Answer::Lent(Lent {
                account: Arc::clone(account),
                granted: money(granted),
                refused,
                spent_elsewhere: money(spent.saturating_sub(own).saturating_add(spent_elsewhere)),
                lent_elsewhere: money(lent_elsewhere),
            })
        };
        if funds == Source::Silent {
            return Ok(lend(0, Some(Refusal::Unknown), own.consumed));
        }
        if *need == Need::News {
            return Ok(lend(0, None, own.consumed));
        }
        let is_lendable = change.is_lendable(account)?;
        let spare = if is_lendable { spare } else { 0 };
        let is_wanted = is_wanted || change.is_wanted(id)?;
        let offer = Offer { free: spare, instances: change.instances()?, is_wanted };
        let Some(granted) = appetite.portion(missing, offer, now) else {
            let left = spare.saturating_add(free);
            let may_come = is_lendable && left.saturating_add(lent_elsewhere) >= missing;
            change.want(id, may_come && waits)?;
            return Ok(match may_come {
                true if waits => Answer::Wait,
                true if funds == Source::New => lend(0, Some(Refusal::Unknown), own.consumed),
                _ => lend(0, Some(Refusal::Beyond(money(left))), own.consumed),
            });
        };
        if granted > 0 {
            own.granted = own.granted.saturating_add(granted);
            change.write_lease(own)?;
        }
        if *need != Need::Ahead {
            change.want(id, false)?;
        }
        Ok(lend(granted, None, own.consumed))
    }
}
