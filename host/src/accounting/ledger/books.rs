//! The ledger's file as one process writes it: every change is one transaction, and on disk when it returns.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::change::{Books, Change, Known, charge_lost, days_around};
use super::clerk::INSPECT;
use super::commons::{Commons, IDLE, Trouble};
use super::entry::{BEGINNING, COLUMNS, Entry, Hash, Place};
use super::error::{Fault, LedgerError};
use super::head::Head;
use super::instance::Instance;
use super::lease::Lease;
use super::schema;
use super::standing::{Claim, Report, Standing};
use crate::accounting::database::make_folder;
use crate::accounting::{Account, Scope, Window};
use crate::clock::Clock;
use crate::config::SharedAddress;

/// The file, open for writing.
pub(super) struct FileBooks {
    connection: Connection,
    pub(super) path: PathBuf,
    pub(super) instance: Instance,
    head: Head,
    known: Known,
    /// The store that lends to this ledger and others, where one does.
    commons: Option<Commons>,
}

/// One change of the file.
pub(super) struct FileChange<'c> {
    pub(super) transaction: Transaction<'c>,
    known: &'c mut Known,
    commons: Option<&'c mut Commons>,
    pub(super) instance: i64,
    /// The latest entry.
    latest: Place,
    has_entered: bool,
}

impl FileBooks {
    /// Opens the file at a path, or makes it, and takes a place among those that write it.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        make_folder(path).map_err(|source| LedgerError::File { path: path.to_owned(), source })?;
        let mut connection = schema::open(path)?;
        let head = Head::open(path)?;
        head.check(&connection, path)?;
        let instance = Instance::enter(&mut connection, path)?;
        Ok(Self { connection, path: path.to_owned(), instance, head, known: Known::default(), commons: None })
    }
}

impl FileBooks {
    /// Has its money lent from now on by a store that lends to others, too.
    pub(super) fn share(&mut self, address: &SharedAddress, clock: &Arc<dyn Clock>) -> Result<(), Trouble> {
        self.commons = Some(self.change(|change| Commons::open(address, change, clock)).map_err(Trouble::Ledger)??);
        Ok(())
    }
}

impl Books for FileBooks {
    type Change<'c> = FileChange<'c>;

    fn change<T>(&mut self, work: impl FnOnce(&mut FileChange<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let latest = latest(&transaction)?;
        learn(&mut self.known, &transaction)?;
        let instance = self.instance.id;
        let (known, commons) = (&mut self.known, self.commons.as_mut());
        let mut change = FileChange { transaction, known, commons, instance, latest, has_entered: false };
        let made = work(&mut change);
        let (committed, entered) = change.commit(made);
        match &committed {
            Ok(_) => entered.iter().for_each(|latest| self.head.write(latest)),
            // What was opened in it is not there.
            Err(_) => self.known = Known::default(),
        }
        committed
    }

    /// SQLite tells at once.
    fn was_made(&mut self) -> Result<bool, Fault> {
        Ok(false)
    }

    fn version(&mut self) -> Result<i64, Fault> {
        Ok(self.connection.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap_or(0))
    }

    fn wanted(&mut self) -> Result<Vec<Account>, Fault> {
        let query = "SELECT DISTINCT scope, window, period FROM wants JOIN accounts ON accounts.id = wants.account \
            WHERE wants.instance <> ?1";
        let mut query = self.connection.prepare_cached(query)?;
        let rows = query.query_map([self.instance.id], |row| account(row, 0))?;
        let here: Vec<Account> = rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect();
        Ok(self.commons.iter().flat_map(Commons::wanted).chain(here).collect())
    }

    fn rhythm(&self) -> Duration {
        if self.commons.is_some() { IDLE } else { INSPECT }
    }

    fn is_report_due(&self, is_busy: bool) -> bool {
        self.commons.as_ref().is_some_and(|commons| commons.is_due(is_busy))
    }

    fn report(&mut self) -> Result<Report, Fault> {
        // On the disk first: the store may lend to others what it is told of.
        self.change(|change| change.with_commons(|commons, change| commons.give_up(change)).unwrap_or(Ok(())))?;
        let report = |change: &mut FileChange<'_>| change.with_commons(|commons, change| commons.report(change));
        self.change(|change| report(change).unwrap_or(Ok(Report::Silent)))
    }

    fn bury_the_dead(&mut self, at: i64) -> Result<(), Fault> {
        let path = self.path.clone();
        self.change(|change| {
            let dead = Instance::dead(&change.transaction, &path)?;
            change.resolve_dead(&dead, at)?;
            // Within the change: once it is made their numbers are free, and whoever enters then may lock the same files.
            dead.iter().for_each(|instance| Instance::bury(&path, *instance));
            Ok(())
        })
    }

    fn leave(self) {
        self.instance.leave(&self.connection);
    }

    fn error(&self, fault: Fault) -> LedgerError {
        LedgerError::of_fault(&self.path, fault)
    }

    #[cfg(test)]
    fn set_disk(&self, disk: super::tests::Disk) {
        let pages: i64 = self.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let most = match disk {
            super::tests::Disk::Full => pages,
            super::tests::Disk::Roomy => 1 << 30,
        };
        self.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(())).unwrap();
    }
}

