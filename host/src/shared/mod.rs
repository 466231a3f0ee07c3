//! The store that several instances share: Redis, or Valkey.
//!
//! Whoever needs it has a connection of its own, on a thread of its own: nothing here may be called where requests are served.
//! Everything is a script, so that the store does it as a whole, by its own clock: those of the instances may be wrong.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult, Script, ToRedisArgs,
};
use secrecy::ExposeSecret;
use thiserror::Error;

use crate::clock::{Clock, Moment};
use crate::config::SharedAddress;

/// How long the store may take to be reached, and to answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long a store that did not answer is left alone.
const PAUSE: Duration = Duration::from_millis(250);

/// A connection to the shared store, which is made when it is needed and made again when it is lost.
pub struct SharedStore {
    address: SharedAddress,
    client: Client,
    clock: Arc<dyn Clock>,
    connection: Option<Connection>,
    /// When it did not answer, and why.
    failed: Option<(Moment, SharedError)>,
}

/// A script that lends something out: it knows the store's time and run, as `run.lua` has them.
pub(crate) fn lending_script(text: &str) -> Script {
    Script::new(&[include_str!("run.lua"), text].concat())
}

/// The shared store does not do what it is asked to.
#[derive(Debug, Clone, Error)]
#[error("the shared store {address} {why}")]
pub struct SharedError {
    address: Arc<str>,
    why: Arc<str>,
}

impl SharedStore {
    /// A connection to the store at an address. It is not made yet.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub fn new(address: &SharedAddress, clock: Arc<dyn Clock>) -> Result<Self, SharedError> {
        let client = connection(address).and_then(Client::open).map_err(|error| SharedError::of(address, &error))?;
        Ok(Self { address: address.clone(), client, clock, connection: None, failed: None })
    }

    /// Runs a script. Takes 500 ms at most, and no time at all where the store has just failed to answer.
    ///
    /// # Errors
    /// When the store does not answer in time, or refuses. Whether the script was run is not known then.
    pub fn run<T: FromRedisValue>(
        &mut self,
        script: &Script,
        keys: &[String],
        arguments: &[impl ToRedisArgs],
    ) -> Result<T, SharedError> {
        let now = self.clock.now();
        if let Some((at, error)) = &self.failed
            && now.since(*at) < PAUSE
        {
            return Err(error.clone());
        }
        let answered = self.try_to_run(script, keys, arguments);
        answered.map_err(|error| {
            // A late answer must not be taken for the next one's.
            self.connection = None;
            let error = SharedError::of(&self.address, &error);
            self.failed = Some((self.clock.now(), error.clone()));
            error
        })
    }

    /// Looks whether the store answers, and does what it is asked to.
    ///
    /// # Errors
    /// As [`SharedStore::run`].
    pub fn probe(&mut self) -> Result<(), SharedError> {
        let answer: i64 = self.run(&Script::new("return 1"), &[], &[] as &[&str])?;
        if answer == 1 { Ok(()) } else { Err(self.odd()) }
    }

    /// The store answers something that no store would.
    pub(crate) fn odd(&self) -> SharedError {
        SharedError { address: self.address.to_string().into(), why: "answers something unheard of".into() }
    }

    fn try_to_run<T: FromRedisValue>(
        &mut self,
        script: &Script,
        keys: &[String],
        arguments: &[impl ToRedisArgs],
    ) -> Result<T, RedisError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = self.client.get_connection_with_timeout(PATIENCE)?;
                connection.set_read_timeout(Some(PATIENCE))?;
                connection.set_write_timeout(Some(PATIENCE))?;
                self.connection.insert(connection)
            }
        };
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        for argument in arguments {
            call.arg(argument);
        }
        let answer = call.invoke(connection)?;
        self.failed = None;
        Ok(answer)
    }
}

impl SharedError {
    fn of(address: &SharedAddress, error: &RedisError) -> Self {
        let why = match error.kind() {
            _ if error.is_timeout() => "does not answer in time".to_owned(),
            ErrorKind::AuthenticationFailed => "refuses user or password".to_owned(),
            _ if error.code() == Some("NOAUTH") => {
                "wants a password: shared = \"redis://:${REDIS_PASSWORD}@…\"".to_owned()
            }
            _ if error.is_io_error() => format!("cannot be reached: {}", line(&error.to_string())),
            _ => format!("refuses: {}", line(&error.to_string())),
        };
        Self { address: address.to_string().into(), why: why.into() }
    }
}

/// The address as the client takes it.
fn connection(address: &SharedAddress) -> RedisResult<ConnectionInfo> {
    let SharedAddress { host, port, user, password, database, is_secured } = address.clone();
    let place = match is_secured {
        true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        false => ConnectionAddr::Tcp(host, port),
    };
    let mut redis = RedisConnectionInfo::default().set_db(database.into());
    if let Some(user) = user {
        redis = redis.set_username(user);
    }
    if let Some(password) = password {
        redis = redis.set_password(password.expose_secret());
    }
    Ok(place.into_connection_info()?.set_redis_settings(redis))
}

/// What a foreign program says, as one line of bounded length.
fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(200).collect()
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("address", &self.address).finish_non_exhaustive()
    }
}
