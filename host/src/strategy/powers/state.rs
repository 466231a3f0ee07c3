//! `state`: the strategy's notebook, and what a decision has read of it.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, LinkerInstance, Lower};

use crate::strategy::beside::Beside;
use crate::strategy::notebook;
use crate::strategy::toll::charge;
use crate::types::{StateEntry, StateRead};

/// Most bytes of keys and values that the record of one decision takes; what a thrifty strategy reads is far less.
const RECORDED_BYTES: usize = 4_096;

/// What was read for the decision under way.
#[derive(Debug, Default)]
pub(in crate::strategy) struct ReadLog {
    entries: Vec<(String, Option<Arc<[u8]>>)>,
    bytes: usize,
    is_cut: bool,
}

/// `state.refusal`.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
enum Refusal {
    #[component(name = "bad-key")]
    BadKey,
    #[component(name = "long-value")]
    LongValue,
    #[component(name = "full")]
    Full,
}

type Store<'a> = StoreContextMut<'a, Beside>;

/// Answers the interface.
pub(super) fn link(mut instance: LinkerInstance<'_, Beside>) -> wasmtime::Result<()> {
    instance.func_wrap("get", |mut store: Store<'_>, (key,): (String,)| {
        let value = store.data().notebook.get(&key);
        charge(&mut store, key.len() + value.as_ref().map_or(0, |value| value.len()))?;
        let answer = value.as_ref().map(|value| value.to_vec());
        store.data_mut().read.note(key, value);
        Ok((answer,))
    })?;
    instance.func_wrap("set", |mut store: Store<'_>, (key, value): (String, Vec<u8>)| {
        charge(&mut store, key.len() + value.len())?;
        Ok((store.data().notebook.set(&key, &value).map_err(Refusal::from),))
    })?;
    instance.func_wrap(
        "swap",
        |mut store: Store<'_>, (key, expected, value): (String, Option<Vec<u8>>, Vec<u8>)| {
            charge(&mut store, key.len() + value.len() + expected.as_ref().map_or(0, Vec::len))?;
            let swapped = store.data().notebook.swap(&key, expected.as_deref(), &value);
            let answer = swapped.map(|(is_set, before)| {
                store.data_mut().read.note(key, before);
                is_set
            });
            Ok((answer.map_err(Refusal::from),))
        },
    )?;
    instance.func_wrap("remove", |mut store: Store<'_>, (key,): (String,)| {
        charge(&mut store, key.len())?;
        store.data().notebook.remove(&key);
        Ok(())
    })?;
    instance.func_wrap("keys", |mut store: Store<'_>, (): ()| {
        let keys = store.data().notebook.keys();
        charge(&mut store, keys.iter().map(|key| key.len() + 8).sum())?;
        // A list of keys is not kept.
        store.data_mut().read.is_cut = true;
        Ok((keys,))
    })
}

impl ReadLog {
    /// Begins anew, for another decision.
    pub(in crate::strategy) fn clear(&mut self) {
        // It is empty for all who have no state.
        if !self.entries.is_empty() || self.is_cut {
            *self = Self::default();
        }
    }

    /// What was read, where anything was.
    pub(in crate::strategy) fn take(&mut self) -> Option<StateRead> {
        if self.entries.is_empty() && !self.is_cut {
            return None;
        }
        let Self { entries, is_cut, .. } = std::mem::take(self);
        let entry =
            |(key, value): (String, Option<Arc<[u8]>>)| StateEntry { key, value: value.map(|value| hex(&value)) };
        Some(StateRead { entries: entries.into_iter().map(entry).collect(), cut: is_cut })
    }

    /// A key that is read again, and has changed meanwhile, is there twice: in the order it was read.
    fn note(&mut self, key: String, value: Option<Arc<[u8]>>) {
        if self.entries.iter().any(|(known, before)| *known == key && *before == value) {
            return;
        }
        let bytes = self.bytes + key.len() + value.as_ref().map_or(0, |value| value.len());
        if bytes > RECORDED_BYTES {
            self.is_cut = true;
            return;
        }
        self.bytes = bytes;
        self.entries.push((key, value));
    }
}

impl From<notebook::Refusal> for Refusal {
    fn from(refusal: notebook::Refusal) -> Self {
        match refusal {
            notebook::Refusal::BadKey => Self::BadKey,
            notebook::Refusal::LongValue => Self::LongValue,
            notebook::Refusal::Full => Self::Full,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> Option<Arc<[u8]>> {
        Some(bytes.into())
    }

    #[test]
    fn tells_each_key_once_in_the_order_it_was_read() {
        let mut log = ReadLog::default();

        log.note("b".to_owned(), value(&[1, 255]));
        log.note("a".to_owned(), None);
        log.note("b".to_owned(), value(&[1, 255]));

        let told = log.take().unwrap();
        let entries: Vec<_> = told.entries.iter().map(|entry| (&*entry.key, entry.value.as_deref())).collect();
        assert_eq!((entries, told.cut), (vec![("b", Some("01ff")), ("a", None)], false));
        assert_eq!(log.take(), None);
    }

    #[test]
    fn says_where_there_was_more_than_a_record_takes() {
        let mut log = ReadLog::default();

        log.note("a".to_owned(), value(&[0; 4_000]));
        log.note("b".to_owned(), value(&[0; 100]));

        let told = log.take().unwrap();
        assert_eq!((told.entries.len(), told.cut), (1, true));
    }
}
