//! Reads the ledger over, off everybody's path: whether the chain of entries is whole and the balances are their sums.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use super::books::account;
use super::entry::{BEGINNING, COLUMNS, Entry, Hash};
use super::error::{Damage, Fault, LedgerError};
use super::lease::Lease;
use super::schema;
use crate::accounting::{Account, Scope};

/// Entries that are read over again each time. In a longer ledger only what is new is, and the rest when an account is opened.
const READ_AGAIN: i64 = 200_000;

/// How far the ledger has been read over, and what was added up.
#[derive(Default)]
pub(super) struct Audit {
    seq: i64,
    hash: Hash,
    sums: HashMap<i64, i64>,
    accounts: HashMap<Account, i64>,
}

impl Audit {
    /// Reads over what is new, or everything.
    ///
    /// # Errors
    /// The first place where it does not add up; SQLite's own words where it cannot be read.
    pub(super) fn run(&mut self, path: &Path) -> Result<(), LedgerError> {
        // A fresh connection has read nothing yet: what it sees is what is on the disk.
        let mut connection = schema::open_to_read(path)?;
        self.read_over(&mut connection).map_err(|fault| LedgerError::of_fault(path, unreadable(fault)))
    }

    fn read_over(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        // One transaction: entries and balances of the same moment.
        let snapshot = connection.transaction()?;
        let accounts = accounts(&snapshot)?;
        if self.seq < READ_AGAIN || accounts.len() != self.accounts.len() {
            *self = Self { seq: 0, hash: BEGINNING, sums: HashMap::new(), accounts: HashMap::new() };
        }
        self.accounts = accounts.iter().map(|(id, account, _)| (account.clone(), *id)).collect();
        self.follow_the_chain(&snapshot)?;
        for (id, account, balance) in accounts {
            let sum = self.sums.get(&id).copied().unwrap_or(0);
            if sum != balance {
                return Err(Damage::Balance { account: account.to_string(), balance, sum }.into());
            }
        }
        Lease::check_all(&snapshot)
    }

    fn follow_the_chain(&mut self, snapshot: &Connection) -> Result<(), Fault> {
        let has_labels = self.accounts.keys().any(|account| matches!(account.scope, Scope::Label(_)));
        let mut query = snapshot.prepare(&format!("SELECT {COLUMNS} FROM entries WHERE seq > ?1 ORDER BY seq"))?;
        let mut rows = query.query([self.seq])?;
        while let Some(row) = rows.next()? {
            let expected = self.seq + 1;
            // What cannot even be read is damaged, too.
            let (place, entry) = Entry::read(row).map_err(|_| Damage::Entry(expected))?;
            if place.seq != expected {
                return Err(Damage::Gap(expected).into());
            }
            if entry.digest(expected, &self.hash) != place.hash {
                return Err(Damage::Entry(expected).into());
            }
            (self.seq, self.hash) = (expected, place.hash);
            self.add(&entry, has_labels);
        }
        Ok(())
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

/// All accounts with their numbers and balances.
fn accounts(connection: &Connection) -> Result<Vec<(i64, Account, i64)>, Fault> {
    let mut query = connection.prepare("SELECT id, spent, scope, window, period FROM accounts")?;
    let mut rows = query.query(())?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable = || Damage::Unreadable("an account cannot be read".to_owned());
        let account = account(row, 2).ok().flatten().ok_or_else(unreadable)?;
        accounts.push((row.get(0)?, account, row.get(1)?));
    }
    Ok(accounts)
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
