//! Reads the ledger over, off everybody's path: whether the chain of entries is whole and the balances are their sums.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{OptionalExtension, Transaction};

use super::books::{account, sum_of};
use super::checkpoint::Checkpoint;
use super::entry::{BEGINNING, COLUMNS, Entry, Hash, Place};
use super::error::{Damage, Fault, LedgerError};
use super::lease::Lease;
use super::schema;
use crate::accounting::{Account, Scope};

/// Entries that are read over again each time. In a longer ledger only what is new is, and the rest once, after it was opened.
/// Tests have no time for so many.
const READ_AGAIN: i64 = if cfg!(test) { 2_000 } else { 200_000 };

/// All of a ledger at one moment: entries and balances that belong together.
pub(super) trait Snapshot {
    /// All accounts with their numbers and balances.
    fn accounts(&mut self) -> Result<Vec<(i64, Account, i64)>, Fault>;

    /// The digest of an entry, where there is one.
    fn hash(&mut self, seq: i64) -> Result<Option<Hash>, Fault>;

    /// What the entries up to one of them say was spent of an account, but for what dead processes were charged.
    fn spent(&mut self, account: &Account, until: i64) -> Result<i64, Fault>;

    /// Tells the entries behind one of them, in their order.
    fn entries(
        &mut self,
        after: i64,
        tell: &mut dyn FnMut(Place, &Entry<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault>;

    /// Checks what else there is, given the latest entry.
    fn rest(&mut self, latest: &Place) -> Result<(), Fault>;
}

struct FileSnapshot<'c>(Transaction<'c>);

/// How far the ledger has been read over, and what was added up.
pub(super) struct Audit {
    read: Place,
    sums: HashMap<i64, i64>,
    accounts: HashMap<Account, i64>,
    /// How far what is kept beside the ledger goes.
    kept: i64,
}

impl Default for Audit {
    fn default() -> Self {
        let read = Place { seq: 0, hash: BEGINNING };
        Self { read, sums: HashMap::new(), accounts: HashMap::new(), kept: 0 }
    }
}

impl Audit {
    /// Goes on from where a file was read over before, by this process or another one, as far as that is kept.
    pub(super) fn resume(path: &Path) -> Self {
        let Some(Checkpoint { place, sums }) = Checkpoint::read(path) else { return Self::default() };
        Self { kept: place.seq, read: place, sums: sums.into_iter().collect(), accounts: HashMap::new() }
    }

    /// Whether the next reading does not begin at the first entry.
    pub(super) fn is_resumed(&self) -> bool {
        self.read.seq > 0
    }

    /// Keeps how far a file was read over, where that is worth it. One that cannot be written costs the next opening some time.
    pub(super) fn keep(&mut self, path: &Path) {
        if self.read.seq < READ_AGAIN || self.read.seq - self.kept < READ_AGAIN / 4 {
            return;
        }
        let sums = self.sums.iter().map(|(account, sum)| (*account, *sum)).collect();
        match (Checkpoint { place: self.read.clone(), sums }.write(path)) {
            Ok(()) => self.kept = self.read.seq,
            Err(error) => tracing::debug!("how far the ledger was read over is not kept: {error}"),
        }
    }

    /// Reads over what is new in a file, or everything.
    ///
    /// # Errors
    /// The first place where it does not add up; SQLite's own words where it cannot be read.
    pub(super) fn run(&mut self, path: &Path) -> Result<(), LedgerError> {
        // A fresh connection has read nothing yet: what it sees is what is on the disk.
        let mut connection = schema::open_to_read(path)?;
        let mut read_over = || self.read_over(&mut FileSnapshot(connection.transaction()?));
        read_over().map_err(|fault| LedgerError::of_fault(path, unreadable(fault)))
    }

