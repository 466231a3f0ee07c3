//! The keys as a gateway has them at hand: found by their digest, each with what it may still ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::guard::Allowance;

use super::credentials::Credentials;
use super::denied::Denied;
use super::divided::Divided;
use super::record::{KeyRecord, KeyState};
use super::secret::KeyHash;

/// All keys of one state of the file.
#[derive(Debug, Default)]
pub(super) struct Ring {
    keys: HashMap<KeyHash, Arc<HeldKey>>,
    /// Where several gateways share the keys' limits.
    divided: Option<Arc<Divided>>,
}

/// One key.
#[derive(Debug)]
pub(super) struct HeldKey {
    pub(super) record: KeyRecord,
    /// Outlives the file's next state, or else every change of the file would fill it up again.
    allowance: Arc<Mutex<Allowance>>,
    divided: Option<Arc<Divided>>,
}

/// What a door is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Asking models: any live key.
    Model,
    /// Seeing and changing how the gateway does: a live key with admin rights.
    Admin,
}

impl Ring {
    pub(super) fn new(records: Vec<KeyRecord>) -> Self {
        Self::default().succeeded_by(records)
    }

    /// The ring of the file's next state. Keys that are still there go on with what they have left.
    pub(super) fn succeeded_by(&self, records: Vec<KeyRecord>) -> Self {
        let held = |record: KeyRecord| {
            let limits = record.grant.limits;
            let same = self.keys.get(&record.hash).filter(|old| old.record.grant.limits == limits);
            let fresh = || match &self.divided {
                Some(_) => Arc::new(Mutex::new(Allowance::shared(&limits.into()))),
                None => Arc::new(Mutex::new(Allowance::of_key(&limits.into()))),
            };
            let allowance = same.map_or_else(fresh, |old| Arc::clone(&old.allowance));
            (record.hash, Arc::new(HeldKey { record, allowance, divided: self.divided.clone() }))
        };
        Self { keys: records.into_iter().map(held).collect(), divided: self.divided.clone() }
    }

    /// The same keys, with limits that several gateways share. What was used of them is forgotten.
    pub(super) fn sharing(&self, divided: Arc<Divided>) -> Self {
        let records = self.keys.values().map(|key| key.record.clone()).collect();
        Self { keys: HashMap::new(), divided: Some(divided) }.succeeded_by(records)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn live(&self, now: Timestamp) -> usize {
        self.keys.values().filter(|key| key.record.state(now) == KeyState::Live).count()
    }

    /// The key that opens a door.
    pub(super) fn open(
        &self,
        credentials: &Credentials<'_>,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Arc<HeldKey>, Denied> {
        let presented = match credentials {
            Credentials::None => return Err(Denied::NoKey),
            Credentials::Several => return Err(Denied::SeveralKeys),
            Credentials::One(presented) => presented,
        };
        let key = self.keys.get(&KeyHash::of(presented)).ok_or(Denied::UnknownKey)?;
        match (key.record.state(now), purpose) {
            (KeyState::Revoked, _) => Err(Denied::Revoked),
            (KeyState::Expired, _) => Err(Denied::Expired),
            (KeyState::Live, Purpose::Admin) if !key.record.grant.admin => Err(Denied::NotAdmin),
            (KeyState::Live, Purpose::Model | Purpose::Admin) => Ok(Arc::clone(key)),
        }
    }
}

impl HeldKey {
    /// Whether other gateways have a part of its limits. They are asked for what they do not use of it.
    pub(super) fn ask_others(&self) -> bool {
        if let Some(divided) = &self.divided {
            divided.ask(&self.record.id, &self.allowance);
        }
        self.divided.is_some()
    }

    /// What it may still ask. A thread that panicked has left no more than a request's share behind.
    pub(super) fn allowance(&self) -> MutexGuard<'_, Allowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Grant, KeyLimits};
    use super::*;
    use crate::clock::Moment;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(text: &str, grant: Grant) -> KeyRecord {
        let (id, hash) = (format!("key_{text}"), KeyHash::of(text.as_bytes()));
        KeyRecord { id, name: text.into(), hash, last4: String::new(), created: at(0), grant, revoked: None }
    }

    fn opened(ring: &Ring, key: &str, purpose: Purpose) -> Result<String, Denied> {
        ring.open(&Credentials::One(key.as_bytes()), purpose, at(10)).map(|key| key.record.name.clone())
    }

    #[test]
    fn opens_to_live_keys_and_to_no_others() {
        let admin = Grant { admin: true, ..Grant::default() };
        let expired = Grant { expires: Some(at(10)), ..Grant::default() };
        let revoked = KeyRecord { revoked: Some(at(1)), ..record("gone", admin.clone()) };
        let ring =
            Ring::new(vec![record("a", Grant::default()), record("root", admin), record("old", expired), revoked]);

        let answers =
            [("a", Purpose::Model), ("a", Purpose::Admin), ("root", Purpose::Model), ("root", Purpose::Admin)]
                .map(|(key, purpose)| opened(&ring, key, purpose));
        let dead = ["old", "gone", "A", "", "a "].map(|key| opened(&ring, key, Purpose::Model));

        assert_eq!(answers, [Ok("a".into()), Err(Denied::NotAdmin), Ok("root".into()), Ok("root".into())]);
        assert_eq!(
            dead,
            [
                Err(Denied::Expired),
                Err(Denied::Revoked),
                Err(Denied::UnknownKey),
                Err(Denied::UnknownKey),
                Err(Denied::UnknownKey)
            ]
        );
        assert_eq!((ring.live(at(9)), ring.live(at(10))), (3, 2));
    }

    #[test]
    fn asks_for_one_key() {
        let ring = Ring::new(vec![record("a", Grant::default())]);

        let denied =
            [Credentials::None, Credentials::Several].map(|none| ring.open(&none, Purpose::Model, at(1)).unwrap_err());

        assert_eq!(denied, [Denied::NoKey, Denied::SeveralKeys]);
    }

    #[test]
    fn fills_nobodys_allowance_up_when_the_file_changes() {
        let limits = KeyLimits { rpm: Some(1), ..KeyLimits::default() };
        let limited = |limits| record("a", Grant { limits, ..Grant::default() });
        let ring = Ring::new(vec![limited(limits)]);
        let waits = |ring: &Ring| {
            let key = ring.open(&Credentials::One(b"a"), Purpose::Model, at(1)).unwrap();
            let wait = key.allowance().wait(0, Moment::START);
            wait.is_some()
        };
        let key = ring.open(&Credentials::One(b"a"), Purpose::Model, at(1)).unwrap();
        let _ = key.allowance().take(0, Moment::START);

        let next = ring.succeeded_by(vec![limited(limits), record("b", Grant::default())]);
        let raised = next.succeeded_by(vec![limited(KeyLimits { rpm: Some(2), ..limits })]);

        assert_eq!([waits(&ring), waits(&next), waits(&raised)], [true, true, false]);
    }
}
