//! Reads the address of a ledger that several instances share.

use secrecy::SecretString;
use url::Url;

use super::environment::Environment;
use super::problem::{Fault, Read};
use super::settings::{LedgerAddress, LedgerTls};
use super::substitution;

const EXAMPLE: &str = "\"postgres://backstop:${LEDGER_PASSWORD}@db.example:5432/backstop\"";

/// Reads an address such as `postgres://user:password@host:port/database`. All of it may be a variable, as in `${LEDGER}`, and so may
/// user, password and database. No fault repeats any of it.
pub(super) fn parse(text: &str, environment: &Environment) -> Read<LedgerAddress> {
    parse_plain(&substitution::whole(text, environment)?, environment).map_err(Fault::secret)
}

fn parse_plain(text: &str, environment: &Environment) -> Read<LedgerAddress> {
    let url = Url::parse(text).map_err(|error| Fault::example(format!("not an address: {error}"), EXAMPLE))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(Fault::example("not an address of PostgreSQL's", EXAMPLE));
    }
    let decoded = |part: &str| substitution::decoded(part, environment);
    let user = decoded(url.username())?;
    if user.is_empty() {
        return Err(Fault::example("names no user", EXAMPLE));
    }
    let password = url.password().map(decoded).transpose()?.map(SecretString::from);
    let database = decoded(url.path().trim_start_matches('/'))?;
    if database.is_empty() || database.contains('/') {
        return Err(Fault::example("names no database", EXAMPLE));
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut address = LedgerAddress {
        host,
        port: url.port().unwrap_or(5432),
        user,
        password,
        database,
        tls: LedgerTls::WherePossible,
    };
    for (name, value) in url.query_pairs() {
        match (name.as_ref(), value.as_ref()) {
            ("sslmode", "disable") => address.tls = LedgerTls::Never,
            ("sslmode", "prefer") => address.tls = LedgerTls::WherePossible,
            ("sslmode", "require" | "verify-full") => address.tls = LedgerTls::Always,
            ("sslmode", _) => {
                return Err(Fault::words("no such sslmode", "write disable, prefer, require or verify-full"));
            }
            ("host", folder) if folder.starts_with('/') => address.host = folder.to_owned(),
            _ => return Err(Fault::words("has a query with more than sslmode and host=/folder", "take it out")),
        }
    }
    let texts = [&address.host, &address.user, &address.database];
    if address.host.is_empty() {
        return Err(Fault::example("names no host", EXAMPLE));
    }
    if texts.into_iter().any(|text| text.chars().any(char::is_control)) {
        return Err(Fault::words("holds a control character", "take it out"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(text: &str) -> Result<(String, Option<String>), String> {
        let environment = Environment::of(&[("PASS", "p@s/s:w%rd"), ("ALL", "postgresql://me:canary@[::1]/books")]);
        let address = parse(text, &environment).map_err(|fault| {
            assert!(fault.secret, "{fault:?}");
            fault.what
        })?;
        assert!(!format!("{address:?}{address}").contains("canary"));
        Ok((address.to_string(), address.password.map(|password| password.expose_secret().to_owned())))
    }

    #[test]
    fn reads_addresses_and_shows_them_without_the_password() {
        let shown = |text: &str, password: &str| Ok((text.to_owned(), Some(password.to_owned())));

        assert_eq!(
            read("postgres://me:canary@db.example/books"),
            shown("postgres://me@db.example:5432/books", "canary")
        );
        assert_eq!(
            read("postgresql://me:${PASS}@db:6000/books?sslmode=require"),
            shown("postgres://me@db:6000/books?sslmode=require", "p@s/s:w%rd")
        );
        assert_eq!(read("${ALL}"), shown("postgres://me@[::1]:5432/books", "canary"));
        let socket = read("postgres://me@localhost/books?host=/run/postgresql&sslmode=disable");
        assert_eq!(socket, Ok(("postgres://me@:5432/books?host=/run/postgresql&sslmode=disable".to_owned(), None)));
    }

    #[test]
    fn refuses_what_is_no_address_and_repeats_nothing_of_it() {
        for (text, what) in [
            ("canary", "not an address: relative URL without a base"),
            ("mysql://me:canary@db/books", "not an address of PostgreSQL's"),
            ("postgres://db/books", "names no user"),
            ("postgres://me:canary@db", "names no database"),
            ("postgres://me:canary@db/books?sslmode=perhaps", "no such sslmode"),
            ("postgres://me:canary@db/books?canary=1", "has a query with more than sslmode and host=/folder"),
            ("postgres://me:${CANARY}@db/books", "the variable CANARY is not set"),
            ("postgres://me:${canary@db/books", "has a ${ without }"),
            ("postgres://m%ffe:canary@db/books", "not UTF-8"),
        ] {
            assert_eq!(read(text), Err(what.to_owned()));
        }
    }
}
