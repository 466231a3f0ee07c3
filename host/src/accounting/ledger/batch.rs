//! What is written in one go: what was spent, what is given back, and what is asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::OptionalExtension;

use super::appetite::{Appetite, Offer};
use super::books::Change;
use super::entry::{Entry, labels_text, money, nanos};
use super::error::Fault;
use crate::accounting::{Account, Ask, Lent, Need, Posting, Slice};
use crate::clock::Moment;

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

    /// Enters what was spent and takes back what is given.
    pub(super) fn write(&self, change: &mut Change<'_>, at: i64) -> Result<(), Fault> {
        let mut spent: BTreeMap<i64, i64> = BTreeMap::new();
        let mut held: HashMap<&Arc<Account>, i64> = HashMap::new();
        let instance = change.instance;
        for posting in &self.postings {
            let (request, labels) = (posting.request.0.to_be_bytes(), labels_text(&posting.labels));
            let entry = Entry::of(posting, &request, labels.as_deref(), instance, at);
            change.append(&entry)?;
            let cost = entry.cost();
            change.accounts_of(&entry, |account| {
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
            let mut lease = change.account(account).and_then(|account| change.lease(account))?;
            lease.consumed = lease.consumed.saturating_add(amount);
            lease.write(&change.transaction)?;
        }
        for Slice { account, amount } in &self.returns {
            let mut lease = change.account(account).and_then(|account| change.lease(account))?;
            lease.granted = lease.granted.saturating_sub(nanos(*amount)).max(0);
            lease.write(&change.transaction)?;
        }
        Ok(())
    }
}

impl Wish {
    /// Answers it, in the same change.
    pub(super) fn answer(
        &self,
        change: &mut Change<'_>,
        appetites: &mut HashMap<Arc<Account>, Appetite>,
        now: Moment,
    ) -> Result<Answer, Fault> {
        let Ask { account, limit, need } = &self.ask;
        let id = change.account(account)?;
        let (spent, leases) = (change.spent(id)?, change.leases(id)?);
        let mut own = change.lease(id)?;
        let sum = |leases: &mut dyn Iterator<Item = i64>| leases.fold(0i64, i64::saturating_add);
        let others = leases.iter().filter(|lease| lease.instance != change.instance);
        let lent_elsewhere = sum(&mut others.map(|lease| lease.outstanding_amount()));
        let lent = lent_elsewhere.saturating_add(own.outstanding_amount());
        let free = nanos(*limit).saturating_sub(spent).saturating_sub(lent).max(0);
        let lend = |granted: i64, refused_beyond: Option<i64>, own: i64| {
            Answer::Lent(Lent {
                account: Arc::clone(account),
                granted: money(granted),
                refused_beyond: refused_beyond.map(money),
                spent_elsewhere: money(spent.saturating_sub(own)),
                lent_elsewhere: money(lent_elsewhere),
            })
        };
        let missing = match need {
            Need::News => return Ok(lend(0, None, own.consumed)),
            Need::Ahead => 0,
            Need::Now(missing) => nanos(*missing),
        };
        let offer = Offer { free, instances: instances(change)?, is_wanted: is_wanted(change, id)? };
        let Some(granted) = appetites.entry(Arc::clone(account)).or_default().portion(missing, offer, now) else {
            let may_come = free.saturating_add(lent_elsewhere) >= missing;
            if may_come && !self.is_last {
                change.want(id, true)?;
                return Ok(Answer::Wait);
            }
            change.want(id, false)?;
            return Ok(lend(0, Some(free), own.consumed));
        };
        if granted > 0 {
            own.granted = own.granted.saturating_add(granted);
            own.write(&change.transaction)?;
        }
        if *need != Need::Ahead {
            change.want(id, false)?;
        }
        Ok(lend(granted, None, own.consumed))
    }
}

fn instances(change: &Change<'_>) -> Result<i64, Fault> {
    let count = "SELECT count(*) FROM instances";
    Ok(change.transaction.prepare_cached(count)?.query_row((), |row| row.get(0))?)
}

/// Whether another process waits for an account.
fn is_wanted(change: &Change<'_>, account: i64) -> Result<bool, Fault> {
    let query = "SELECT 1 FROM wants WHERE account = ?1 AND instance <> ?2 LIMIT 1";
    let found =
        change.transaction.prepare_cached(query)?.query_row((account, change.instance), |_| Ok(())).optional()?;
    Ok(found.is_some())
}
