//! The keys of several gateways brought together, by way of the store that they share.
//!
//! Each gateway's file is what it goes by; the store is where files meet. A key is never changed after it was made, but for being
//! revoked, and that is for good: so a key that one file has all get, and one that any of them has revoked is revoked in all, in
//! whatever order they are heard of. Digests alone leave the machine.

use std::fmt;
use std::sync::Arc;

use redis::Script;

use crate::clock::Clock;
use crate::config::SharedAddress;
use crate::shared::{SharedError, SharedStore};

use super::record::KeyRecord;

/// A gateway's way to the others' keys.
pub(super) struct Exchange {
    store: SharedStore,
    script: Script,
    /// The version that was told last.
    version: Option<String>,
    /// Whether the file's keys are there already, as of that version.
    is_told: bool,
}

/// A key of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) id: String,
    pub(super) is_revoked: bool,
    /// `None` where a later Backstop has written it, and it may allow who knows what.
    pub(super) record: Option<KeyRecord>,
}

impl Exchange {
    /// A way that is not gone yet.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub(super) fn new(address: &SharedAddress, clock: Arc<dyn Clock>) -> Result<Self, SharedError> {
        let script = Script::new(include_str!("keys.lua"));
        Ok(Self { store: SharedStore::new(address, clock)?, script, version: None, is_told: false })
    }

    /// The file has changed: its keys have to be told anew.
    pub(super) fn file_changed(&mut self) {
        self.is_told = false;
    }

    /// Tells the store the file's keys, where it does not know them, and returns all keys of the store, where they have changed.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn meet(&mut self, own: &[KeyRecord]) -> Result<Option<Vec<Met>>, SharedError> {
        let mut arguments = vec![self.version.clone().unwrap_or_default()];
        if !self.is_told {
            for record in own {
                // A record is names and numbers: it cannot fail to be written.
                let Ok(text) = serde_json::to_string(record) else { continue };
                arguments.extend([record.id.clone(), u8::from(record.revoked.is_some()).to_string(), text]);
            }
        }
        let answer: Vec<String> = self.store.run(&self.script, &["{backstop}:keys".to_owned()], &arguments)?;
        let (version, keys) = answer.split_first().ok_or_else(|| self.store.odd())?;
        let has_changed = self.version.as_ref() != Some(version);
        // Told and seen, or told to a store that has forgotten since.
        self.is_told = !has_changed || !self.is_told;
        self.version = Some(version.clone());
        let (keys, _) = keys.as_chunks::<3>();
        Ok(has_changed.then(|| keys.iter().map(Met::read).collect()))
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Met {
    fn read([id, revoked, record]: &[String; 3]) -> Self {
        let record = serde_json::from_str(record).ok().filter(|record: &KeyRecord| record.id == *id);
        Self { id: id.clone(), is_revoked: revoked == "1", record }
    }
}
