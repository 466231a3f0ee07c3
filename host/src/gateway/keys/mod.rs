//! The gateway's own keys: who may ask it, for what, and how much.
//!
//! `file` keeps them, as digests (`secret`), in one `register` of `record`s; `ring` has them at hand, `credentials` finds the
//! one a request brings, `denied` says why it opens nothing; `caller` is who was let in, and holds to the key's limits. Where
//! several gateways share a store, `exchange` brings their keys together, and limits are `divided` among them.

mod secret;
mod record;
mod register;
mod file;
mod credentials;
mod denied;
mod ring;
mod divided;
mod exchange;
mod caller;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use tokio::task::{AbortHandle, spawn_blocking};

pub use caller::{Caller, Place};
pub use denied::Denied;
pub use file::{KeyFile, KeyFileError, NewKey};
pub use record::{Grant, KeyBudget, KeyLimits, KeyRecord, KeyState};
pub use register::{ChangeError, ParseRegisterError};
pub use ring::Purpose;
pub use secret::{KeyHash, KeyText};

use credentials::Credentials;
use divided::Divided;
use exchange::{Exchange, Met};
use file::Stamp;
use register::Register;
use ring::Ring;

use crate::clock::Clock;
use crate::config::SharedAddress;
use crate::guard::{Fleet, Sharer};

/// How often the file is looked at: a key is dead at every gateway within a second of being revoked.
const EVERY: Duration = Duration::from_millis(500);

/// The keys a gateway asks for.
///
/// Where there are none, anyone may ask who reaches the address, and that must be this machine alone. Where there is one, be it
/// revoked, nobody may without a key.
#[derive(Debug)]
pub struct Keys {
    file: Option<KeyFile>,
    ring: RwLock<Arc<Ring>>,
    when_none: WhenNone,
    /// Where other gateways' keys are met.
    exchange: Option<Mutex<Exchange>>,
}

/// Whom to let in where there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenNone {
    Anyone,
    Nobody,
}

/// Looks at the file until it is dropped.
pub(super) struct Watch {
    task: Option<AbortHandle>,
}

/// What was seen of the file, and of others'.
#[derive(Default)]
struct Seen {
    stamp: Option<Stamp>,
    /// What was wrong with it, so that it is told once.
    fault: Option<String>,
    /// What it held.
    records: Vec<KeyRecord>,
    /// What other gateways' files hold.
    met: Vec<Met>,
    /// Why they could not be met, so that it is told once.
    apart: Option<String>,
}

impl Keys {
    /// No keys, now and later.
    #[must_use]
    pub fn none() -> Self {
        Self { file: None, ring: RwLock::default(), when_none: WhenNone::Anyone, exchange: None }
    }

    /// The keys of a file, which need not be there yet. A gateway that serves sees its changes within a second.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold keys.
    pub fn open(file: KeyFile) -> Result<Self, KeyFileError> {
        let ring = Arc::new(Ring::new(file.read()?));
        Ok(Self { file: Some(file), ring: RwLock::new(ring), when_none: WhenNone::Anyone, exchange: None })
    }