    /// Reads over what is new, or everything.
    pub(super) fn read_over(&mut self, snapshot: &mut impl Snapshot) -> Result<(), Fault> {
        // What is kept of another ledger is no beginning of this one; where it was its own, the chain tells what has changed.
        if self.read.seq < READ_AGAIN || snapshot.hash(self.read.seq)? != Some(self.read.hash) {
            *self = Self::default();
        }
        let accounts = snapshot.accounts()?;
        self.accounts = accounts.iter().map(|(id, account, _)| (account.clone(), *id)).collect();
        for (id, account, _) in accounts.iter().filter(|_| self.read.seq > 0) {
            if !self.sums.contains_key(id) {
                // An account that was opened since begins with what was spent of it before.
                self.sums.insert(*id, snapshot.spent(account, self.read.seq)?);
            }
        }
        self.follow_the_chain(snapshot)?;
        for (id, account, balance) in accounts {
            let sum = *self.sums.entry(id).or_default();
            if sum != balance {
                return Err(Damage::Balance { account: account.to_string(), balance, sum }.into());
            }
        }
        snapshot.rest(&self.read)
    }

    fn follow_the_chain(&mut self, snapshot: &mut impl Snapshot) -> Result<(), Fault> {
        let has_labels = self.accounts.keys().any(|account| matches!(account.scope, Scope::Label(_)));
        snapshot.entries(self.read.seq, &mut |place, entry| {
            let expected = self.read.seq + 1;
            if place.seq != expected {
                return Err(Damage::Gap(expected).into());
            }
            if entry.digest(expected, &self.read.hash) != place.hash {
                return Err(Damage::Entry(expected).into());
            }
            self.read = place;
            self.add(entry, has_labels);
            Ok(())
        })
    }

    fn add(&mut self, entry: &Entry<'_>, has_labels: bool) {
        let Self { sums, accounts, .. } = self;
        let mut charge = |account: i64, amount: i64| {
            let sum = sums.entry(account).or_default();
            *sum = sum.saturating_add(amount);
        };
        match entry.charges() {
            Some(charges) => charges.into_iter().for_each(|(account, amount)| charge(account, amount)),
            None => entry.accounts(has_labels, |account| {
                accounts.get(&account).into_iter().for_each(|id| charge(*id, entry.cost()));
            }),
        }
    }
}

impl Snapshot for FileSnapshot<'_> {
    fn accounts(&mut self) -> Result<Vec<(i64, Account, i64)>, Fault> {
        let mut query = self.0.prepare("SELECT id, spent, scope, window, period FROM accounts")?;
        let mut rows = query.query(())?;
        let mut accounts = Vec::new();
        while let Some(row) = rows.next()? {
            let unreadable = || Damage::Unreadable("an account cannot be read".to_owned());
            let account = account(row, 2).ok().flatten().ok_or_else(unreadable)?;
            accounts.push((row.get(0)?, account, row.get(1)?));
        }
        Ok(accounts)
    }

    fn hash(&mut self, seq: i64) -> Result<Option<Hash>, Fault> {
        let mut query = self.0.prepare_cached("SELECT hash FROM entries WHERE seq = ?1")?;
        Ok(query.query_row([seq], |row| row.get(0)).optional()?)
    }

    fn spent(&mut self, account: &Account, until: i64) -> Result<i64, Fault> {
        Ok(sum_of(&self.0, account, until)?)
    }

    fn entries(
        &mut self,
        after: i64,
        tell: &mut dyn FnMut(Place, &Entry<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut query = self.0.prepare(&format!("SELECT {COLUMNS} FROM entries WHERE seq > ?1 ORDER BY seq"))?;
        let mut rows = query.query([after])?;
        let mut last = after;
        while let Some(row) = rows.next()? {
            // What cannot even be read is damaged, too.
            let (place, entry) = Entry::read(row).map_err(|_| Damage::Entry(last.saturating_add(1)))?;
            last = place.seq;
            tell(place, &entry)?;
        }
        Ok(())
    }

    fn rest(&mut self, _: &Place) -> Result<(), Fault> {
        Lease::check_all(&self.0)
    }
}

/// A file that SQLite itself finds malformed is damaged.
fn unreadable(fault: Fault) -> Fault {
    match fault {
        Fault::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            Fault::Damage(Damage::Unreadable(error.to_string()))
        }
        other => other,
    }
}
