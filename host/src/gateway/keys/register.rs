//! All keys there ever were, as one value: read, changed by one key at a time, written.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::exchange::Met;
use super::record::{Grant, KeyRecord, KeyState};
use super::secret::{KeyText, PREFIX};

/// The version of the file's shape. Whoever meets a later one must not guess at what it allows.
const VERSION: u32 = 1;

/// Characters of a name at most.
const LONGEST_NAME: usize = 64;

/// The keys, oldest first. Revoked ones stay, so that a gateway whose last key was revoked lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Register {
    keys: Vec<KeyRecord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    keys: Vec<KeyRecord>,
}

#[derive(Serialize)]
struct Writing<'a> {
    version: u32,
    keys: &'a [KeyRecord],
}

/// Why a text is no register.
#[derive(Debug, Error)]
pub enum ParseRegisterError {
    /// It is no JSON of this shape.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// It was written by a later Backstop.
    #[error("it has version {0}, and this Backstop knows none but {VERSION}")]
    Version(u32),
    /// The same key is there twice, and might be revoked in one place only.
    #[error("{0} is there twice")]
    Twice(String),
}

/// Why the keys cannot be changed so.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// The name is empty, too long, or holds characters that a line of text should not.
    #[error("a name has 1 to {LONGEST_NAME} characters, none of them a control character")]
    BadName,
    /// The name is a key itself.
    #[error(
        "that is a key itself; a key has no place in a command, where others can see it: name it by its id or name"
    )]
    IsAKey,
    /// A live key has the name.
    #[error("{id}, which is live, is called {name:?} already; choose another name, or `backstop keys rotate {id}`")]
    NameTaken {
        /// The name.
        name: String,
        /// The key that has it.
        id: String,
    },
    /// No key has that id or name.
    #[error("no key has the id or the name {0:?}; `backstop keys list` shows them all")]
    NoSuchKey(String),
    /// It was revoked before.
    #[error("{0} is revoked already")]
    Revoked(String),
}

impl Register {
    pub(super) fn parse(text: &[u8]) -> Result<Self, ParseRegisterError> {
        let Written { version, keys } = serde_json::from_slice(text)?;
        if version != VERSION {
            return Err(ParseRegisterError::Version(version));
        }
        let (mut ids, mut hashes) = (HashSet::new(), HashSet::new());
        for key in &keys {
            if !ids.insert(&key.id) || !hashes.insert(key.hash) {
                return Err(ParseRegisterError::Twice(key.id.clone()));
            }
        }
        Ok(Self { keys })
    }

    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        let text = serde_json::to_string_pretty(&Writing { version: VERSION, keys: &self.keys })?;
        Ok(text + "\n")
    }

    pub(super) fn of(keys: Vec<KeyRecord>) -> Self {
        Self { keys }
    }

    pub(super) fn into_keys(self) -> Vec<KeyRecord> {
        self.keys
    }

    /// Whether a key has the id.
    pub(super) fn has_id(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// Enters a new key.
    pub(super) fn add(
        &mut self,
        id: String,
        name: &str,
        text: &KeyText,
        grant: Grant,
        now: Timestamp,
    ) -> Result<KeyRecord, ChangeError> {
        check_name(name)?;
        if let Some(other) = self.live(name, now) {
            return Err(ChangeError::NameTaken { name: name.to_owned(), id: other.id.clone() });
        }
        let (name, hash, last4) = (name.to_owned(), text.hash(), text.last4());
        let key = KeyRecord { id, name, hash, last4, created: now, grant, revoked: None };
        self.keys.push(key.clone());
        Ok(key)
    }

    /// Revokes a key, for good.
    pub(super) fn revoke(&mut self, which: &str, now: Timestamp) -> Result<KeyRecord, ChangeError> {
        let place = self.place(which)?;
        let key = self.keys.get_mut(place).ok_or_else(|| ChangeError::NoSuchKey(which.to_owned()))?;
        if key.revoked.is_some() {
            return Err(ChangeError::Revoked(format!("{} ({:?})", key.id, key.name)));
        }
        key.revoked = Some(now);
        Ok(key.clone())
    }

    /// Takes in what other gateways' files hold: their keys, and that they have revoked some of these. Whether that was news.
    pub(super) fn absorb(&mut self, met: &[Met]) -> bool {
        let before = self.keys.len();
        let (mut ids, mut hashes) = (HashMap::new(), HashSet::new());
        for (place, key) in self.keys.iter().enumerate() {
            ids.insert(key.id.clone(), place);
            hashes.insert(key.hash);
        }
        let mut is_news = false;
        for Met { id, is_revoked, record } in met {
            match (ids.get(id).and_then(|place| self.keys.get_mut(*place)), record) {
                (Some(own), theirs) => {
                    let is_same = theirs.as_ref().is_none_or(|theirs| theirs.hash == own.hash);
                    if *is_revoked && is_same && own.revoked.is_none() {
                        own.revoked = theirs.as_ref().and_then(|theirs| theirs.revoked).or(Some(own.created));
                        is_news = true;
                    }
                }
                (None, Some(theirs)) if hashes.insert(theirs.hash) => self.keys.push(theirs.clone()),
                (None, _) => {}
            }
        }
        is_news || self.keys.len() > before
    }

    /// The key with the id, else the latest with the name; one that is not revoked before one that is.
    fn place(&self, which: &str) -> Result<usize, ChangeError> {
        if which.starts_with(PREFIX) {
            return Err(ChangeError::IsAKey);
        }
        let by = |fits: &dyn Fn(&KeyRecord) -> bool| self.keys.iter().rposition(fits);
        by(&|key| key.id == which)
            .or_else(|| by(&|key| key.name == which && key.revoked.is_none()))
            .or_else(|| by(&|key| key.name == which))
            .ok_or_else(|| ChangeError::NoSuchKey(which.to_owned()))
    }

    fn live(&self, name: &str, now: Timestamp) -> Option<&KeyRecord> {
        self.keys.iter().find(|key| key.name == name && key.state(now) == KeyState::Live)
    }
}

