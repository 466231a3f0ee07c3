//! Where the store is that several instances share.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A server of Redis's protocol, and who we are to it. Shown without the password.
#[derive(Debug, Clone)]
pub struct SharedAddress {
    /// Its name or address.
    pub host: String,
    /// Its port. 6379.
    pub port: u16,
    /// Who we are; `None` is the server's default user.
    pub user: Option<String>,
    /// The password; `None` where the server lets us in without.
    pub password: Option<SecretString>,
    /// The number of the database. 0.
    pub database: u16,
    /// Whether the connection is secured: `rediss://`. The server's certificate has to be one that the system trusts.
    pub is_secured: bool,
}

impl PartialEq for SharedAddress {
    fn eq(&self, other: &Self) -> bool {
        let password = |of: &Self| of.password.as_ref().map(|password| password.expose_secret().to_owned());
        self.to_string() == other.to_string() && password(self) == password(other)
    }
}

impl Eq for SharedAddress {}

impl fmt::Display for SharedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, user, database, is_secured, .. } = self;
        let (scheme, user) = (if *is_secured { "rediss" } else { "redis" }, user.as_ref());
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        match host.contains(':') {
            true => write!(f, "{scheme}://{user}[{host}]:{port}")?,
            false => write!(f, "{scheme}://{user}{host}:{port}")?,
        }
        if *database == 0 { Ok(()) } else { write!(f, "/{database}") }
    }
}
