//! What a strategy on a route remembers: keys and values within bounds, shared by all its instances, written behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::accounting::{Archive, Change, Changes, NotebookName};

/// Most keys.
const KEYS: usize = 1_024;

/// Longest key, in bytes.
const KEY_BYTES: usize = 128;

/// Longest value, in bytes.
const VALUE_BYTES: usize = 4_096;

/// Most bytes of all keys and values together.
const BYTES: usize = 256 << 10;

/// A value, shared with whoever reads it.
type Value = Arc<[u8]>;

/// The keys and values of one strategy on one route.
pub(super) struct Notebook {
    name: NotebookName,
    held: Mutex<Held>,
    archive: Option<Arc<dyn Archive>>,
}

#[derive(Default)]
struct Held {
    entries: BTreeMap<String, Value>,
    bytes: usize,
    /// Keys the archive does not know the present value of.
    changed: BTreeSet<String>,
    /// Whether the archive was told that there are some.
    is_told: bool,
}

/// Why a value is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    BadKey,
    LongValue,
    Full,
}

impl Notebook {
    /// Opens a notebook with what the archive has of it. Blocks.
    pub(super) fn open(name: NotebookName, archive: Option<Arc<dyn Archive>>) -> Arc<Self> {
        let mut held = Held::default();
        let kept = archive.as_ref().map(|archive| archive.entries(&name)).unwrap_or_default();
        for (key, value) in kept {
            // Who wrote more than fits, such as another version with wider bounds, finds as much again as does.
            let _ = held.put(&key, &value);
        }
        held.changed.clear();
        Arc::new(Self { name, held: Mutex::new(held), archive })
    }

