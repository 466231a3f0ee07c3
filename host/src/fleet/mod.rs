//! Several instances as one: by way of the shared store they divide limits among themselves, and tell each other what they learn of
//! providers and what their strategies note ([`SharedNotes`]).
//!
//! Each [`Membership`] has a thread that talks to the store several times a second, and sooner where requests are turned away. Requests
//! never wait for it: they go by the part of each limit that the instance has, and by what it has heard.

mod notes;
mod word;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redis::Script;

use crate::clock::{Clock, Moment, SystemClock};
use crate::config::SharedAddress;
use crate::guard::{Commons, Fleet, Holding, Lot, Sharer};
use crate::random::Random;
use crate::shared::{self, SharedError, SharedStore};
pub use notes::SharedNotes;
use word::{Answer, Heard};

/// How often the store is told where nobody waits, and where somebody does.
const IDLE: Duration = Duration::from_millis(200);
const BUSY: Duration = Duration::from_millis(50);

/// Between two words at least, however often the bell is rung.
const BREATH: Duration = Duration::from_millis(10);

/// This instance among those that share a store. Dropped, it leaves them what it does not use.
pub struct Membership {
    shared: Arc<Shared>,
    bell: SyncSender<()>,
    thread: Mutex<Thread>,
}

enum Thread {
    /// There is nothing to talk about yet.
    NotNeeded(Box<Envoy>),
    Running(JoinHandle<()>),
    Ended,
}

/// What the thread and its owner have in common.
struct Shared {
    commons: Arc<Commons>,
    sharers: Mutex<Vec<Arc<dyn Sharer>>>,
    has_ended: AtomicBool,
}

/// Whoever talks to the store.
struct Envoy {
    shared: Arc<Shared>,
    store: SharedStore,
    clock: Arc<dyn Clock>,
    bell: Receiver<()>,
    limits: Script,
    news: Script,
    /// What this instance is called there.
    name: String,
    /// The number of the latest word.
    number: u64,
    /// The news that was read last.
    read: String,
    /// When the store was asked that answered last, and how many instances there were.
    heard: Option<(Moment, u32)>,
    /// Whether the store has failed to answer the last time.
    is_cut_off: bool,
}

impl Membership {
    /// A member of those that share the store at an address. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub fn new(address: &SharedAddress) -> Result<Self, SharedError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (bell, rung) = sync_channel(1);
        let shared = Arc::new(Shared {
            commons: Arc::new(Commons::new(bell.clone())),
            sharers: Mutex::default(),
            has_ended: AtomicBool::new(false),
        });
        let random = Random::from_system();
        let envoy = Envoy {
            shared: Arc::clone(&shared),
            store: SharedStore::new(address, Arc::clone(&clock))?,
            clock,
            bell: rung,
            limits: shared::lending_script(include_str!("limits.lua")),
            news: Script::new(include_str!("news.lua")),
            name: format!("{:016x}{:016x}", random.next(), random.next()),
            number: 0,
            read: "0".to_owned(),
            heard: None,
            is_cut_off: false,
        };
        Ok(Self { shared, bell, thread: Mutex::new(Thread::NotNeeded(Box::new(envoy))) })
    }

    fn ring(&self) {
        let _ = self.bell.try_send(());
    }
}

impl Fleet for Membership {
    fn commons(&self) -> Arc<Commons> {
        Arc::clone(&self.shared.commons)
    }

    fn share(&self, sharer: Arc<dyn Sharer>, instead_of: Option<&Arc<dyn Sharer>>, clock: &Arc<dyn Clock>) {
        let mut sharers = locked(&self.shared.sharers);
        if let Some(old) = instead_of {
            sharers.retain(|sharer| !Arc::ptr_eq(sharer, old));
        }
        sharers.push(sharer);
        drop(sharers);
        let mut thread = locked(&self.thread);
        *thread = match std::mem::replace(&mut *thread, Thread::Ended) {
            Thread::NotNeeded(mut envoy) => {
                envoy.clock = Arc::clone(clock);
                // Before the first request: what may be used is known then.
                envoy.talk();
                let begun = thread::Builder::new().name("fleet".to_owned()).spawn(move || envoy.run());
                begun.map_or(Thread::Ended, Thread::Running)
            }
            other @ (Thread::Running(_) | Thread::Ended) => other,
        };
        self.ring();
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::Release);
        self.ring();
        if let Thread::Running(thread) = std::mem::replace(&mut *locked(&self.thread), Thread::Ended) {
            let _ = thread.join();
        }
    }
}

