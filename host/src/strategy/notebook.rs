//! What a strategy on a route remembers: keys and values within bounds, shared by all its instances, written behind, and passed on to
//! other processes where there is somebody to do that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::accounting::{Archive, Change, Changes, Exchange, NotebookName, SharedPages};

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
    /// Whether other processes are told of it.
    is_shared: bool,
}

#[derive(Default)]
struct Held {
    entries: BTreeMap<String, Value>,
    bytes: usize,
    /// Keys the archive does not know the present value of.
    changed: BTreeSet<String>,
    /// Keys that other processes do not know the present value of.
    untold: BTreeSet<String>,
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
    /// Opens a notebook with what the archive has of it, and what other processes have noted. Blocks.
    pub(super) fn open(
        name: NotebookName,
        archive: Option<Arc<dyn Archive>>,
        exchange: Option<&dyn Exchange>,
    ) -> Arc<Self> {
        let mut held = Held::default();
        let kept = archive.as_ref().map(|archive| archive.entries(&name)).unwrap_or_default();
        for (key, value) in kept {
            // Who wrote more than fits, such as another version with wider bounds, finds as much again as does.
            let _ = held.put(&key, &value);
        }
        held.changed.clear();
        let notebook = Arc::new(Self { name, held: Mutex::new(held), archive, is_shared: exchange.is_some() });
        if let Some(exchange) = exchange {
            exchange.join(Arc::clone(&notebook) as Arc<dyn SharedPages>);
        }
        notebook
    }

