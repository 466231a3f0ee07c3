//! What strategies note, passed on among instances by way of the shared store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redis::Script;

use super::locked;
use crate::accounting::{Change, Exchange, NotebookName, SharedPages};
use crate::clock::{Clock, SystemClock};
use crate::config::SharedAddress;
use crate::random::Random;
use crate::shared::{SharedError, SharedStore};

/// How often notebooks are told and heard.
const RHYTHM: Duration = Duration::from_millis(200);

/// How long whoever opens a notebook waits for what others have noted in it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Passes on what strategies note. Where the store is away, each instance notes for itself, and tells it later.
pub struct SharedNotes {
    joins: Mutex<Option<Sender<Join>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A notebook, and who waits until it has been heard.
struct Join {
    notebook: Arc<dyn SharedPages>,
    heard: SyncSender<()>,
}

/// Whoever talks to the store.
struct Messenger {
    store: SharedStore,
    script: Script,
    random: Random,
    notebooks: Vec<Passed>,
    /// Whether the store has failed to answer the last time.
    is_cut_off: bool,
}

/// A notebook that is passed on.
struct Passed {
    notebook: Arc<dyn SharedPages>,
    keys: [String; 2],
    /// What the store called itself, and the number of the latest change heard of.
    heard: (String, u64),
    /// Whether some of it has found no room there.
    is_full: bool,
}

/// The store's answer.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    store: String,
    latest: u64,
    extent: Extent,
    refused: u64,
    changes: Vec<Change>,
}

/// What an answer tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// The store knows nothing of the notebook, and was told nothing.
    Nothing,
    /// All there is.
    All,
    /// What has changed.
    Changes,
}

impl SharedNotes {
    /// Those in the store at an address. It need not be there yet.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub fn open(address: &SharedAddress) -> Result<Self, SharedError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let messenger = Messenger {
            store: SharedStore::new(address, clock)?,
            script: Script::new(include_str!("notes.lua")),
            random: Random::from_system(),
            notebooks: Vec::new(),
            is_cut_off: false,
        };
        let (joins, joining) = channel();
        // Where there is no thread nobody answers, and all is as if the store were away.
        let thread = thread::Builder::new().name("shared notes".to_owned()).spawn(move || messenger.run(&joining));
        Ok(Self { joins: Mutex::new(Some(joins)), thread: Mutex::new(thread.ok()) })
    }

    /// Tells what was noted so far, and ends: what is noted later stays here. A process calls it before it ends, since it cannot be
    /// sure to hold the last reference.
    pub fn close(&self) {
        drop(locked(&self.joins).take());
        if let Some(thread) = locked(&self.thread).take() {
            let _ = thread.join();
        }
    }
}

impl Exchange for SharedNotes {
    fn join(&self, notebook: Arc<dyn SharedPages>) {
        let (heard, is_heard) = sync_channel(1);
        let is_told = locked(&self.joins).as_ref().is_some_and(|joins| joins.send(Join { notebook, heard }).is_ok());
        if is_told {
            let _ = is_heard.recv_timeout(PATIENCE);
        }
    }
}

impl Drop for SharedNotes {
    fn drop(&mut self) {
        self.close();
    }
}

