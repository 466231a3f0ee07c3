//! Replies that several instances keep together, in the store that they share. A store that is away or slow has none.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use redis::Script;
use tokio::sync::oneshot;

use super::kept_text;
use super::key::CacheKey;
use super::reply::KeptReply;
use super::shelf::{Memory, Shelf};
use crate::clock::{Clock, Moment, SystemClock};
use crate::config::{CacheConfig, SharedAddress};
use crate::shared::{SharedError, SharedStore};

/// How long a request waits for the store.
const PATIENCE: Duration = Duration::from_millis(50);

/// Requests that wait for the store at most; the others do without.
const MOST_WAITING: usize = 256;

/// Bytes of a reply that is kept there at most.
const LARGEST: usize = 1 << 20;

const FIND: &str = "local text = redis.call('GET', KEYS[1]) \
    if text then return { text, redis.call('PTTL', KEYS[1]) } end return {}";
const KEEP: &str = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])";

/// The replies in a shared store. A thread of its own talks to it, and ends with the last reference.
pub struct SharedReplies {
    wishes: SyncSender<Wish>,
}

enum Wish {
    Find { name: String, found: oneshot::Sender<(String, i64)> },
    Keep { name: String, text: String, ttl: Duration },
}

/// The process's memory, and the shared store behind it.
pub(super) struct SharedShelf {
    memory: Memory,
    behind: Arc<SharedReplies>,
    /// Instances whose configurations have requests answered alike share their replies.
    configuration: [u8; 32],
    ttl: Duration,
    clock: Arc<dyn Clock>,
}

impl SharedReplies {
    /// Those in the store at an address. It need not be there yet.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub fn open(address: &SharedAddress) -> Result<Self, SharedError> {
        let store = SharedStore::new(address, Arc::new(SystemClock::start()))?;
        let (wishes, told) = sync_channel(MOST_WAITING);
        // Where there is no thread nobody answers, and all is as if the store were away.
        let _ = thread::Builder::new().name("shared cache".to_owned()).spawn(move || serve(store, &told));
        Ok(Self { wishes })
    }

    async fn find(&self, name: String, clock: &dyn Clock) -> Option<(String, Duration)> {
        let until = clock.now() + PATIENCE;
        let (found, told) = oneshot::channel();
        self.wishes.try_send(Wish::Find { name, found }).ok()?;
        let (text, left) = tokio::select! {
            told = told => told.ok()?,
            () = clock.sleep_until(until) => return None,
        };
        Some((text, Duration::from_millis(u64::try_from(left).ok()?)))
    }
}

fn serve(mut store: SharedStore, wishes: &Receiver<Wish>) {
    let (find, keep) = (Script::new(FIND), Script::new(KEEP));
    while let Ok(wish) = wishes.recv() {
        match wish {
            // Whoever has not waited so long is not asked for.
            Wish::Find { found, .. } if found.is_closed() => {}
            Wish::Find { name, found } => {
                if let Ok(Some(kept)) = store.run(&find, &[name], &[] as &[&str]).map(first) {
                    let _ = found.send(kept);
                }
            }
            Wish::Keep { name, text, ttl } => {
                let _: Result<(), SharedError> = store.run(&keep, &[name], &[text, ttl.as_millis().max(1).to_string()]);
            }
        }
    }
}

fn first(values: Vec<redis::Value>) -> Option<(String, i64)> {
    let mut values = values.into_iter();
    let text = redis::FromRedisValue::from_redis_value(values.next()?).ok()?;
    Some((text, redis::FromRedisValue::from_redis_value(values.next()?).ok()?))
}

impl SharedShelf {
    /// A shelf for one configuration.
    pub(super) fn new(
        behind: Arc<SharedReplies>,
        configuration: [u8; 32],
        config: &CacheConfig,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { memory: Memory::new(config.max_bytes, config.ttl), behind, configuration, ttl: config.ttl, clock }
    }

    fn name(&self, key: &CacheKey) -> String {
        format!("backstop:reply:{}", key.within(&self.configuration))
    }

    async fn find_anywhere(&self, key: &CacheKey) -> Option<Arc<KeptReply>> {
        if let Some(reply) = self.memory.find(key).await {
            return Some(reply);
        }
        let (text, left) = self.behind.find(self.name(key), &*self.clock).await?;
        let age = self.ttl.saturating_sub(left);
        let now = self.clock.now().since(Moment::START);
        let reply = Arc::new(kept_text::read(&text, Moment::from_start(now.saturating_sub(age)))?);
        self.memory.keep(*key, Arc::clone(&reply));
        Some(reply)
    }
}

impl Shelf for SharedShelf {
    fn find<'a>(&'a self, key: &'a CacheKey) -> Pin<Box<dyn Future<Output = Option<Arc<KeptReply>>> + Send + 'a>> {
        Box::pin(self.find_anywhere(key))
    }

    fn keep(&self, key: CacheKey, reply: Arc<KeptReply>) {
        if reply.size() <= LARGEST
            && let Some(text) = kept_text::written(&reply)
        {
            let _ = self.behind.wishes.try_send(Wish::Keep { name: self.name(&key), text, ttl: self.ttl });
        }
        self.memory.keep(key, reply);
    }
}

impl fmt::Debug for SharedReplies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedReplies").finish_non_exhaustive()
    }
}
