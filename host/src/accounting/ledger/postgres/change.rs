//! One change in PostgreSQL: a transaction that holds the head. What is read of an account is kept for as long, and
//! what is changed is written at its end, so that a change of any size takes a few statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::types::Type;

use super::days::Standing;
use super::fault::PostgresFault;
use super::head::Head;
use super::rows::{self, Least, NewEntries, without_nul};
use super::schema::SEATS;
use super::seat::Own;
use super::session::{Session, get};
use crate::accounting::Account;
use crate::accounting::ledger::change::{Change, Known, charge_lost, days_around};
use crate::accounting::ledger::entry::{COLUMNS, Entry, LOST, Place, RETURNED};
use crate::accounting::ledger::error::{Damage, Fault};
use crate::accounting::ledger::lease::Lease;

pub(in crate::accounting::ledger) struct SharedChange<'c> {
    pub(super) session: &'c Session,
    pub(super) own: &'c Own,
    pub(super) head: Head,
    known: &'c mut Known,
    /// Accounts that this process waits for.
    wants: &'c mut BTreeSet<i64>,
    entries: NewEntries,
    books: HashMap<i64, Book>,
    buried: Vec<(i64, Option<i64>)>,
    begins: Option<i32>,
}

/// What is known of an account within a change.
struct Book {
    spent: i64,
    is_spent: bool,
    /// Of those who have something of it, and of this process.
    leases: Vec<Lease>,
    written: BTreeSet<i64>,
    is_wanted: bool,
    instances: i64,
}

impl<'c> SharedChange<'c> {
    pub(super) fn begin(
        session: &'c Session,
        own: &'c Own,
        known: &'c mut Known,
        wants: &'c mut BTreeSet<i64>,
    ) -> Result<Self, Fault> {
        let head = Head::hold(session)?;
        if head.accounts > known.last {
            let query = "SELECT id, scope, \"window\", period FROM backstop_accounts WHERE id > $1 ORDER BY id";
            for row in &session.query(query, &[(&known.last, Type::INT8)])? {
                let (id, account) = rows::account(row)?;
                known.add(id, account);
            }
        }
        Ok(Self {
            session,
            own,
            head,
            known,
            wants,
            entries: NewEntries::default(),
            books: HashMap::new(),
            buried: Vec::new(),
            begins: None,
        })
    }

