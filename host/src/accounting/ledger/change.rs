//! What a ledger can be told, wherever it is kept: the clerk and its batches know of no more than this.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::clerk::INSPECT;
use super::entry::{Entry, LOST, money};
use super::error::{Damage, Fault, LedgerError};
use super::lease::Lease;
use super::standing::{Claim, Report, Standing};
use crate::accounting::{Account, Scope, Window, day_of};

/// A ledger as one process writes it: every change is all of it or nothing, and kept for good when it returns.
pub(super) trait Books: Send + 'static {
    /// A change under way.
    type Change<'c>: Change;

    /// Makes a change. Where nobody can tell whether it was made the fault says so, and [`Books::was_made`] tells later.
    fn change<T>(&mut self, work: impl FnOnce(&mut Self::Change<'_>) -> Result<T, Fault>) -> Result<T, Fault>;

    /// Whether the latest change was made whose fault left that open.
    fn was_made(&mut self) -> Result<bool, Fault>;

    /// A number that changes when another process has changed something.
    fn version(&mut self) -> Result<i64, Fault>;

    /// Accounts that another process waits for.
    fn wanted(&mut self) -> Result<Vec<Account>, Fault>;

    /// Charges what processes that have died were lent. `at` is now, in milliseconds since 1970.
    fn bury_the_dead(&mut self, at: i64) -> Result<(), Fault>;

    /// How often there is something to do where nobody says anything.
    fn rhythm(&self) -> Duration {
        INSPECT
    }

    /// Whether it is time to tell a store that lends to this ledger and others how the accounts stand.
    fn is_report_due(&self, _is_busy: bool) -> bool {
        false
    }

    /// Tells it.
    fn report(&mut self) -> Result<Report, Fault> {
        Ok(Report::Heard { news: Vec::new() })
    }

    /// Leaves: nothing of this process is under way any more. What it still holds is looked into by the next one.
    fn leave(self);

    /// A fault in words that name the place.
    fn error(&self, fault: Fault) -> LedgerError;

    /// Lets a file grow no further, as on a disk that is full, or lets it grow again.
    #[cfg(test)]
    fn set_disk(&self, disk: super::tests::Disk);
}

/// One change, which sees what it has changed itself. Amounts are nano-dollars.
pub(super) trait Change {
    /// The process that makes it.
    fn instance(&self) -> i64;

    /// Appends an entry. Which accounts it counts in is another question.
    fn append(&mut self, entry: &Entry<'_>) -> Result<(), Fault>;

    /// The accounts there are, by what they are of.
    fn known(&self) -> &Known;

    /// The number of an account. A new one begins with what was spent of it before.
    fn account(&mut self, account: &Account) -> Result<i64, Fault>;

    /// Whether money of an account may still be lent: not of a day that is over for all.
    fn is_lendable(&mut self, account: &Account) -> Result<bool, Fault>;

    /// How an account stands, and what there is to be lent of it: what the limit leaves, where nobody else lends it.
    fn standing(&mut self, _id: i64, _account: &Account, claim: &Claim) -> Result<Standing, Fault> {
        Ok(Standing::alone(claim))
    }

    /// What was spent of an account.
    fn spent(&mut self, account: i64) -> Result<i64, Fault>;

    /// Adds to what was spent of an account.
    fn spend(&mut self, account: i64, amount: i64) -> Result<(), Fault>;

    /// What everybody was lent of an account.
    fn leases(&mut self, account: i64) -> Result<Vec<Lease>, Fault>;

    /// What this process was lent of an account.
    fn lease(&mut self, account: i64) -> Result<Lease, Fault>;

    /// Writes what somebody was lent.
    fn write_lease(&mut self, lease: Lease) -> Result<(), Fault>;

    /// Waits for an account, or no longer.
    fn want(&mut self, account: i64, is_wanted: bool) -> Result<(), Fault>;

    /// Waits for nothing any more.
    fn want_nothing(&mut self) -> Result<(), Fault>;

    /// Whether another process waits for an account.
    fn is_wanted(&mut self, account: i64) -> Result<bool, Fault>;

    /// Processes that write, this one included.
    fn instances(&mut self) -> Result<i64, Fault>;

    /// Writes something that changes nothing: an empty change would prove nothing.
    fn touch(&mut self) -> Result<(), Fault>;
}

/// The accounts there are, by what they are of. They are opened and never closed.
#[derive(Default)]
pub(super) struct Known {
    ids: HashMap<Account, i64>,
    /// The latest of them.
    pub(super) last: i64,
    has_labels: bool,
}

impl Known {
    pub(super) fn add(&mut self, id: i64, account: Account) {
        self.has_labels |= matches!(account.scope, Scope::Label(_));
        self.last = self.last.max(id);
        self.ids.insert(account, id);
    }

    pub(super) fn id(&self, account: &Account) -> Option<i64> {
        self.ids.get(account).copied()
    }

    /// The numbers of the accounts there are that an entry belongs to.
    pub(super) fn accounts_of(&self, entry: &Entry<'_>, mut tell: impl FnMut(i64)) {
        entry.accounts(self.has_labels, |account| self.id(&account).into_iter().for_each(&mut tell));
    }

    /// What can have been spent in all of what a dead process was lent, by account: no more than of any budget that everything
    /// counts in.
    fn most_of(&self, charges: &BTreeMap<i64, i64>) -> i64 {
        let named: HashMap<i64, &Account> = self.ids.iter().map(|(account, id)| (*id, account)).collect();
        let of_all = |window| {
            let of_window = charges.iter().filter(|(id, _)| {
                named.get(id).is_some_and(|account| account.scope == Scope::Everything && account.window == window)
            });
            of_window.map(|(_, amount)| *amount).reduce(i64::saturating_add)
        };
        let cost = of_all(Window::Day).into_iter().chain(of_all(Window::Month)).min();
        cost.or_else(|| charges.values().copied().max()).unwrap_or(0)
    }
}

/// Charges everything that a process which has died was lent, since nobody knows what it spent of it.
pub(super) fn charge_lost(
    change: &mut impl Change,
    instance: i64,
    charges: &BTreeMap<i64, i64>,
    at: i64,
) -> Result<(), Fault> {
    for (account, amount) in charges {
        change.spend(*account, *amount)?;
    }
    if charges.is_empty() {
        return Ok(());
    }
    let cost = change.known().most_of(charges);
    let text = serde_json::to_string(charges).map_err(|error| Damage::Unreadable(error.to_string()))?;
    let counts = [0, 0, 0, 0, 0, 0, cost];
    let day = utc_day(at);
    let entry = Entry { at, kind: LOST, instance, day, counts, charges: Some(&text), ..Entry::default() };
    tracing::warn!(
        instance,
        cost_usd = money(cost).decimal(),
        "a process has died: what it was lent is charged, since nobody knows what it spent"
    );
    change.append(&entry)
}

/// The day of a moment, in milliseconds since 1970, in UTC.
pub(super) fn utc_day(at: i64) -> i32 {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    day_of(at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// Days that take in every day of an account's period, in any calendar.
pub(super) fn days_around(account: &Account) -> (i32, i32) {
    match account.window {
        Window::Day => (account.period, account.period),
        // A month and a day on either side.
        Window::Month => {
            let months = account.period.saturating_sub(1_970 * 12);
            let (first, slack) = (months.saturating_mul(30), (months.saturating_abs() / 2).saturating_add(62));
            (first.saturating_sub(slack), first.saturating_add(slack))
        }
    }
}
