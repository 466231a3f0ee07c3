//! Reads the address of a store that several instances share.

use secrecy::SecretString;
use url::Url;

use super::environment::Environment;
use super::problem::{Fault, Read};
use super::settings::SharedAddress;
use super::substitution;

const EXAMPLE: &str = "\"redis://:${REDIS_PASSWORD}@redis.example:6379/0\"";

/// Reads an address such as `redis://user:password@host:port/database`, `rediss://` with TLS. All of it may be a variable, as in
/// `${REDIS_URL}`, and so may user and password. No fault repeats any of it.
pub(super) fn parse(text: &str, environment: &Environment) -> Read<SharedAddress> {
    parse_plain(&substitution::whole(text, environment)?, environment).map_err(Fault::secret)
}

fn parse_plain(text: &str, environment: &Environment) -> Read<SharedAddress> {
    let url = Url::parse(text).map_err(|error| Fault::example(format!("not an address: {error}"), EXAMPLE))?;
    let is_secured = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        _ => return Err(Fault::example("not an address of Redis's", EXAMPLE)),
    };
    let decoded = |part: &str| substitution::decoded(part, environment);
    let host = decoded(url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']'))?;
    if host.is_empty() {
        return Err(Fault::example("names no host", EXAMPLE));
    }
    let database = match url.path().trim_start_matches('/') {
        "" => 0,
        number => number.parse().map_err(|_| Fault::example("names no database by its number", EXAMPLE))?,
    };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Fault::words("has something behind the database", "take it out"));
    }
    let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
    if user.as_ref().is_some_and(|user| user.chars().any(char::is_control)) {
        return Err(Fault::words("holds a control character", "take it out"));
    }
    let password = url.password().map(decoded).transpose()?.map(SecretString::from);
    Ok(SharedAddress { host, port: url.port().unwrap_or(6379), user, password, database, is_secured })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(text: &str) -> Result<(String, Option<String>), String> {
        let environment = Environment::of(&[("PASS", "p@s/s:w%rd"), ("ALL", "rediss://me:canary@[::1]/2")]);
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

        assert_eq!(read("redis://localhost"), Ok(("redis://localhost:6379".to_owned(), None)));
        assert_eq!(read("redis://:canary@redis.example/1"), shown("redis://redis.example:6379/1", "canary"));
        assert_eq!(read("redis://:${PASS}@redis.example:7000"), shown("redis://redis.example:7000", "p@s/s:w%rd"));
        assert_eq!(read("${ALL}"), shown("rediss://me@[::1]:6379/2", "canary"));
    }

    #[test]
    fn refuses_what_is_no_address_and_repeats_nothing_of_it() {
        for (text, what) in [
            ("canary", "not an address: relative URL without a base"),
            ("http://canary", "not an address of Redis's"),
            ("redis://", "names no host"),
            ("redis://a/canary", "names no database by its number"),
            ("redis://a/0?canary=1", "has something behind the database"),
            ("redis://a/0#insecure", "has something behind the database"),
            ("redis://:${CANARY}@a", "the variable CANARY is not set"),
        ] {
            assert_eq!(read(text), Err(what.to_owned()));
        }
    }
}