impl Envoy {
    /// Talks to the store until the membership ends.
    fn run(mut self) {
        let mut is_wanted = false;
        loop {
            let rung = self.bell.recv_timeout(if is_wanted { BUSY } else { IDLE });
            if rung == Err(RecvTimeoutError::Disconnected) || self.shared.has_ended.load(Ordering::Acquire) {
                break;
            }
            is_wanted = self.talk();
            thread::sleep(BREATH);
        }
        self.leave();
    }

    /// Tells the store what is held and what was learnt, and takes its answers. Returns whether anything is lacking.
    fn talk(&mut self) -> bool {
        let sharers = locked(&self.shared.sharers).clone();
        let now = self.clock.now();
        let holdings: Vec<Holding> = sharers.iter().flat_map(|sharer| sharer.holdings(now)).collect();
        let told = self.divide(&holdings, false).and_then(|answer| {
            let now = self.clock.now();
            let lots: HashMap<String, Lot> =
                holdings.iter().map(|holding| holding.name.clone()).zip(answer.lots).collect();
            sharers.iter().for_each(|sharer| sharer.put(&lots, now));
            self.heard = Some((now, answer.instances));
            self.pass_on(&sharers)
        });
        self.note(told.err(), now);
        if self.is_cut_off
            && let Some((heard, instances)) = self.heard
        {
            let silent_for = self.clock.now().since(heard);
            sharers.iter().for_each(|sharer| sharer.alone(instances, silent_for));
        }
        holdings.iter().any(|holding| holding.wanted > 0)
    }

    /// Gives back what is not used. Where the store does not answer, it waits for that as for one that was killed.
    fn leave(&mut self) {
        let sharers = std::mem::take(&mut *locked(&self.shared.sharers));
        let now = self.clock.now();
        let holdings: Vec<Holding> = sharers.iter().flat_map(|sharer| sharer.holdings(now)).collect();
        let _ = self.divide(&holdings, true);
    }

    /// One word about the limits.
    fn divide(&mut self, holdings: &[Holding], leaves: bool) -> Result<Answer, SharedError> {
        self.number += 1;
        let keys = std::iter::once("{backstop}:fleet".to_owned());
        let keys: Vec<String> =
            keys.chain(holdings.iter().map(|holding| format!("{{backstop}}:limit:{}", holding.name))).collect();
        let mut arguments = vec![self.name.clone(), self.number.to_string(), u8::from(leaves).to_string()];
        arguments.extend(holdings.iter().flat_map(word::of));
        let numbers: Vec<i64> = self.store.run(&self.limits, &keys, &arguments)?;
        Answer::read(&numbers, holdings.len()).ok_or_else(|| self.store.odd())
    }

    /// Tells and hears what was learnt.
    fn pass_on(&mut self, sharers: &[Arc<dyn Sharer>]) -> Result<(), SharedError> {
        let untold = self.shared.commons.untold();
        let now = self.clock.now();
        let mut arguments = vec![self.name.clone(), self.read.clone()];
        arguments.extend(untold.iter().filter_map(|news| word::of_news(news, now)).flatten());
        let keys = ["{backstop}:news".to_owned()];
        let told: Result<Vec<String>, SharedError> = self.store.run(&self.news, &keys, &arguments);
        let told = told.inspect_err(|_| self.shared.commons.keep(untold))?;
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let Heard { read, news } = Heard::read(told, now).ok_or_else(|| self.store.odd())?;
        self.read = read;
        for news in &news {
            sharers.iter().for_each(|sharer| sharer.hear(news, now, wall));
        }
        Ok(())
    }

    /// Says once that the store is away, and once that it is back.
    fn note(&mut self, error: Option<SharedError>, now: Moment) {
        match (&error, self.is_cut_off) {
            (Some(error), false) => {
                tracing::warn!("limits are not shared, and each instance keeps to an equal part of them: {error}");
            }
            (None, true) => tracing::info!("limits are shared again"),
            (Some(_), true) | (None, false) => {}
        }
        self.is_cut_off = error.is_some();
        self.shared.commons.note(error.map(|error| error.to_string().into()), now);
    }
}

/// A thread that panicked has left nothing half done here.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
    }
}
