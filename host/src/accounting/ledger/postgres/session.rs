//! One connection to PostgreSQL, driven by the thread that has it. Nothing on it lasts longer than it may.

use std::future::Future;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, Row};

use super::fault::PostgresFault;
use super::tls::Secure;
use crate::config::{LedgerAddress, LedgerTls};

/// How long one statement may take, there and back: then whoever waits is refused.
const STATEMENT: Duration = Duration::from_millis(900);

/// How long it may take to connect, to make the connection secure and to be let in.
const CONNECTING: Duration = Duration::from_secs(4);

/// How long reading may take, where nobody's request waits.
const READING: Duration = Duration::from_secs(60);

/// A server whose machine is gone is found out by the system within this.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// What a connection is told first. Whatever we have given up is ended there as well, soon after, so that it holds no
/// lock; what is committed is on its disk, whatever the server's usual way is.
const MANNERS: &str = "SET statement_timeout = '2s'; SET lock_timeout = '2s'; \
    SET idle_in_transaction_session_timeout = '5s'; SET synchronous_commit = on; SET client_min_messages = warning";

/// The same for one that only reads: it holds no lock that others wait for.
const READERS_MANNERS: &str = "SET statement_timeout = '60s'; SET default_transaction_read_only = on; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning";

/// A value of a statement, and what PostgreSQL calls its type.
pub(super) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection. Not for a thread of the runtime's: it blocks.
pub(super) struct Session {
    runtime: Runtime,
    client: Client,
    patience: Duration,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Changes, which requests wait for.
    Write,
    /// Reading, which may take a while.
    Read,
}

impl Session {
    pub(super) fn open(address: &LedgerAddress, purpose: Purpose) -> Result<Self, PostgresFault> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| PostgresFault::away(format!("no connection can be made: {error}")))?;
        let (manners, patience) = match purpose {
            Purpose::Write => (MANNERS, STATEMENT),
            Purpose::Read => (READERS_MANNERS, READING),
        };
        let client = runtime.block_on(async { tokio::time::timeout(CONNECTING, connected(address)).await });
        let client = client.unwrap_or_else(|_| Err(PostgresFault::away("it does not answer")))?;
        let session = Self { runtime, client, patience };
        session.run(manners)?;
        Ok(session)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// Runs statements that have no values and return nothing.
    pub(super) fn run(&self, statements: &str) -> Result<(), PostgresFault> {
        self.wait(self.client.batch_execute(statements))
    }

    /// Begins something, and asks within it, in one go.
    pub(super) fn run_and_query(&self, statements: &str, query: &str) -> Result<Vec<Row>, PostgresFault> {
        let both = async {
            let (ran, rows) = tokio::join!(self.client.batch_execute(statements), self.client.query_typed(query, &[]));
            ran.and(rows)
        };
        self.wait(both)
    }

    pub(super) fn query(&self, query: &str, values: &[Value<'_>]) -> Result<Vec<Row>, PostgresFault> {
        self.wait(self.client.query_typed(query, values))
    }

    /// A question that may take long, since it reads much. Within a change others are refused meanwhile, where the
    /// alternative is never; a reader has the time in any case.
    pub(super) fn query_at_length(&self, query: &str, values: &[Value<'_>]) -> Result<Vec<Row>, PostgresFault> {
        if self.patience == READING {
            return self.query(query, values);
        }
        self.run("SET LOCAL statement_timeout = '60s'")?;
        let rows = self.wait_for(READING, self.client.query_typed(query, values))?;
        self.run("SET LOCAL statement_timeout = '2s'")?;
        Ok(rows)
    }

    /// Two questions in one go.
    pub(super) fn query_both(
        &self,
        one: (&str, &[Value<'_>]),
        other: (&str, &[Value<'_>]),
    ) -> Result<(Vec<Row>, Vec<Row>), PostgresFault> {
        self.wait(async {
            tokio::try_join!(self.client.query_typed(one.0, one.1), self.client.query_typed(other.0, other.1))
        })
    }

    /// Runs a statement; returns how many rows it has changed.
    pub(super) fn execute(&self, statement: &str, values: &[Value<'_>]) -> Result<u64, PostgresFault> {
        self.wait(self.client.execute_typed(statement, values))
    }

    fn wait<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, PostgresFault> {
        self.wait_for(self.patience, call)
    }

    fn wait_for<T>(
        &self,
        patience: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, PostgresFault> {
        let late = || PostgresFault::away("it does not answer in time");
        let waited = self.runtime.block_on(async { tokio::time::timeout(patience, call).await });
        waited.map_err(|_| late())?.map_err(|error| PostgresFault::of(&error))
    }
}

/// A value of a row; a fault where somebody has changed the table.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, place: usize) -> Result<T, PostgresFault> {
    row.try_get(place).map_err(|error| PostgresFault::of(&error))
}

/// Connects, and drives the connection from then on while somebody waits for it.
async fn connected(address: &LedgerAddress) -> Result<Client, PostgresFault> {
    let mut config = Config::new();
    config.host(&address.host).port(address.port).user(&address.user).dbname(&address.database);
    config.application_name("backstop").connect_timeout(CONNECTING);
    config
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE / 3)
        .keepalives_retries(3)
        .tcp_user_timeout(KEEPALIVE);
    if let Some(password) = &address.password {
        config.password(password.expose_secret());
    }
    config.ssl_mode(match address.tls {
        LedgerTls::Never => SslMode::Disable,
        LedgerTls::WherePossible => SslMode::Prefer,
        LedgerTls::Always => SslMode::Require,
    });
    let refused = |error: Error| PostgresFault::of(&error);
    if address.tls == LedgerTls::Never || address.host.starts_with('/') {
        let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let secure = Secure::trusting_the_system();
    let secure = secure.map_err(|error| PostgresFault::refused(format!("no TLS: {error}"), ""))?;
    let (client, connection) = config.connect(secure).await.map_err(refused)?;
    tokio::spawn(connection);
    Ok(client)
}