impl FileChange<'_> {
    /// Ends it: on disk, with the latest entry where there is a new one, or undone.
    fn commit<T>(self, made: Result<T, Fault>) -> (Result<T, Fault>, Option<Place>) {
        let Self { transaction, latest, has_entered, .. } = self;
        let committed = made.and_then(|made| Ok(transaction.commit().map(|()| made)?));
        (committed, has_entered.then_some(latest))
    }

    /// Lets the store that lends to this ledger look at the change, where there is one.
    fn with_commons<T>(&mut self, work: impl FnOnce(&mut Commons, &mut Self) -> T) -> Option<T> {
        let commons = self.commons.take()?;
        let done = work(commons, self);
        self.commons = Some(commons);
        Some(done)
    }

    /// Charges what processes that have died were lent, and forgets them.
    pub(super) fn resolve_dead(&mut self, dead: &[i64], at: i64) -> Result<(), Fault> {
        for instance in dead {
            let charges = Lease::outstanding(&self.transaction, *instance)?;
            charge_lost(self, *instance, &charges, at)?;
            for table in ["leases", "wants"] {
                self.transaction.execute(&format!("DELETE FROM {table} WHERE instance = ?1"), [*instance])?;
            }
            self.transaction.execute("DELETE FROM instances WHERE id = ?1", [*instance])?;
        }
        Ok(())
    }
}