impl Messenger {
    /// Talks to the store until nobody can have a notebook passed on any more.
    fn run(mut self, joins: &Receiver<Join>) {
        loop {
            let joined = match self.notebooks.is_empty() {
                true => joins.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => joins.recv_timeout(RHYTHM),
            };
            match joined {
                Ok(Join { notebook, heard }) => {
                    self.notebooks.push(Passed::new(notebook));
                    self.talk();
                    let _ = heard.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => self.talk(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.talk();
    }

    /// Tells and hears of every notebook.
    fn talk(&mut self) {
        let Self { store, script, random, notebooks, .. } = self;
        let talked = notebooks.iter_mut().try_for_each(|passed| passed.talk(store, script, random));
        match (&talked, self.is_cut_off) {
            (Err(error), false) => {
                tracing::warn!("what strategies learn is not shared, and each instance learns by itself: {error}");
            }
            (Ok(()), true) => tracing::info!("what strategies learn is shared again"),
            (Err(_), true) | (Ok(()), false) => {}
        }
        self.is_cut_off = talked.is_err();
    }
}

impl Passed {
    fn new(notebook: Arc<dyn SharedPages>) -> Self {
        let NotebookName { route, strategy } = notebook.name();
        // The length says where the route ends: both names may have any letters.
        let key = |what| format!("{{backstop}}:{what}:{}:{route}:{strategy}", route.len());
        let keys = ["notes", "notes-order"].map(key);
        Self { notebook, keys, heard: Default::default(), is_full: false }
    }

    fn talk(&mut self, store: &mut SharedStore, script: &Script, random: &Random) -> Result<(), SharedError> {
        if self.exchange(store, script, None)? == Extent::Nothing {
            // Nobody has told it anything yet, or it has lost it.
            self.notebook.tell_all();
            self.exchange(store, script, Some(random.next()))?;
        }
        Ok(())
    }

    /// One word each. A store that knows nothing begins with this where it is given a number to know itself by.
    fn exchange(
        &mut self,
        store: &mut SharedStore,
        script: &Script,
        beginning: Option<u64>,
    ) -> Result<Extent, SharedError> {
        let untold = self.notebook.untold();
        let beginning = beginning.map(|number| format!("{number:016x}")).unwrap_or_default();
        let mut arguments =
            vec![beginning.into_bytes(), self.heard.0.clone().into_bytes(), self.heard.1.to_string().into_bytes()];
        for (key, value) in &untold {
            let set = if value.is_some() { b"1" } else { b"0" };
            arguments.extend([key.clone().into_bytes(), set.to_vec(), value.clone().unwrap_or_default()]);
        }
        let answer: Result<Vec<Vec<u8>>, SharedError> = store.run(script, &self.keys, &arguments);
        let heard = match answer.and_then(|answer| Heard::read(&answer).ok_or_else(|| store.odd())) {
            Ok(heard) => heard,
            Err(error) => {
                self.notebook.keep(untold);
                return Err(error);
            }
        };
        let Heard { store, latest, extent, refused, changes } = heard;
        self.heard = (store, latest);
        match extent {
            Extent::Changes => Arc::clone(&self.notebook).hear(changes),
            Extent::All => Arc::clone(&self.notebook).hear_all(changes),
            Extent::Nothing => self.notebook.keep(untold),
        }
        self.note(refused);
        Ok(extent)
    }

    /// Says once that there is no room.
    fn note(&mut self, refused: u64) {
        if refused > 0 && !self.is_full {
            let NotebookName { route, strategy } = self.notebook.name();
            tracing::warn!(%route, %strategy, refused, "the instances together note more keys than are shared: the rest is each one's own");
        }
        self.is_full |= refused > 0;
    }
}

impl Heard {
    /// Reads an answer; `None` where it is none. What others note is looked over by the notebook; keys that are no text are nobody's.
    fn read(answer: &[Vec<u8>]) -> Option<Self> {
        let [store, latest, extent, refused, rest @ ..] = answer else { return None };
        let (entries, []) = rest.as_chunks::<3>() else { return None };
        let extent = match &**extent {
            b"none" => Extent::Nothing,
            b"all" => Extent::All,
            b"some" => Extent::Changes,
            _ => return None,
        };
        // The latest word on a key counts.
        let mut changes = BTreeMap::new();
        for [key, is_set, value] in entries {
            let value = (is_set == b"1").then(|| value.clone());
            changes.extend(str::from_utf8(key).ok().map(|key| (key.to_owned(), value)));
        }
        if extent == Extent::All {
            changes.retain(|_, value| value.is_some());
        }
        Some(Self {
            store: str::from_utf8(store).ok()?.to_owned(),
            latest: str::from_utf8(latest).ok()?.parse().ok()?,
            extent,
            refused: str::from_utf8(refused).ok()?.parse().ok()?,
            changes: changes.into_iter().collect(),
        })
    }
}

impl fmt::Debug for SharedNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedNotes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn reads_what_others_have_changed() {
        let heard = Heard::read(&bytes(&["s", "12", "some", "0", "b", "1", "x", "a", "0", ""])).unwrap();

        assert_eq!((heard.latest, heard.extent, heard.refused), (12, Extent::Changes, 0));
        assert_eq!(heard.changes, [("a".to_owned(), None), ("b".to_owned(), Some(b"x".to_vec()))]);
    }

    #[test]
    fn takes_nothing_for_an_answer_that_is_none() {
        let strange: [&[&str]; 5] = [
            &[],
            &["s", "12", "some"],
            &["s", "-1", "some", "0"],
            &["s", "1", "most", "0"],
            &["s", "1", "all", "0", "key", "1"],
        ];

        assert!(strange.into_iter().all(|answer| Heard::read(&bytes(answer)).is_none()));
    }

    #[test]
    fn keeps_apart_what_names_with_colons_could_mix_up() {
        struct Named(NotebookName);
        impl SharedPages for Named {
            fn name(&self) -> &NotebookName {
                &self.0
            }
            fn untold(&self) -> Vec<Change> {
                Vec::new()
            }
            fn keep(&self, _: Vec<Change>) {}
            fn hear(self: Arc<Self>, _: Vec<Change>) {}
            fn hear_all(self: Arc<Self>, _: Vec<Change>) {}
            fn tell_all(&self) {}
        }
        let keys = [("a:b", "c"), ("a", "b:c")].map(|(route, strategy)| {
            Passed::new(Arc::new(Named(NotebookName { route: route.into(), strategy: strategy.into() }))).keys
        });

        assert_ne!(keys[0], keys[1]);
    }
}