fn check_name(name: &str) -> Result<(), ChangeError> {
    if name.starts_with(PREFIX) {
        return Err(ChangeError::IsAKey);
    }
    let length = name.chars().count();
    let is_sound = (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control) && name.trim() == name;
    if is_sound { Ok(()) } else { Err(ChangeError::BadName) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn added(register: &mut Register, id: &str, name: &str) -> Result<KeyRecord, ChangeError> {
        register.add(id.into(), name, &KeyText::new().unwrap(), Grant::default(), at(1))
    }

    #[test]
    fn reads_back_what_it_writes() {
        let mut register = Register::default();
        added(&mut register, "key_1", "ci").unwrap();
        added(&mut register, "key_2", "app").unwrap();
        register.revoke("ci", at(2)).unwrap();

        let read = Register::parse(register.to_json().unwrap().as_bytes()).unwrap();

        assert_eq!(read, register);
    }

    #[test]
    fn gives_a_name_to_one_live_key_at_a_time() {
        let mut register = Register::default();
        added(&mut register, "key_1", "ci").unwrap();

        let taken = added(&mut register, "key_2", "ci").unwrap_err();
        register.revoke("key_1", at(2)).unwrap();
        let again = added(&mut register, "key_3", "ci").unwrap();

        assert_eq!(taken, ChangeError::NameTaken { name: "ci".into(), id: "key_1".into() });
        assert_eq!(register.revoke("ci", at(3)).unwrap().id, again.id);
        assert_eq!(register.revoke("ci", at(4)), Err(ChangeError::Revoked("key_3 (\"ci\")".into())));
        assert_eq!(register.revoke("none", at(4)), Err(ChangeError::NoSuchKey("none".into())));
    }

    // L12
    #[test]
    fn takes_no_key_for_a_name_and_does_not_repeat_it() {
        let mut register = Register::default();

        for error in [
            added(&mut register, "key_1", "bsk_canary").unwrap_err(),
            register.revoke("bsk_canary", at(1)).unwrap_err(),
        ] {
            assert_eq!(error, ChangeError::IsAKey);
            assert!(!error.to_string().contains("canary"));
        }
        for name in ["", " ci", "a\nb", "\u{7}", &"x".repeat(65)] {
            assert_eq!(added(&mut register, "key_1", name), Err(ChangeError::BadName), "{name:?}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let mut register = Register::default();
        let key = added(&mut register, "key_1", "ci").unwrap();
        let twice = Register { keys: vec![key.clone(), KeyRecord { id: "key_2".into(), ..key }] };

        for (text, says) in [
            ("", "EOF while parsing"),
            (r#"{"version":2,"keys":[]}"#, "it has version 2"),
            (r#"{"version":1,"keys":[],"more":1}"#, "unknown field `more`"),
            (r#"{"version":1}"#, "missing field `keys`"),
            (twice.to_json().unwrap().as_str(), "key_2 is there twice"),
            (&register.to_json().unwrap().replace("{}", "{\"may\":1}"), "unknown field `may`"),
        ] {
            let error = Register::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(says), "{text}: {error}");
        }
    }
}