    /// The same, made by a process that has a seat now.
    pub(super) fn of<'d>(self, own: &'d Own) -> SharedChange<'d>
    where
        'c: 'd,
    {
        SharedChange { own, ..self }
    }

    /// Writes what was changed; `round` is the number of the process's changes from then on. What is left is to commit.
    pub(super) fn write(mut self, round: i64) -> Result<Head, Fault> {
        self.entries.write(self.session, Least::Any)?;
        let (mut ids, mut spent) = (Vec::new(), Vec::new());
        let mut leases = Vec::new();
        for (id, book) in &self.books {
            if book.is_spent {
                ids.push(*id);
                spent.push(book.spent);
            }
            leases.extend(book.leases.iter().filter(|lease| book.written.contains(&lease.instance)).copied());
        }
        if !ids.is_empty() {
            let update = "UPDATE backstop_accounts AS account SET spent = new.spent \
                FROM unnest($1::bigint[], $2::bigint[]) AS new (id, spent) WHERE account.id = new.id";
            self.session.execute(update, &[(&ids, Type::INT8_ARRAY), (&spent, Type::INT8_ARRAY)])?;
        }
        self.write_leases(&leases)?;
        self.write_buried()?;
        if let Some(day) = self.begins {
            let update = "UPDATE backstop_head SET day = $1, day_since = clock_timestamp()";
            self.session.execute(update, &[(&day, Type::INT4)])?;
        }
        self.head.changes += 1;
        let update = "WITH head AS (UPDATE backstop_head SET seq = $1, hash = $2, changes = $3, accounts = $4, \
            instances = $5, seats = $6) UPDATE backstop_instances SET round = $7 WHERE id = $8 AND seat = $9";
        let Head { place, changes, accounts, instances, seats, .. } = &self.head;
        let updated = self.session.execute(
            update,
            &[
                (&place.seq, Type::INT8),
                (&place.hash.as_slice(), Type::BYTEA),
                (changes, Type::INT8),
                (accounts, Type::INT8),
                (instances, Type::INT8),
                (seats, Type::INT4),
                (&round, Type::INT8),
                (&self.own.id, Type::INT8),
                (&self.own.seat, Type::INT4),
            ],
        )?;
        match updated {
            1 => Ok(self.head),
            // Buried, as it can only be where the lock was lost and the connection was not, as behind a pool of
            // connections.
            _ => Err(PostgresFault::refused("the seat of this process is gone", POOLED).into()),
        }
    }

    fn write_leases(&self, leases: &[Lease]) -> Result<(), Fault> {
        if leases.is_empty() {
            return Ok(());
        }
        let upsert = "INSERT INTO backstop_leases (instance, account, granted, consumed, mark) \
            SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
            ON CONFLICT (account, instance) DO UPDATE \
            SET granted = excluded.granted, consumed = excluded.consumed, mark = excluded.mark";
        let column = |of: fn(&Lease) -> i64| leases.iter().map(of).collect::<Vec<i64>>();
        let columns = [
            column(|lease| lease.instance),
            column(|lease| lease.account),
            column(|lease| lease.granted),
            column(|lease| lease.consumed),
            column(Lease::mark),
        ];
        let [instance, account, granted, consumed, mark] = &columns;
        let values = [instance, account, granted, consumed, mark];
        self.session.execute(
            upsert,
            &values.map(|column| (column as &(dyn tokio_postgres::types::ToSql + Sync), Type::INT8_ARRAY)),
        )?;
        Ok(())
    }

    fn write_buried(&self) -> Result<(), Fault> {
        for (instance, lost) in &self.buried {
            let update = "WITH wants AS (DELETE FROM backstop_wants WHERE instance = $1) \
                UPDATE backstop_instances SET seat = NULL, lost = $2, died = clock_timestamp() WHERE id = $1";
            self.session.execute(update, &[(instance, Type::INT8), (lost, Type::INT8)])?;
        }
        if !self.buried.is_empty() {
            let forget = "WITH gone AS (DELETE FROM backstop_instances WHERE died < now() - interval '30 days' \
                RETURNING id) DELETE FROM backstop_leases WHERE instance IN (SELECT id FROM gone)";
            self.session.execute(forget, &[])?;
        }
        Ok(())
    }

    /// Charges what processes were lent whose seats are empty. What they had is noted, in case one of them comes back.
    pub(super) fn bury_the_dead(&mut self, at: i64) -> Result<(), Fault> {
        // The locks are those of this transaction: nobody sits down meanwhile.
        let query = format!(
            "SELECT id FROM (SELECT id, seat FROM backstop_instances WHERE seat IS NOT NULL AND id <> $1 OFFSET 0) \
            AS seated WHERE pg_try_advisory_xact_lock({SEATS}, seat)"
        );
        for row in &self.session.query(&query, &[(&self.own.id, Type::INT8)])? {
            let instance: i64 = get(row, 0)?;
            let query = "SELECT account FROM backstop_leases WHERE instance = $1 AND granted > consumed";
            let mut charges = BTreeMap::new();
            for row in &self.session.query(query, &[(&instance, Type::INT8)])? {
                let account: i64 = get(row, 0)?;
                let mut lease = self.lease_of(instance, account)?;
                charges.insert(account, lease.outstanding_amount());
                lease.granted = lease.consumed;
                self.write_lease(lease)?;
            }
            charge_lost(self, instance, &charges, at)?;
            self.buried.push((instance, (!charges.is_empty()).then_some(self.head.place.seq)));
        }
        Ok(())
    }

    /// Undoes the burial of this process: what it was charged is taken back, and lent to it again.
    pub(super) fn undo_burial(&mut self, lost: i64, at: i64) -> Result<(), Fault> {
        let query = format!("SELECT {COLUMNS} FROM backstop_entries WHERE seq = $1");
        let rows = self.session.query(&query, &[(&lost, Type::INT8)])?;
        let Some(row) = rows.first() else { return Err(Damage::Gap(lost).into()) };
        let (_, entry) = rows::entry(row)?;
        let charges = entry.charges().filter(|_| entry.kind == LOST && entry.instance == self.own.id);
        let Some(charges) = charges else { return Err(Damage::Entry(lost).into()) };
        let mut back = BTreeMap::new();
        for (account, amount) in &charges {
            let mut lease = self.lease_of(self.own.id, *account)?;
            lease.granted = lease.granted.saturating_add(*amount);
            self.write_lease(lease)?;
            self.spend(*account, amount.saturating_neg())?;
            back.insert(*account, amount.saturating_neg());
        }
        let text = serde_json::to_string(&back).map_err(|error| Damage::Unreadable(error.to_string()))?;
        tracing::info!(entry = lost, "this process was taken for dead: what it was charged is taken back");
        // Of the same day: the two cancel each other wherever costs are added up.
        self.append(&Entry { at, kind: RETURNED, charges: Some(&text), ..entry })
    }

    fn book(&mut self, account: i64) -> Result<&mut Book, Fault> {
        if !self.books.contains_key(&account) {
            let (own, account_of) = ((&self.own.id as _, Type::INT8), (&account as _, Type::INT8));
            let (standing, leases) = self.session.query_both(
                (
                    "SELECT spent, EXISTS (SELECT 1 FROM backstop_wants WHERE account = $1 AND instance <> $2), \
                    (SELECT count(*) FROM backstop_instances WHERE seat IS NOT NULL) \
                    FROM backstop_accounts WHERE id = $1",
                    &[account_of.clone(), own.clone()],
                ),
                (
                    "SELECT instance, account, granted, consumed, mark FROM backstop_leases \
                    WHERE account = $1 AND (granted > consumed OR instance = $2)",
                    &[account_of, own],
                ),
            )?;
            let Some(row) = standing.first() else {
                return Err(Damage::Unreadable(format!("account {account} is missing")).into());
            };
            let leases = leases.iter().map(lease).collect::<Result<_, _>>()?;
            let book = Book {
                spent: get(row, 0)?,
                is_spent: false,
                leases,
                written: BTreeSet::new(),
                is_wanted: get(row, 1)?,
                instances: get(row, 2)?,
            };
            self.books.insert(account, book);
        }
        let missing = || Damage::Unreadable(format!("account {account} is missing"));
        self.books.get_mut(&account).ok_or_else(|| missing().into())
    }

    fn lease_of(&mut self, instance: i64, account: i64) -> Result<Lease, Fault> {
        let found = self.book(account)?.leases.iter().find(|lease| lease.instance == instance).copied();
        Ok(found.unwrap_or(Lease { instance, account, granted: 0, consumed: 0 }))
    }
}

