//! Replies kept for equal requests: what was answered once is given again for a while, and equal requests that are under way at
//! the same time have it answered once.
//!
//! `key` says which requests are equal, `reply` is what is kept, a `shelf` where, and `flights` who is having it answered. What
//! may be kept at all, the router decides: it knows the request and how its answer ended.

mod flights;
mod key;
mod reply;
mod shelf;
#[cfg(feature = "store")]
mod kept_text;
#[cfg(feature = "store")]
mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use key::{CacheKey, ReplyShape};
pub use reply::{KeptEvent, KeptReply, KeptWords};
#[cfg(feature = "store")]
pub use shared::SharedReplies;
pub use shelf::{Memory, Shelf};

pub(crate) use flights::{Boarded, Landing};
use flights::{Flights, Lead};

#[cfg(feature = "store")]
use crate::clock::Clock;
use crate::clock::Moment;
use crate::config::CacheConfig;

/// A reply takes up this share of the cache at most: one of them must not drive all others out.
const LARGEST_SHARE: usize = 8;

/// The replies one configuration keeps.
pub struct ReplyCache {
    shelf: Arc<dyn Shelf>,
    flights: Arc<Flights>,
    /// Bytes of streams on their way in.
    collecting: AtomicUsize,
    /// By which rules.
    pub config: CacheConfig,
}

/// A request's right to have its reply kept. Dropped, it hands over to whoever waits for it.
pub(crate) struct Claim {
    cache: Arc<ReplyCache>,
    key: CacheKey,
    lead: Option<Lead>,
}

impl ReplyCache {
    /// An empty cache in memory; `None` where it is off.
    #[must_use]
    pub fn new(config: &CacheConfig) -> Option<Arc<Self>> {
        let shelf = || Arc::new(Memory::new(config.max_bytes, config.ttl));
        config.enabled.then(|| Self::on(shelf(), config))
    }

    /// One in memory and in a store that instances share; `None` where it is off. `configuration` names those whose answers are alike.
    #[cfg(feature = "store")]
    #[must_use]
    pub fn shared(
        config: &CacheConfig,
        behind: Arc<SharedReplies>,
        configuration: [u8; 32],
        clock: Arc<dyn Clock>,
    ) -> Option<Arc<Self>> {
        let shelf = || Arc::new(shared::SharedShelf::new(behind, configuration, config, clock));
        config.enabled.then(|| Self::on(shelf(), config))
    }

    /// A cache on a shelf of somebody's own.
    #[must_use]
    pub fn on(shelf: Arc<dyn Shelf>, config: &CacheConfig) -> Arc<Self> {
        Arc::new(Self { shelf, flights: Arc::default(), collecting: AtomicUsize::new(0), config: *config })
    }

    /// The reply that is kept, unless it is too old.
    pub(crate) async fn find(&self, key: &CacheKey, now: Moment) -> Option<Arc<KeptReply>> {
        self.shelf.find(key).await.filter(|reply| now.since(reply.kept_at) < self.config.ttl)
    }

    /// Joins those that have an equal request answered, or is the first of them.
    pub(crate) fn board(&self, key: CacheKey) -> Boarded {
        self.flights.board(key)
    }

    /// The claim of the first of equal requests, or of one that goes alone.
    pub(crate) fn claim(self: &Arc<Self>, key: CacheKey, lead: Option<Lead>) -> Claim {
        Claim { cache: Arc::clone(self), key, lead }
    }

    /// Bytes of a reply that is kept at most.
    fn largest(&self) -> usize {
        self.config.max_bytes / LARGEST_SHARE
    }
}

impl Claim {
    /// Whether a reply of so many bytes could be kept.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        bytes <= self.cache.largest()
    }

    /// Room for a stream on its way in. All of them together take no more than the cache itself.
    pub(crate) fn collecting(&self) -> Collecting {
        Collecting { cache: Arc::clone(&self.cache), bytes: 0 }
    }

    /// Keeps a reply and gives it to those who wait for it.
    pub(crate) fn keep(mut self, reply: KeptReply) {
        if !self.has_room_for(reply.size()) {
            return self.fail();
        }
        let reply = Arc::new(reply);
        self.cache.shelf.keep(self.key, Arc::clone(&reply));
        if let Some(lead) = self.lead.take() {
            lead.land(Landing::Kept(reply));
        }
    }

    /// There is no reply that could be given to others: those who wait for it go on their own.
    pub(crate) fn fail(mut self) {
        if let Some(lead) = self.lead.take() {
            lead.land(Landing::Failed);
        }
    }
}

/// What a stream on its way in takes up, until it is dropped.
pub(crate) struct Collecting {
    cache: Arc<ReplyCache>,
    bytes: usize,
}

