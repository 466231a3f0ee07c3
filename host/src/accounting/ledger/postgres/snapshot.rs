//! All of the ledger in PostgreSQL at one moment, for the audit.

use tokio_postgres::types::Type;

use super::head::Head;
use super::schema::{self, Found};
use super::session::{Purpose, Session, get};
use super::{change, rows};
use crate::accounting::Account;
use crate::accounting::ledger::audit::{Audit, Snapshot};
use crate::accounting::ledger::entry::{COLUMNS, Entry, Hash, Place};
use crate::accounting::ledger::error::{Damage, Fault, LedgerError};
use crate::config::LedgerAddress;

/// Entries that are read at once.
const PAGE: i64 = 5_000;

struct SharedSnapshot {
    session: Session,
}

/// Reads over what is new, or everything. Where there are no tables there is nothing to read.
///
/// # Errors
/// The first place where it does not add up; else what PostgreSQL says.
pub(in crate::accounting::ledger) fn audit(audit: &mut Audit, address: &LedgerAddress) -> Result<(), LedgerError> {
    read_over(audit, address).map_err(|fault| LedgerError::of_shared(address, fault))
}

fn read_over(audit: &mut Audit, address: &LedgerAddress) -> Result<(), Fault> {
    let session = Session::open(address, Purpose::Read)?;
    if schema::look(&session)? == Found::Nothing {
        return Ok(());
    }
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    audit.read_over(&mut SharedSnapshot { session })
}

impl Snapshot for SharedSnapshot {
    fn accounts(&mut self) -> Result<Vec<(i64, Account, i64)>, Fault> {
        let rows = self.session.query("SELECT id, scope, \"window\", period, spent FROM backstop_accounts", &[])?;
        let account = |row| rows::account(row).and_then(|(id, account)| Ok((id, account, get(row, 4)?)));
        rows.iter().map(account).collect()
    }

    fn hash(&mut self, seq: i64) -> Result<Option<Hash>, Fault> {
        let rows = self.session.query("SELECT hash FROM backstop_entries WHERE seq = $1", &[(&seq, Type::INT8)])?;
        let hash = rows.first().map(|row| get::<&[u8]>(row, 0)).transpose()?;
        Ok(hash.and_then(|hash| hash.try_into().ok()))
    }

    fn spent(&mut self, account: &Account, until: i64) -> Result<i64, Fault> {
        change::sum_of(&self.session, account, until)
    }

    fn entries(
        &mut self,
        after: i64,
        tell: &mut dyn FnMut(Place, &Entry<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let query = format!("SELECT {COLUMNS} FROM backstop_entries WHERE seq > $1 ORDER BY seq LIMIT $2");
        let mut last = after;
        loop {
            let rows = self.session.query(&query, &[(&last, Type::INT8), (&PAGE, Type::INT8)])?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                // What cannot even be read is damaged, too.
                let (place, entry) = rows::entry(row).map_err(|_| Damage::Entry(last.saturating_add(1)))?;
                last = place.seq;
                tell(place, &entry)?;
            }
        }
    }

    fn rest(&mut self, latest: &Place) -> Result<(), Fault> {
        let head = Head::read(&self.session)?.place;
        if head.seq > latest.seq {
            return Err(Damage::Gap(latest.seq.saturating_add(1)).into());
        }
        if head.seq < latest.seq || head.hash != latest.hash {
            return Err(Damage::Entry(head.seq.saturating_add(1)).into());
        }
        let query = "SELECT instance, account, granted, consumed, mark FROM backstop_leases";
        self.session.query(query, &[])?.iter().try_for_each(|row| change::lease(row).map(|_| ()))
    }
}