/// What a process behind a pool of connections is told; begins with a semicolon.
const POOLED: &str = "; connect to the server itself, and not to a pool that gives a connection to others";

impl Change for SharedChange<'_> {
    fn instance(&self) -> i64 {
        self.own.id
    }

    fn append(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let (route, provider, model) =
            (without_nul(entry.route), without_nul(entry.provider), without_nul(entry.model));
        let key = entry.key.map(without_nul);
        let entry = Entry { route: &route, provider: &provider, model: &model, key: key.as_deref(), ..entry.clone() };
        let seq = self.head.place.seq.saturating_add(1);
        let place = Place { seq, hash: entry.digest(seq, &self.head.place.hash) };
        self.entries.push(&place, &entry);
        self.head.place = place;
        self.entries.write(self.session, Least::Many)
    }

    fn known(&self) -> &Known {
        self.known
    }

    fn account(&mut self, account: &Account) -> Result<i64, Fault> {
        if let Some(id) = self.known.id(account) {
            return Ok(id);
        }
        // What is entered in this change counts as well.
        self.entries.write(self.session, Least::Any)?;
        let spent = sum_of(self.session, account, i64::MAX)?;
        let id = self.head.accounts.saturating_add(1);
        let (scope, window) = (account.scope.to_string(), account.window.name());
        let insert = "INSERT INTO backstop_accounts (id, scope, \"window\", period, spent) VALUES ($1, $2, $3, $4, $5)";
        let (scope, period) = (without_nul(&scope), account.period);
        self.session.execute(
            insert,
            &[
                (&id, Type::INT8),
                (&scope.as_ref(), Type::TEXT),
                (&window, Type::TEXT),
                (&period, Type::INT4),
                (&spent, Type::INT8),
            ],
        )?;
        self.head.accounts = id;
        self.known.add(id, account.clone());
        Ok(id)
    }

    fn is_lendable(&mut self, account: &Account) -> Result<bool, Fault> {
        match self.head.days.standing(account) {
            Standing::Open => Ok(true),
            Standing::Begins(day) => {
                self.begins = Some(day);
                self.head.days.latest = day;
                Ok(true)
            }
            standing @ (Standing::Over | Standing::Ahead) => {
                let what = if standing == Standing::Over { "is over" } else { "has not begun" };
                tracing::warn!(
                    "nothing is lent of {account}, which {what}: set this machine's clock, or budget.time_zone"
                );
                Ok(false)
            }
        }
    }

    fn spent(&mut self, account: i64) -> Result<i64, Fault> {
        Ok(self.book(account)?.spent)
    }

    fn spend(&mut self, account: i64, amount: i64) -> Result<(), Fault> {
        let book = self.book(account)?;
        book.spent = book.spent.saturating_add(amount).max(0);
        book.is_spent = true;
        Ok(())
    }

    fn leases(&mut self, account: i64) -> Result<Vec<Lease>, Fault> {
        Ok(self.book(account)?.leases.clone())
    }

    fn lease(&mut self, account: i64) -> Result<Lease, Fault> {
        self.lease_of(self.own.id, account)
    }

    fn write_lease(&mut self, lease: Lease) -> Result<(), Fault> {
        let book = self.book(lease.account)?;
        book.leases.retain(|other| other.instance != lease.instance);
        book.leases.push(lease);
        book.written.insert(lease.instance);
        Ok(())
    }

    fn want(&mut self, account: i64, is_wanted: bool) -> Result<(), Fault> {
        if self.wants.contains(&account) == is_wanted {
            return Ok(());
        }
        let statement = match is_wanted {
            true => "INSERT INTO backstop_wants (account, instance) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            false => "DELETE FROM backstop_wants WHERE account = $1 AND instance = $2",
        };
        self.session.execute(statement, &[(&account, Type::INT8), (&self.own.id, Type::INT8)])?;
        if is_wanted {
            self.wants.insert(account)
        } else {
            self.wants.remove(&account)
        };
        Ok(())
    }

    fn want_nothing(&mut self) -> Result<(), Fault> {
        let wanted: Vec<i64> = self.wants.iter().copied().collect();
        wanted.into_iter().try_for_each(|account| self.want(account, false))
    }

    fn is_wanted(&mut self, account: i64) -> Result<bool, Fault> {
        Ok(self.book(account)?.is_wanted)
    }

    fn instances(&mut self) -> Result<i64, Fault> {
        // The same for every account.
        if let Some(book) = self.books.values().next() {
            return Ok(book.instances);
        }
        let rows = self.session.query("SELECT count(*) FROM backstop_instances WHERE seat IS NOT NULL", &[])?;
        Ok(rows.first().map(|row| get(row, 0)).transpose()?.unwrap_or(1))
    }

    /// Every change writes the head.
    fn touch(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Reads a lease, and holds it to its mark.
pub(super) fn lease(row: &tokio_postgres::Row) -> Result<Lease, Fault> {
    let lease = Lease { instance: get(row, 0)?, account: get(row, 1)?, granted: get(row, 2)?, consumed: get(row, 3)? };
    let mark: i64 = get(row, 4)?;
    if mark == lease.mark() {
        Ok(lease)
    } else {
        Err(Damage::Lease { instance: lease.instance, account: lease.account }.into())
    }
}

/// What the entries up to one of them say was spent of an account, but for what dead processes were charged.
pub(super) fn sum_of(session: &Session, account: &Account, until: i64) -> Result<i64, Fault> {
    let (first, last) = days_around(account);
    // Entries of one kind are added up there: what belongs to an account is told by these alone.
    let query = "SELECT day, route, provider, key, labels, sum(cost)::text FROM backstop_entries \
        WHERE day BETWEEN $1 AND $2 AND charges IS NULL AND seq <= $3 \
        GROUP BY day, route, provider, key, labels";
    let mut sum = 0i64;
    let values = [(&first as _, Type::INT4), (&last as _, Type::INT4), (&until as _, Type::INT8)];
    for row in &session.query_at_length(query, &values)? {
        let entry = Entry {
            day: get(row, 0)?,
            route: get(row, 1)?,
            provider: get(row, 2)?,
            key: get(row, 3)?,
            labels: get(row, 4)?,
            ..Entry::default()
        };
        if entry.belongs_to(account) {
            let cost: &str = get(row, 5)?;
            // A sum beyond all integers stands for the largest.
            sum = sum.saturating_add(cost.parse().unwrap_or(i64::MAX));
        }
    }
    Ok(sum)
}
