//! The ledger's file as one process writes it: every change is one transaction, and on disk when it returns.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::entry::{BEGINNING, COLUMNS, Entry, Hash, Place};
use super::error::{Damage, Fault, LedgerError};
use super::head::Head;
use super::instance::Instance;
use super::lease::Lease;
use super::schema;
use crate::accounting::database::make_folder;
use crate::accounting::{Account, Scope, Window, day_of};

/// The file, open for writing.
pub(super) struct Books {
    connection: Connection,
    pub(super) path: PathBuf,
    pub(super) instance: Instance,
    head: Head,
    known: Known,
}

/// The accounts there are, by what they are of. They are opened and never closed.
#[derive(Default)]
struct Known {
    ids: HashMap<Account, i64>,
    /// The latest of them.
    last: i64,
    has_labels: bool,
}

/// One change of the file.
pub(super) struct Change<'c> {
    pub(super) transaction: Transaction<'c>,
    known: &'c mut Known,
    pub(super) instance: i64,
    /// The latest entry.
    latest: Place,
    has_entered: bool,
}

impl Books {
    /// Opens the file at a path, or makes it, and takes a place among those that write it.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        make_folder(path).map_err(|source| LedgerError::File { path: path.to_owned(), source })?;
        let mut connection = schema::open(path)?;
        let head = Head::open(path)?;
        head.check(&connection, path)?;
        let instance = Instance::enter(&mut connection, path)?;
        Ok(Self { connection, path: path.to_owned(), instance, head, known: Known::default() })
    }

    /// Makes a change, all of it or nothing.
    pub(super) fn change<T>(&mut self, work: impl FnOnce(&mut Change<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let latest = latest(&transaction)?;
        self.known.learn(&transaction)?;
        let instance = self.instance.id;
        let mut change = Change { transaction, known: &mut self.known, instance, latest, has_entered: false };
        let made = work(&mut change);
        let (committed, entered) = change.commit(made);
        match &committed {
            Ok(_) => entered.iter().for_each(|latest| self.head.write(latest)),
            // What was opened in it is not there.
            Err(_) => self.known = Known::default(),
        }
        committed
    }

    /// A number that changes when another process has changed the file.
    pub(super) fn version(&self) -> i64 {
        self.connection.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap_or(0)
    }

    /// Accounts that another process waits for.
    pub(super) fn wanted(&self) -> rusqlite::Result<Vec<Account>> {
        let query = "SELECT DISTINCT scope, window, period FROM wants JOIN accounts ON accounts.id = wants.account \
            WHERE wants.instance <> ?1";
        let mut query = self.connection.prepare_cached(query)?;
        let rows = query.query_map([self.instance.id], |row| account(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Leaves: nothing of this process is under way any more. What it still holds is looked into by the next one.
    pub(super) fn leave(self) {
        self.instance.leave(&self.connection);
    }

    /// Lets the file grow no further, as on a disk that is full, or lets it grow again.
    #[cfg(test)]
    pub(super) fn set_disk(&self, disk: super::tests::Disk) {
        let pages: i64 = self.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let most = match disk {
            super::tests::Disk::Full => pages,
            super::tests::Disk::Roomy => 1 << 30,
        };
        self.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(())).unwrap();
    }
}

impl Change<'_> {
    /// Ends it: on disk, with the latest entry where there is a new one, or undone.
    fn commit<T>(self, made: Result<T, Fault>) -> (Result<T, Fault>, Option<Place>) {
        let Self { transaction, latest, has_entered, .. } = self;
        let committed = made.and_then(|made| Ok(transaction.commit().map(|()| made)?));
        (committed, has_entered.then_some(latest))
    }

    /// Appends an entry. Which accounts it counts in is another question.
    pub(super) fn append(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let seq = self.latest.seq + 1;
        let place = Place { seq, hash: entry.digest(seq, &self.latest.hash) };
        entry.insert(&self.transaction, &place)?;
        self.latest = place;
        self.has_entered = true;
        Ok(())
    }

    /// The numbers of the accounts there are that an entry belongs to.
    pub(super) fn accounts_of(&self, entry: &Entry<'_>, mut tell: impl FnMut(i64)) {
        entry.accounts(self.known.has_labels, |account| {
            if let Some(id) = self.known.ids.get(&account) {
                tell(*id);
            }
        });
    }

    /// The number of an account. A new one begins with what was spent of it before.
    pub(super) fn account(&mut self, account: &Account) -> Result<i64, Fault> {
        if let Some(id) = self.known.ids.get(account) {
            return Ok(*id);
        }
        let spent = sum_of(&self.transaction, account)?;
        let insert = "INSERT INTO accounts (scope, window, period, spent) VALUES (?1, ?2, ?3, ?4)";
        let (scope, window) = (account.scope.to_string(), account.window.name());
        self.transaction.prepare_cached(insert)?.execute((scope, window, account.period, spent))?;
        let id = self.transaction.last_insert_rowid();
        self.known.add(id, account.clone());
        Ok(id)
    }

    /// Adds to what was spent of an account.
    pub(super) fn spend(&self, account: i64, amount: i64) -> Result<(), Fault> {
        let update = "UPDATE accounts SET spent = CASE WHEN spent > 9223372036854775807 - ?2 \
            THEN 9223372036854775807 ELSE spent + ?2 END WHERE id = ?1";
        self.transaction.prepare_cached(update)?.execute((account, amount))?;
        Ok(())
    }

    /// What was spent of an account.
    pub(super) fn spent(&self, account: i64) -> Result<i64, Fault> {
        let query = "SELECT spent FROM accounts WHERE id = ?1";
        Ok(self.transaction.prepare_cached(query)?.query_row([account], |row| row.get(0))?)
    }

    /// What everybody was lent of an account.
    pub(super) fn leases(&self, account: i64) -> Result<Vec<Lease>, Fault> {
        Lease::of_account(&self.transaction, account)
    }

    /// What this process was lent of an account.
    pub(super) fn lease(&self, account: i64) -> Result<Lease, Fault> {
        Lease::find(&self.transaction, self.instance, account)
    }

    /// Waits for nothing any more.
    pub(super) fn want_nothing(&self) -> Result<(), Fault> {
        self.transaction.prepare_cached("DELETE FROM wants WHERE instance = ?1")?.execute([self.instance])?;
        Ok(())
    }

    /// Writes something that changes nothing: an empty change would prove nothing of the disk.
    pub(super) fn touch(&self) -> Result<(), Fault> {
        self.transaction.prepare_cached("UPDATE instances SET id = id WHERE id = ?1")?.execute([self.instance])?;
        Ok(())
    }

    /// Waits for an account, or no longer.
    pub(super) fn want(&self, account: i64, is_wanted: bool) -> Result<(), Fault> {
        let statement = match is_wanted {
            true => "INSERT OR IGNORE INTO wants (account, instance) VALUES (?1, ?2)",
            false => "DELETE FROM wants WHERE account = ?1 AND instance = ?2",
        };
        self.transaction.prepare_cached(statement)?.execute((account, self.instance))?;
        Ok(())
    }

    /// Charges everything that processes which have died were lent, since nobody knows what they spent of it.
    pub(super) fn resolve_dead(&mut self, dead: &[i64], at: i64) -> Result<(), Fault> {
        for instance in dead {
            let charges = Lease::outstanding(&self.transaction, *instance)?;
            let kept: BTreeMap<i64, i64> = charges.iter().map(|(account, amount)| (*account, *amount)).collect();
            for (account, amount) in &charges {
                self.spend(*account, *amount)?;
            }
            if !kept.is_empty() {
                self.enter_lost(*instance, &kept, at)?;
            }
            for table in ["leases", "wants"] {
                self.transaction.execute(&format!("DELETE FROM {table} WHERE instance = ?1"), [*instance])?;
            }
            self.transaction.execute("DELETE FROM instances WHERE id = ?1", [*instance])?;
        }
        Ok(())
    }

    fn enter_lost(&mut self, instance: i64, charges: &BTreeMap<i64, i64>, at: i64) -> Result<(), Fault> {
        let named: HashMap<i64, &Account> = self.known.ids.iter().map(|(account, id)| (*id, account)).collect();
        // What can have been spent in all: no more than was lent of any budget that everything counts in.
        let of_all = |window| {
            let of_window = charges.iter().filter(|(id, _)| {
                named.get(id).is_some_and(|account| account.scope == Scope::Everything && account.window == window)
            });
            of_window.map(|(_, amount)| *amount).reduce(i64::saturating_add)
        };
        let cost = of_all(Window::Day).into_iter().chain(of_all(Window::Month)).min();
        let cost = cost.or_else(|| charges.values().copied().max()).unwrap_or(0);
        let text = serde_json::to_string(charges).map_err(|error| Damage::Unreadable(error.to_string()))?;
        let day = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let day = day_of(day.to_zoned(jiff::tz::TimeZone::UTC).date());
        let counts = [0, 0, 0, 0, 0, 0, cost];
        let entry =
            Entry { at, kind: super::entry::LOST, instance, day, counts, charges: Some(&text), ..Entry::default() };
        tracing::warn!(
            instance,
            cost_usd = super::entry::money(cost).decimal(),
            "a process has died: what it was lent is charged, since nobody knows what it spent"
        );
        self.append(&entry)
    }
}

impl Known {
    /// Learns of accounts that were opened since.
    fn learn(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let query = "SELECT id, scope, window, period FROM accounts WHERE id > ?1 ORDER BY id";
        let mut query = connection.prepare_cached(query)?;
        let mut rows = query.query([self.last])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if let Some(account) = account(row, 1)? {
                self.add(id, account);
            }
        }
        Ok(())
    }

    fn add(&mut self, id: i64, account: Account) {
        self.has_labels |= matches!(account.scope, Scope::Label(_));
        self.last = self.last.max(id);
        self.ids.insert(account, id);
    }
}