impl Collecting {
    /// Takes up so much more; not where the stream, or all of them, would become too large.
    pub(crate) fn add(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        let before = self.cache.collecting.fetch_add(bytes, Ordering::Relaxed);
        self.bytes <= self.cache.largest() && before.saturating_add(bytes) <= self.cache.config.max_bytes
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        self.cache.collecting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::time::Duration;

    use super::*;
    use crate::types::{ChatRequest, TargetName};

    fn key(question: &str) -> CacheKey {
        CacheKey::of(&ChatRequest::ask(question), "default", None, ReplyShape::Whole)
    }

    fn reply(text: &str, kept_at: Moment) -> KeptReply {
        let target = Arc::new(TargetName::new("a", "m"));
        let words = KeptWords::Whole(text.to_owned().into());
        KeptReply { target, text: text.to_owned(), usage: None, finish_reason: Some("stop".to_owned()), words, kept_at }
    }

    fn cache(max_bytes: usize) -> Arc<ReplyCache> {
        ReplyCache::new(&CacheConfig { enabled: true, max_bytes, ..CacheConfig::default() }).unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    async fn found(cache: &ReplyCache, question: &str, now: Moment) -> Option<String> {
        cache.find(&key(question), now).await.map(|reply| reply.text.clone())
    }

    #[tokio::test]
    async fn gives_a_reply_again_until_its_time_is_over() {
        let cache = cache(1 << 20);

        cache.claim(key("q"), None).keep(reply("yes", at(10)));

        assert_eq!(found(&cache, "q", at(609)).await.as_deref(), Some("yes"));
        assert_eq!(found(&cache, "q", at(610)).await, None);
        assert_eq!(found(&cache, "other", at(10)).await, None);
    }

    #[tokio::test]
    async fn keeps_to_its_bytes_and_takes_no_reply_that_is_too_large_a_part_of_them() {
        let cache = cache(80_000);
        let text = "x".repeat(4_000);

        for number in 0..200 {
            cache.claim(key(&number.to_string()), None).keep(reply(&text, at(0)));
        }
        cache.claim(key("large"), None).keep(reply(&"x".repeat(10_001), at(0)));

        let mut kept = 0;
        for number in 0..200 {
            kept += usize::from(found(&cache, &number.to_string(), at(0)).await.is_some());
        }
        assert!(kept <= 80_000 / 4_000, "{kept}");
        assert_eq!(found(&cache, "large", at(0)).await, None);
    }

    #[test]
    fn lets_streams_collect_no_more_than_it_may_keep() {
        let cache = cache(80_000);
        let claims: Vec<Claim> = (0..9).map(|number| cache.claim(key(&number.to_string()), None)).collect();

        let mut streams: Vec<Collecting> = claims.iter().map(Claim::collecting).collect();
        let taken: Vec<bool> = streams.iter_mut().map(|stream| stream.add(10_000)).collect();
        let too_long = streams[0].add(1);
        drop(streams);

        assert_eq!((&taken[..8], taken[8], too_long), (&[true; 8][..], false, false));
        assert!(claims[0].collecting().add(10_000), "what is dropped takes up nothing");
    }

    #[test]
    fn is_nothing_where_it_is_off() {
        assert!(ReplyCache::new(&CacheConfig::default()).is_none());
    }

    /// A shelf elsewhere: what it has is found, and what it loses is asked for anew.
    #[tokio::test]
    async fn works_on_a_shelf_of_somebodys_own() {
        #[derive(Default)]
        struct Elsewhere(std::sync::Mutex<Option<(CacheKey, Arc<KeptReply>)>>);

        impl Shelf for Elsewhere {
            fn find<'a>(
                &'a self,
                key: &'a CacheKey,
            ) -> Pin<Box<dyn Future<Output = Option<Arc<KeptReply>>> + Send + 'a>> {
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    let kept = self.0.lock().unwrap();
                    kept.as_ref().filter(|(of, _)| of == key).map(|(_, reply)| Arc::clone(reply))
                })
            }

            fn keep(&self, key: CacheKey, reply: Arc<KeptReply>) {
                *self.0.lock().unwrap() = Some((key, reply));
            }
        }
        let cache = ReplyCache::on(Arc::new(Elsewhere::default()), &CacheConfig::default());

        cache.claim(key("one"), None).keep(reply("1", at(0)));
        cache.claim(key("two"), None).keep(reply("2", at(0)));

        assert_eq!(found(&cache, "one", at(0)).await, None);
        assert_eq!(found(&cache, "two", at(0)).await.as_deref(), Some("2"));
    }
}