    /// One that is thrown away: for a strategy that is being proven or looked at.
    pub(super) fn scratch() -> Arc<Self> {
        Self::open(NotebookName { route: "".into(), strategy: "".into() }, None)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Value> {
        self.held().entries.get(key).map(Arc::clone)
    }

    /// Sets a key.
    pub(super) fn set(self: &Arc<Self>, key: &str, value: &[u8]) -> Result<(), Refusal> {
        let mut held = self.held();
        held.put(key, value)?;
        self.tell(held);
        Ok(())
    }

    /// Sets a key if its value is what was expected; what it was before comes back, with whether it was set.
    pub(super) fn swap(
        self: &Arc<Self>,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<(bool, Option<Value>), Refusal> {
        let mut held = self.held();
        let before = held.entries.get(key).map(Arc::clone);
        if before.as_deref() != expected {
            return Ok((false, before));
        }
        held.put(key, value)?;
        self.tell(held);
        Ok((true, before))
    }

    /// Removes a key.
    pub(super) fn remove(self: &Arc<Self>, key: &str) {
        let mut held = self.held();
        if let Some(value) = held.entries.remove(key) {
            held.bytes -= key.len() + value.len();
            held.changed.insert(key.to_owned());
            self.tell(held);
        }
    }

    /// All keys, in the order of their bytes.
    pub(super) fn keys(&self) -> Vec<String> {
        self.held().entries.keys().cloned().collect()
    }

    /// Tells the archive that there is something to be read, unless it knows that already: a strategy that writes without
    /// measure makes one note of it, not many.
    fn tell(self: &Arc<Self>, mut held: MutexGuard<'_, Held>) {
        let Some(archive) = &self.archive else { return held.changed.clear() };
        if std::mem::replace(&mut held.is_told, true) {
            return;
        }
        drop(held);
        if !archive.changed(Arc::clone(self) as Arc<dyn Changes>) {
            self.held().is_told = false;
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        if key.is_empty() || key.len() > KEY_BYTES {
            return Err(Refusal::BadKey);
        }
        if value.len() > VALUE_BYTES {
            return Err(Refusal::LongValue);
        }
        let before = self.entries.get(key).map(|before| key.len() + before.len());
        let bytes = self.bytes - before.unwrap_or(0) + key.len() + value.len();
        if bytes > BYTES || (before.is_none() && self.entries.len() >= KEYS) {
            return Err(Refusal::Full);
        }
        self.bytes = bytes;
        self.entries.insert(key.to_owned(), value.into());
        self.changed.insert(key.to_owned());
        Ok(())
    }
}

impl Changes for Notebook {
    fn name(&self) -> &NotebookName {
        &self.name
    }

    fn take(&self) -> Vec<Change> {
        let mut held = self.held();
        held.is_told = false;
        let changed = std::mem::take(&mut held.changed);
        let with_value = |key: String| {
            let value = held.entries.get(&key).map(|value| value.to_vec());
            (key, value)
        };
        changed.into_iter().map(with_value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<Arc<dyn Changes>>>);

    impl Archive for Told {
        fn entries(&self, _: &NotebookName) -> Vec<(String, Vec<u8>)> {
            vec![("kept".to_owned(), vec![7])]
        }

        fn changed(&self, notebook: Arc<dyn Changes>) -> bool {
            self.0.lock().unwrap().push(notebook);
            true
        }
    }

    #[test]
    fn keeps_what_was_set_until_it_is_removed() {
        let notebook = Notebook::scratch();

        notebook.set("a", b"1").unwrap();
        notebook.set("b", b"2").unwrap();
        notebook.set("a", b"3").unwrap();
        notebook.remove("b");

        assert_eq!(notebook.get("a").as_deref(), Some(&b"3"[..]));
        assert_eq!((notebook.get("b"), notebook.keys()), (None, vec!["a".to_owned()]));
    }

    #[test]
    fn swaps_only_what_was_expected() {
        let notebook = Notebook::scratch();

        let swaps = [(None, b"1"), (None, b"2"), (Some(&b"1"[..]), b"3")];
        let swapped = swaps.map(|(expected, value)| notebook.swap("a", expected, value).unwrap().0);

        assert_eq!(swapped, [true, false, true]);
        assert_eq!(notebook.get("a").as_deref(), Some(&b"3"[..]));
    }

    #[test]
    fn refuses_what_is_beyond_its_bounds_and_has_room_again_for_what_was_removed() {
        let notebook = Notebook::scratch();

        assert_eq!(notebook.set("", b""), Err(Refusal::BadKey));
        assert_eq!(notebook.set(&"k".repeat(129), b""), Err(Refusal::BadKey));
        assert_eq!(notebook.set("a", &[0; 4_097]), Err(Refusal::LongValue));
        let kept = (0..2_000).filter(|n| notebook.set(&format!("{n:04}"), b"").is_ok()).count();
        assert_eq!(kept, 1_024);
        let filled = (0..1_024).filter(|n| notebook.set(&format!("{n:04}"), &[0; 4_000]).is_ok()).count();
        assert_eq!(filled, ((256 << 10) - 4 * 1_024) / 4_000);
        assert_eq!(notebook.set("1023", &[0; 4_000]), Err(Refusal::Full));
        notebook.remove("0000");
        assert_eq!(notebook.set("1023", &[0; 4_000]), Ok(()));
    }

    #[test]
    fn tells_the_archive_once_until_it_has_been_read() {
        let archive = Arc::new(Told::default());
        let notebook = Notebook::open(Notebook::scratch().name.clone(), Some(archive.clone()));
        let told = || archive.0.lock().unwrap().len();

        (0..1_000).for_each(|n| notebook.set("a", &[u8::try_from(n % 250).unwrap()]).unwrap());
        notebook.remove("kept");
        assert_eq!(told(), 1);
        assert_eq!(notebook.take(), [("a".to_owned(), Some(vec![249])), ("kept".to_owned(), None)]);
        assert!(notebook.take().is_empty());
        notebook.set("b", b"1").unwrap();

        assert_eq!(told(), 2);
    }
}