/// Reads scope, window and period; `None` where a later version has others.
pub(super) fn account(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Option<Account>> {
    let scope = Scope::parse(row.get_ref(from)?.as_str()?);
    let window = Window::parse(row.get_ref(from + 1)?.as_str()?);
    let period = row.get(from + 2)?;
    Ok(scope.zip(window).map(|(scope, window)| Account { scope, window, period }))
}

/// The latest entry's place.
pub(super) fn latest(connection: &Connection) -> rusqlite::Result<Place> {
    let query = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| Ok(Place { seq: row.get(0)?, hash: row.get::<_, Hash>(1)? });
    let latest = connection.prepare_cached(query)?.query_row((), read).optional()?;
    Ok(latest.unwrap_or(Place { seq: 0, hash: BEGINNING }))
}

/// What the entries say was spent of an account, but for what dead processes were charged.
fn sum_of(connection: &Connection, account: &Account) -> rusqlite::Result<i64> {
    // A month and a day on either side takes in every day of it, in any calendar.
    let (first, last) = match account.window {
        Window::Day => (account.period, account.period),
        Window::Month => {
            let first = (account.period - 1_970 * 12).saturating_mul(30);
            let slack = (account.period - 1_970 * 12).abs() / 2 + 62;
            (first.saturating_sub(slack), first.saturating_add(slack))
        }
    };
    let query = format!("SELECT {COLUMNS} FROM entries WHERE day BETWEEN ?1 AND ?2 AND charges IS NULL");
    let mut query = connection.prepare(&query)?;
    let mut rows = query.query([first, last])?;
    let mut sum = 0i64;
    while let Some(row) = rows.next()? {
        let (_, entry) = Entry::read(row)?;
        if entry.belongs_to(account) {
            sum = sum.saturating_add(entry.cost());
        }
    }
    Ok(sum)
}
