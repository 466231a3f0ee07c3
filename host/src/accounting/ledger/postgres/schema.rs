//! The tables in PostgreSQL, and how they are made when there are none. Their names begin with `backstop_`: a database
//! may have others.

use tokio_postgres::types::Type;

use super::fault::PostgresFault;
use super::session::{Session, get};
use crate::accounting::ledger::error::Fault;

/// The layout this version writes, and the only one it reads.
pub(super) const VERSION: i32 = 1;

/// The first number of the advisory locks that seats are: another one for each ledger of a server's.
pub(super) const SEATS: &str = "hashtext('backstop_instances'::regclass::oid::text)";

/// Held while the tables are made: `BkLg`, by which our advisory locks are known.
const MAKING: i64 = 0x426B_4C67;

const TABLES: &str = "
    -- Whoever changes anything holds this row: what is in it is the end of the chain.
    CREATE TABLE backstop_head (
        one       boolean PRIMARY KEY DEFAULT true CHECK (one),
        layout    integer NOT NULL,
        seq       bigint NOT NULL,                  -- the latest entry
        hash      bytea NOT NULL CHECK (length(hash) = 32),
        changes   bigint NOT NULL,                  -- made so far
        accounts  bigint NOT NULL,                  -- the latest one
        instances bigint NOT NULL,                  -- the latest one: numbers are not used again
        seats     integer NOT NULL,                 -- the latest one
        day       integer NOT NULL,                 -- the latest that has begun: days since 1970
        day_since timestamptz NOT NULL
    );
    -- What happened, for good: each entry's digest covers the one before.
    CREATE TABLE backstop_entries (
        seq            bigint PRIMARY KEY,
        at             bigint NOT NULL,             -- milliseconds since 1970
        kind           text NOT NULL CHECK (kind IN ('exact', 'uncertain', 'overrun', 'lost', 'returned', 'reset')),
        instance       bigint NOT NULL,             -- the process that entered it, or was charged by it
        day            integer NOT NULL,            -- it counts in this one: days since 1970 in the budgets' time zone
        request        bytea CHECK (length(request) = 16),
        route          text NOT NULL,
        provider       text NOT NULL,
        model          text NOT NULL,
        key            text,
        labels         text,                        -- a list of pairs, as JSON
        answers        bigint NOT NULL CHECK (answers >= 0),
        input          bigint NOT NULL CHECK (input >= 0),
        output         bigint NOT NULL CHECK (output >= 0),
        cache_read     bigint NOT NULL CHECK (cache_read >= 0),
        cache_creation bigint NOT NULL CHECK (cache_creation >= 0),
        reasoning      bigint NOT NULL CHECK (reasoning >= 0),
        cost           bigint NOT NULL CHECK (cost >= 0),       -- nano-dollars; taken back where the kind is `returned`
        charges        text,                        -- where it is not the cost: account and nano-dollars, as JSON
        hash           bytea NOT NULL CHECK (length(hash) = 32)
    );
    CREATE INDEX backstop_entries_by_day ON backstop_entries (day);
    CREATE INDEX backstop_resets ON backstop_entries (seq) WHERE kind = 'reset';
    -- What was spent of each: the sum of its entries.
    CREATE TABLE backstop_accounts (
        id       bigint PRIMARY KEY,
        scope    text NOT NULL,
        \"window\" text NOT NULL CHECK (\"window\" IN ('day', 'month')),
        period   integer NOT NULL,
        spent    bigint NOT NULL CHECK (spent >= 0),            -- nano-dollars
        UNIQUE (scope, \"window\", period)
    );
    -- What each process was lent of an account, and has entered of it.
    CREATE TABLE backstop_leases (
        instance bigint NOT NULL,
        account  bigint NOT NULL,
        granted  bigint NOT NULL CHECK (granted >= 0),
        consumed bigint NOT NULL CHECK (consumed >= 0),
        mark     bigint NOT NULL,                   -- the beginning of a digest of the row
        PRIMARY KEY (account, instance)
    );
    -- Accounts that somebody waits for: whoever was lent more than they use gives it back.
    CREATE TABLE backstop_wants (
        account  bigint NOT NULL,
        instance bigint NOT NULL,
        PRIMARY KEY (account, instance)
    );
    -- Processes that write. One that has died is kept for a month, in case it has only lost its connection.
    CREATE TABLE backstop_instances (
        id    bigint PRIMARY KEY,
        seat  integer,                              -- an advisory lock of its session; none where it has died
        round bigint NOT NULL,                      -- changes it has made
        lost  bigint,                               -- the entry by which it was charged when it died
        died  timestamptz
    );
    INSERT INTO backstop_head (layout, seq, hash, changes, accounts, instances, seats, day, day_since)
        VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, 0, 0, 0, -2147483648, now());
";

/// Whether there is a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is, of this layout.
    Laid,
    /// There is none.
    Nothing,
}

/// Looks what is there.
pub(super) fn look(session: &Session) -> Result<Found, PostgresFault> {
    let encoding = "SELECT current_setting('server_encoding'), to_regclass('backstop_head') IS NOT NULL";
    let rows = session.query(encoding, &[])?;
    let (encoding, is_there): (String, bool) = match rows.first() {
        Some(row) => (get(row, 0)?, get(row, 1)?),
        None => return Err(PostgresFault::away("it does not say what it is")),
    };
    if encoding != "UTF8" {
        let words = format!("the database's encoding is {encoding}, and names may have any letters");
        return Err(PostgresFault::refused(words, "; create one with `createdb --encoding UTF8 --template template0`"));
    }
    if !is_there {
        return Ok(Found::Nothing);
    }
    let rows = session.query("SELECT layout FROM backstop_head", &[])?;
    match rows.first().map(|row| get::<i32>(row, 0)).transpose()? {
        Some(VERSION) => Ok(Found::Laid),
        Some(found) if found > VERSION => {
            let words = format!("a later version has written it (its layout is {found}, this one knows {VERSION})");
            Err(PostgresFault::refused(words, "; use that version, or another database"))
        }
        Some(found) => {
            let words = format!("an earlier version has written it (its layout is {found}, this one knows {VERSION})");
            Err(PostgresFault::refused(words, "; use that version, or another database"))
        }
        None => Err(PostgresFault::refused(
            "the table backstop_head is empty",
            "; restore a sound copy, or drop the tables that begin with backstop_ to begin a new ledger",
        )),
    }
}

/// Makes the tables where there are none. Of several processes at once one makes them, and the others wait.
pub(super) fn lay_out(session: &Session) -> Result<(), Fault> {
    if look(session)? == Found::Laid {
        return Ok(());
    }
    session.run("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    session.query("SELECT pg_advisory_xact_lock($1)", &[(&MAKING, Type::INT8)])?;
    if look(session)? == Found::Nothing {
        session.run(TABLES)?;
    }
    session.run("COMMIT")?;
    Ok(())
}
