//! Where kept replies are.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::key::CacheKey;
use super::reply::KeptReply;

/// A place for kept replies: this process's memory, or one that several instances share.
///
/// It may lose any of them at any time, and must never give one for another key.
pub trait Shelf: Send + Sync {
    /// What is kept under a key.
    fn find<'a>(&'a self, key: &'a CacheKey) -> Pin<Box<dyn Future<Output = Option<Arc<KeptReply>>> + Send + 'a>>;

    /// Keeps a reply. Nobody waits for it.
    fn keep(&self, key: CacheKey, reply: Arc<KeptReply>);
}

/// The process's memory, bounded by bytes and age: what is asked for often stays.
pub struct Memory {
    kept: Cache<CacheKey, Arc<KeptReply>>,
}

impl Memory {
    /// An empty one for so many bytes.
    #[must_use]
    pub fn new(bytes: usize, ttl: Duration) -> Self {
        let weigh = |_: &CacheKey, reply: &Arc<KeptReply>| u32::try_from(reply.size()).unwrap_or(u32::MAX);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self { kept: Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(ttl).build() }
    }
}

impl Shelf for Memory {
    fn find<'a>(&'a self, key: &'a CacheKey) -> Pin<Box<dyn Future<Output = Option<Arc<KeptReply>>> + Send + 'a>> {
        Box::pin(std::future::ready(self.kept.get(key)))
    }

    fn keep(&self, key: CacheKey, reply: Arc<KeptReply>) {
        self.kept.insert(key, reply);
    }
}