    /// How many keys open something at that time.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> usize {
        self.ring().live(now)
    }

    /// Lets in whoever brings a key for that purpose, or anyone where there are no keys.
    ///
    /// # Errors
    /// When a key is asked for and the one brought, if any, does not do.
    pub fn admit(&self, headers: &HeaderMap, purpose: Purpose, now: Timestamp) -> Result<Caller, Denied> {
        let ring = self.ring();
        if ring.is_empty() && self.when_none == WhenNone::Anyone {
            return Ok(Caller::anyone());
        }
        ring.open(&Credentials::of(headers), purpose, now).map(Caller::with_key)
    }

    /// Lets nobody in where there are no keys, for a gateway that others than this machine reach.
    pub(super) fn or_nobody(self) -> Self {
        Self { when_none: WhenNone::Nobody, ..self }
    }

    /// Has the keys' limits divided among several gateways, and their keys brought together by way of the store at an address.
    pub(super) fn shared(self, fleet: &dyn Fleet, address: &SharedAddress, clock: &Arc<dyn Clock>) -> Self {
        if self.file.is_none() {
            return self;
        }
        let divided = Arc::new(Divided::new(fleet.commons()));
        fleet.share(Arc::clone(&divided) as Arc<dyn Sharer>, None, clock);
        self.replace(self.ring().sharing(divided));
        // The address was good for the fleet: it is for this, too.
        let exchange = Exchange::new(address, Arc::clone(clock)).ok().map(Mutex::new);
        Self { exchange, ..self }
    }

    /// Looks at the file, and at what other gateways have, every half second; at the latter once before it returns.
    pub(super) async fn watch(self: &Arc<Self>, clock: Arc<dyn Clock>) -> Watch {
        let Some(file) = self.file.clone() else { return Watch { task: None } };
        let keys = Arc::clone(self);
        let look = move |mut seen: Seen| {
            let (keys, file) = (Arc::clone(&keys), file.clone());
            spawn_blocking(move || {
                keys.look(&file, &mut seen);
                seen
            })
        };
        // Nothing was seen yet: the file may have changed since it was opened.
        let mut seen = Seen::default();
        if self.exchange.is_some() {
            // A key that was revoked elsewhere must not open anything here, were it for a moment.
            match look(seen).await {
                Ok(back) => seen = back,
                Err(_) => return Watch { task: None },
            }
        }
        let task = tokio::spawn(async move {
            loop {
                clock.sleep_until(clock.now() + EVERY).await;
                let Ok(back) = look(seen).await else { return };
                seen = back;
            }
        });
        Watch { task: Some(task.abort_handle()) }
    }

    /// Takes up what has changed in the file, and what other gateways have. Where the file cannot be read, the keys stay as they
    /// are, and it is tried again.
    fn look(&self, file: &KeyFile, seen: &mut Seen) {
        let has_changed = self.look_at_file(file, seen);
        let has_met = self.meet_others(has_changed, seen);
        if !has_changed && !has_met {
            return;
        }
        let mut all = Register::of(seen.records.clone());
        if all.absorb(&seen.met)
            && let Err(error) = file.absorb(&seen.met)
        {
            tracing::warn!("keys of other gateways are good here, and not in the file: {error}");
        }
        self.replace(self.ring().succeeded_by(all.into_keys()));
    }

    /// Reads the file anew where it has changed. Returns whether it was read.
    fn look_at_file(&self, file: &KeyFile, seen: &mut Seen) -> bool {
        let stamp = file.stamp();
        if stamp == seen.stamp && seen.fault.is_none() {
            return false;
        }
        let fault = match file.read() {
            // Whoever moves the file away for a moment must not open the gateway to everybody.
            Ok(_) if stamp.is_none() && !self.ring().is_empty() => Some(format!("{} is gone", file.path().display())),
            Ok(records) => {
                seen.records = records;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(fault) = fault.as_ref().filter(|fault| seen.fault.as_ref() != Some(fault)) {
            tracing::warn!("the gateway goes on with the keys it has: {fault}");
        }
        (seen.stamp, seen.fault) = (stamp, fault);
        seen.fault.is_none()
    }

    /// Tells other gateways the keys of the file, and hears theirs. Returns whether there is news.
    fn meet_others(&self, has_changed: bool, seen: &mut Seen) -> bool {
        let Some(exchange) = &self.exchange else { return false };
        let mut exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner);
        if has_changed {
            exchange.file_changed();
        }
        let met = exchange.meet(&seen.records);
        let apart = met.as_ref().err().map(ToString::to_string);
        if let Some(why) = apart.as_ref().filter(|_| seen.apart.is_none()) {
            tracing::warn!("keys that other gateways make or revoke are not known here: {why}");
        }
        seen.apart = apart;
        let Ok(Some(met)) = met else { return false };
        seen.met = met;
        true
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, ring: Ring) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn bringing(key: &KeyText) -> HeaderMap {
        let value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).unwrap();
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    fn unseen() -> Seen {
        Seen::default()
    }

    #[test]
    fn lets_anyone_in_until_there_is_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::at(folder.path().join("keys.json"));
        let (keys, mut seen) = (Keys::open(file.clone()).unwrap(), unseen());
        let nothing = HeaderMap::new();
        assert!(keys.admit(&nothing, Purpose::Admin, NOW).unwrap().is_anyone());

        let key = file.create("ci", Grant::default(), NOW).unwrap();
        keys.look(&file, &mut seen);

        assert_eq!(keys.admit(&nothing, Purpose::Model, NOW).unwrap_err(), Denied::NoKey);
        assert_eq!(keys.admit(&bringing(&key.text), Purpose::Model, NOW).unwrap().name(), Some("ci"));
    }

    #[test]
    fn lets_nobody_in_when_the_last_key_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::at(folder.path().join("keys.json"));
        let key = file.create("ci", Grant::default(), NOW).unwrap();
        let (keys, mut seen) = (Keys::open(file.clone()).unwrap(), unseen());
        keys.look(&file, &mut seen);

        file.revoke("ci", NOW).unwrap();
        keys.look(&file, &mut seen);

        assert_eq!(keys.admit(&bringing(&key.text), Purpose::Model, NOW).unwrap_err(), Denied::Revoked);
        assert_eq!(keys.admit(&HeaderMap::new(), Purpose::Model, NOW).unwrap_err(), Denied::NoKey);
    }

    #[test]
    fn goes_on_with_the_keys_it_has_where_the_file_is_broken_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::at(folder.path().join("keys.json"));
        let key = file.create("ci", Grant::default(), NOW).unwrap();
        let (keys, mut seen) = (Keys::open(file.clone()).unwrap(), unseen());
        let good = fs::read(file.path()).unwrap();
        let is_asked_for = |keys: &Keys| {
            let with = keys.admit(&bringing(&key.text), Purpose::Model, NOW).is_ok();
            with && keys.admit(&HeaderMap::new(), Purpose::Model, NOW).is_err()
        };

        fs::write(file.path(), "").unwrap();
        keys.look(&file, &mut seen);
        assert!(is_asked_for(&keys) && seen.fault.is_some());
        fs::remove_file(file.path()).unwrap();
        keys.look(&file, &mut seen);
        assert!(is_asked_for(&keys) && seen.fault.is_some());

        fs::write(file.path(), good).unwrap();
        keys.look(&file, &mut seen);
        assert!(is_asked_for(&keys) && seen.fault.is_none());
    }

    #[test]
    fn opens_to_nobody_beyond_this_machine_where_the_keys_were_taken_out_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::at(folder.path().join("keys.json"));
        file.create("ci", Grant::default(), NOW).unwrap();
        let (keys, mut seen) = (Keys::open(file.clone()).unwrap().or_nobody(), unseen());

        fs::write(file.path(), r#"{"version":1,"keys":[]}"#).unwrap();
        keys.look(&file, &mut seen);

        assert_eq!(keys.admit(&HeaderMap::new(), Purpose::Model, NOW).unwrap_err(), Denied::NoKey);
    }
}
