//! Where the ledger is that several instances share.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A database of PostgreSQL's, and who we are to it. Shown without the password.
#[derive(Debug, Clone)]
pub struct LedgerAddress {
    /// The server's name or address, or the folder of its socket.
    pub host: String,
    /// Its port. 5432.
    pub port: u16,
    /// Who we are.
    pub user: String,
    /// The password; `None` where the server lets us in without.
    pub password: Option<SecretString>,
    /// The database.
    pub database: String,
    /// Whether the connection is secured.
    pub tls: LedgerTls,
}

/// Whether a connection is secured. Where it is, the server's certificate has to be one that the system trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerTls {
    /// Never: `sslmode=disable`.
    Never,
    /// Where the server can: `sslmode=prefer`.
    WherePossible,
    /// Always, or there is no connection: `sslmode=require`, and `verify-full`, which means the same here.
    Always,
}

impl PartialEq for LedgerAddress {
    fn eq(&self, other: &Self) -> bool {
        let password = |of: &Self| of.password.as_ref().map(|password| password.expose_secret().to_owned());
        self.to_string() == other.to_string() && password(self) == password(other)
    }
}

impl Eq for LedgerAddress {}

impl fmt::Display for LedgerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, user, database, tls, .. } = self;
        match host.contains(':') {
            true => write!(f, "postgres://{user}@[{host}]:{port}/{database}")?,
            false if host.starts_with('/') => write!(f, "postgres://{user}@:{port}/{database}?host={host}")?,
            false => write!(f, "postgres://{user}@{host}:{port}/{database}")?,
        }
        let mark = if host.starts_with('/') { '&' } else { '?' };
        match tls {
            LedgerTls::Never => write!(f, "{mark}sslmode=disable"),
            LedgerTls::WherePossible => Ok(()),
            LedgerTls::Always => write!(f, "{mark}sslmode=require"),
        }
    }
}