    /// One that is thrown away: for a strategy that is being proven or looked at.
    pub(super) fn scratch() -> Arc<Self> {
        Self::open(NotebookName { route: "".into(), strategy: "".into() }, None, None)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Value> {
        self.held().entries.get(key).map(Arc::clone)
    }

    /// Sets a key.
    pub(super) fn set(self: &Arc<Self>, key: &str, value: &[u8]) -> Result<(), Refusal> {
        let mut held = self.held();
        held.put(key, value)?;
        self.pass_on(held, key);
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
        self.pass_on(held, key);
        Ok((true, before))
    }

    /// Removes a key.
    pub(super) fn remove(self: &Arc<Self>, key: &str) {
        let mut held = self.held();
        if held.remove(key) {
            self.pass_on(held, key);
        }
    }

    /// All keys, in the order of their bytes.
    pub(super) fn keys(&self) -> Vec<String> {
        self.held().entries.keys().cloned().collect()
    }

    /// What was changed here goes to the archive and to other processes.
    fn pass_on(self: &Arc<Self>, mut held: MutexGuard<'_, Held>, key: &str) {
        if self.is_shared {
            held.untold.insert(key.to_owned());
        }
        self.archive(held, [key.to_owned()]);
    }

    /// Tells the archive that there is something to be read, unless it knows that already: a strategy that writes without
    /// measure makes one note of it, not many.
    fn archive(self: &Arc<Self>, mut held: MutexGuard<'_, Held>, changed: impl IntoIterator<Item = String>) {
        let Some(archive) = &self.archive else { return };
        held.changed.extend(changed);
        if held.changed.is_empty() || std::mem::replace(&mut held.is_told, true) {
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
        Ok(())
    }

    /// Whether there was anything to remove.
    fn remove(&mut self, key: &str) -> bool {
        let removed = self.entries.remove(key);
        self.bytes -= removed.as_ref().map_or(0, |value| key.len() + value.len());
        removed.is_some()
    }

    /// Takes over what another process has made of a key; whether that is anything new. What is changed here is newer, and what finds
    /// no room stays with the others.
    fn take_over(&mut self, key: &str, value: Option<&[u8]>) -> bool {
        if self.untold.contains(key) || self.entries.get(key).map(|value| &**value) == value {
            return false;
        }
        match value {
            Some(value) => self.put(key, value).is_ok(),
            None => self.remove(key),
        }
    }

    /// These keys with their values.
    fn with_values(&self, keys: BTreeSet<String>) -> Vec<Change> {
        let with_value = |key: String| {
            let value = self.entries.get(&key).map(|value| value.to_vec());
            (key, value)
        };
        keys.into_iter().map(with_value).collect()
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
        held.with_values(changed)
    }
}

impl SharedPages for Notebook {
    fn name(&self) -> &NotebookName {
        &self.name
    }

    fn untold(&self) -> Vec<Change> {
        let mut held = self.held();
        let untold = std::mem::take(&mut held.untold);
        held.with_values(untold)
    }

    fn keep(&self, untold: Vec<Change>) {
        self.held().untold.extend(untold.into_iter().map(|(key, _)| key));
    }

    fn hear(self: Arc<Self>, changes: Vec<Change>) {
        let mut held = self.held();
        let mut news = Vec::new();
        for (key, value) in changes {
            if held.take_over(&key, value.as_deref()) {
                news.push(key);
            }
        }
        self.archive(held, news);
    }

    fn hear_all(self: Arc<Self>, entries: Vec<Change>) {
        let known: BTreeSet<String> = entries.iter().map(|(key, _)| key.clone()).collect();
        let gone = self.keys().into_iter().filter(|key| !known.contains(key)).map(|key| (key, None));
        // What is gone first: it makes room.
        let changes = gone.chain(entries).collect();
        self.hear(changes);
    }

    fn tell_all(&self) {
        let mut held = self.held();
        let all: Vec<String> = held.entries.keys().cloned().collect();
        held.untold.extend(all);
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
        let notebook = Notebook::open(Notebook::scratch().name.clone(), Some(archive.clone()), None);
        let told = || archive.0.lock().unwrap().len();

        (0..1_000).for_each(|n| notebook.set("a", &[u8::try_from(n % 250).unwrap()]).unwrap());
        notebook.remove("kept");
        assert_eq!(told(), 1);
        assert_eq!(notebook.take(), [("a".to_owned(), Some(vec![249])), ("kept".to_owned(), None)]);
        assert!(notebook.take().is_empty());
        notebook.set("b", b"1").unwrap();

        assert_eq!(told(), 2);
    }

    /// Somebody who shares notebooks, and does nothing by itself.
    struct Idle;

    impl Exchange for Idle {
        fn join(&self, _: Arc<dyn SharedPages>) {}
    }

    fn shared() -> Arc<Notebook> {
        Notebook::open(Notebook::scratch().name.clone(), None, Some(&Idle))
    }

    fn change(key: &str, value: Option<&[u8]>) -> Change {
        (key.to_owned(), value.map(<[u8]>::to_vec))
    }

    #[test]
    fn tells_others_what_was_changed_here_and_not_what_was_heard() {
        let notebook = shared();

        notebook.set("a", b"1").unwrap();
        Arc::clone(&notebook).hear(vec![change("b", Some(b"2"))]);

        assert_eq!(notebook.untold(), [change("a", Some(b"1"))]);
        assert!(notebook.untold().is_empty());
        assert_eq!(notebook.get("b").as_deref(), Some(&b"2"[..]));
    }

    #[test]
    fn keeps_what_is_not_told_yet_when_others_change_the_same() {
        let notebook = shared();
        notebook.set("a", b"1").unwrap();

        Arc::clone(&notebook).hear(vec![change("a", Some(b"2"))]);
        assert_eq!(notebook.get("a").as_deref(), Some(&b"1"[..]));
        let untold = notebook.untold();
        notebook.keep(untold);
        Arc::clone(&notebook).hear_all(vec![change("a", Some(b"3"))]);

        assert_eq!(notebook.untold(), [change("a", Some(b"1"))]);
    }

    #[test]
    fn has_after_all_was_heard_what_others_have_and_what_is_not_told_yet() {
        let notebook = shared();
        (0..1_024).for_each(|n| notebook.set(&format!("{n:04}"), b"").unwrap());
        notebook.untold();
        notebook.set("0007", b"mine").unwrap();

        Arc::clone(&notebook).hear_all(vec![change("new", Some(b"theirs")), change("0003", Some(b""))]);

        assert_eq!(notebook.keys(), ["0003", "0007", "new"]);
    }

    #[test]
    fn takes_no_more_of_others_than_it_would_of_its_own() {
        let notebook = shared();
        let strange = [change("", Some(b"1")), change("a", Some(&[0; 4_097])), change("b", Some(b"2"))];

        Arc::clone(&notebook).hear(strange.to_vec());

        assert_eq!(notebook.keys(), ["b"]);
    }

    #[test]
    fn has_what_others_noted_written_behind_as_well() {
        let archive = Arc::new(Told::default());
        let notebook = Notebook::open(Notebook::scratch().name.clone(), Some(archive), Some(&Idle));

        Arc::clone(&notebook).hear(vec![change("kept", None), change("b", Some(b"2")), change("c", None)]);

        assert_eq!(notebook.take(), [change("b", Some(b"2")), change("kept", None)]);
    }
}