impl Change for FileChange<'_> {
    fn instance(&self) -> i64 {
        self.instance
    }

    fn append(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let seq = self.latest.seq + 1;
        let place = Place { seq, hash: entry.digest(seq, &self.latest.hash) };
        entry.insert(&self.transaction, &place)?;
        self.latest = place;
        self.has_entered = true;
        Ok(())
    }

    fn known(&self) -> &Known {
        self.known
    }

    fn account(&mut self, account: &Account) -> Result<i64, Fault> {
        if let Some(id) = self.known.id(account) {
            return Ok(id);
        }
        let spent = sum_of(&self.transaction, account, i64::MAX)?;
        let insert = "INSERT INTO accounts (scope, window, period, spent) VALUES (?1, ?2, ?3, ?4)";
        let (scope, window) = (account.scope.to_string(), account.window.name());
        self.transaction.prepare_cached(insert)?.execute((scope, window, account.period, spent))?;
        let id = self.transaction.last_insert_rowid();
        self.known.add(id, account.clone());
        Ok(id)
    }

    /// The processes of one machine go by one clock, and each goes only forward.
    fn is_lendable(&mut self, _: &Account) -> Result<bool, Fault> {
        Ok(true)
    }

    fn standing(&mut self, id: i64, account: &Account, claim: &Claim) -> Result<Standing, Fault> {
        let shared = self.with_commons(|commons, change| commons.standing(change, id, account, claim));
        shared.unwrap_or_else(|| Ok(Standing::alone(claim)))
    }

    fn spent(&mut self, account: i64) -> Result<i64, Fault> {
        let query = "SELECT spent FROM accounts WHERE id = ?1";
        Ok(self.transaction.prepare_cached(query)?.query_row([account], |row| row.get(0))?)
    }

    fn spend(&mut self, account: i64, amount: i64) -> Result<(), Fault> {
        let update = "UPDATE accounts SET spent = CASE WHEN spent > 9223372036854775807 - ?2 \
            THEN 9223372036854775807 ELSE spent + ?2 END WHERE id = ?1";
        self.transaction.prepare_cached(update)?.execute((account, amount))?;
        Ok(())
    }

    fn leases(&mut self, account: i64) -> Result<Vec<Lease>, Fault> {
        Lease::of_account(&self.transaction, account)
    }

    fn lease(&mut self, account: i64) -> Result<Lease, Fault> {
        Lease::find(&self.transaction, self.instance, account)
    }

    fn write_lease(&mut self, lease: Lease) -> Result<(), Fault> {
        lease.write(&self.transaction)
    }

    fn want(&mut self, account: i64, is_wanted: bool) -> Result<(), Fault> {
        let statement = match is_wanted {
            true => "INSERT OR IGNORE INTO wants (account, instance) VALUES (?1, ?2)",
            false => "DELETE FROM wants WHERE account = ?1 AND instance = ?2",
        };
        self.transaction.prepare_cached(statement)?.execute((account, self.instance))?;
        Ok(())
    }

    fn want_nothing(&mut self) -> Result<(), Fault> {
        self.transaction.prepare_cached("DELETE FROM wants WHERE instance = ?1")?.execute([self.instance])?;
        Ok(())
    }

    fn is_wanted(&mut self, account: i64) -> Result<bool, Fault> {
        let query = "SELECT 1 FROM wants WHERE account = ?1 AND instance <> ?2 LIMIT 1";
        let found =
            self.transaction.prepare_cached(query)?.query_row((account, self.instance), |_| Ok(())).optional()?;
        Ok(found.is_some())
    }

    fn instances(&mut self) -> Result<i64, Fault> {
        Ok(self.transaction.prepare_cached("SELECT count(*) FROM instances")?.query_row((), |row| row.get(0))?)
    }

    fn touch(&mut self) -> Result<(), Fault> {
        self.transaction.prepare_cached("UPDATE instances SET id = id WHERE id = ?1")?.execute([self.instance])?;
        Ok(())
    }
}

/// Learns of accounts that were opened since.
fn learn(known: &mut Known, connection: &Connection) -> rusqlite::Result<()> {
    let query = "SELECT id, scope, window, period FROM accounts WHERE id > ?1 ORDER BY id";
    let mut query = connection.prepare_cached(query)?;
    let mut rows = query.query([known.last])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        if let Some(account) = account(row, 1)? {
            known.add(id, account);
        }
    }
    Ok(())
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

/// What the entries up to one of them say was spent of an account, but for what dead processes were charged.
pub(super) fn sum_of(connection: &Connection, account: &Account, until: i64) -> rusqlite::Result<i64> {
    let (first, last) = days_around(account);
    // The days are looked up, and not the numbers: most entries of a long ledger are older.
    let of_days = "day BETWEEN ?1 AND ?2 AND charges IS NULL AND +seq <= ?3";
    let mut query = connection.prepare(&format!("SELECT {COLUMNS} FROM entries WHERE {of_days}"))?;
    let mut rows = query.query((first, last, until))?;
    let mut sum = 0i64;
    while let Some(row) = rows.next()? {
        let (_, entry) = Entry::read(row)?;
        if entry.belongs_to(account) {
            sum = sum.saturating_add(entry.cost());
        }
    }
    Ok(sum)
}
