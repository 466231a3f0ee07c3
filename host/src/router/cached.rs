//! The cache of replies on a request's way: looked into before anybody is asked, added to when an answer is whole and sound.

use std::sync::Arc;

use bytes::Bytes;

use crate::cache::{
    Boarded, CacheKey, Claim, Collecting, KeptEvent, KeptReply, KeptWords, Landing, ReplyCache, ReplyShape,
};
use crate::clock::Moment;
use crate::provider::Completion;
use crate::types::{CacheWish, ChatRequest, Event, TargetName, Usage};

use super::Router;
use super::asked::Asked;
use super::chunk::{Chunk, as_event, calls_of};
use super::journey::Journey;

/// The ends of answers that are whole. Any other (`length`, `content_filter`) may be another one next time.
const SOUND_ENDS: [&str; 4] = ["stop", "tool_calls", "function_call", "eos"];

/// What the cache says to a request.
pub(super) enum LookedUp {
    /// The reply is there.
    Kept(Arc<KeptReply>),
    /// Somebody has to be asked; with a claim, the reply may be kept.
    Ask(Option<Claim>),
}

/// A stream on its way into the cache.
pub(super) struct Keeping {
    claim: Claim,
    events: Vec<KeptEvent>,
    text: String,
    collecting: Collecting,
}

/// A kept reply as the events of a stream.
pub(super) struct Replay {
    reply: Arc<KeptReply>,
    next: usize,
}

impl Journey {
    /// Looks for a reply to an equal request, and where one is under way, waits for that: half of the time there is at most, so
    /// that a reader who dawdles over it holds up nobody for good.
    pub(super) async fn look_up(&mut self) -> LookedUp {
        let Some(cache) = self.router.cache.clone() else { return LookedUp::Ask(None) };
        let Asked::Chat(request) = self.asked.clone() else { return LookedUp::Ask(None) };
        if !self.router.may_be_kept(&request, self, &cache) {
            return LookedUp::Ask(None);
        }
        let tenant = request.tenant.as_deref().filter(|_| cache.config.per_key);
        let key_of = |shape| CacheKey::of(&request, &self.route.name, tenant, shape);
        let shape = if self.streaming { ReplyShape::Stream } else { ReplyShape::Whole };
        let key = key_of(shape);
        if request.cache == CacheWish::Refresh {
            return LookedUp::Ask(Some(cache.claim(key, None)));
        }
        // A whole reply can be given as a stream of one event. A stream is not put together to a whole reply: where its parts
        // are as a provider sent them, what that would be is not exactly known.
        let other = self.streaming.then(|| key_of(ReplyShape::Whole));
        self.wait_for_equals(&cache, key, other).await
    }

    async fn wait_for_equals(&mut self, cache: &Arc<ReplyCache>, key: CacheKey, other: Option<CacheKey>) -> LookedUp {
        let clock = Arc::clone(&self.router.clock);
        let until = self.began + self.deadline.since(self.began) / 2;
        let mut has_joined = false;
        loop {
            if let Some(kept) = find(cache, key, other, clock.now()).await {
                return LookedUp::Kept(kept);
            }
            let mut follower = match cache.board(key) {
                Boarded::Behind(follower) => follower,
                Boarded::First(lead) => {
                    // Whoever was the first before may have landed since it was looked for.
                    return match find(cache, key, other, clock.now()).await {
                        Some(kept) => LookedUp::Kept(kept),
                        None => LookedUp::Ask(Some(cache.claim(key, Some(lead)))),
                    };
                }
            };
            if !has_joined {
                has_joined = true;
                self.story.tell(Event::Joined);
            }
            let landed = tokio::select! {
                biased;
                landed = follower.landed() => landed,
                () = clock.sleep_until(until) => Some(Landing::Failed),
            };
            match landed {
                Some(Landing::Kept(reply)) => return LookedUp::Kept(reply),
                Some(Landing::Failed) => return LookedUp::Ask(Some(cache.claim(key, None))),
                None => {}
            }
        }
    }

    /// Keeps a whole reply, where it is a sound one.
    pub(super) fn keep_whole(&self, claim: Claim, target: &Arc<TargetName>, received: &Completion) {
        let Completion { body, text, usage, finish_reason, .. } = received;
        if !is_sound(finish_reason.as_deref()) {
            return claim.fail();
        }
        claim.keep(KeptReply {
            target: Arc::clone(target),
            text: text.clone(),
            usage: *usage,
            finish_reason: finish_reason.clone(),
            // By itself: a slice would keep whatever it was read with.
            words: KeptWords::Whole(Bytes::copy_from_slice(body)),
            kept_at: self.router.clock.now(),
        });
    }

    /// Enters the request as answered from the cache.
    pub(super) fn end_cached(&mut self, reply: &KeptReply) {
        let age = self.router.clock.now().since(reply.kept_at);
        self.story.end_cached(&reply.target, age);
    }
}

impl Router {
    /// Whether a reply may be kept: the request allows it, asks for one answer, and would get the same one again.
    fn may_be_kept(&self, request: &ChatRequest, journey: &Journey, cache: &ReplyCache) -> bool {
        request.cache != CacheWish::Bypass
            && !journey.asked.asks_for_several()
            && (cache.config.any_temperature || self.is_steady(request, journey))
    }

    /// Whether the request is answered at temperature 0, whoever answers it. Where nobody says a temperature, providers have one
    /// of their own, which is above that.
    fn is_steady(&self, request: &ChatRequest, journey: &Journey) -> bool {
        let own = request.fields().get("temperature");
        let own: Option<f64> = own.and_then(|value| serde_json::from_str(value.get()).ok().flatten());
        let purpose = request.purpose.as_ref().and_then(|name| self.purposes.get(name));
        let said = own.or_else(|| purpose?.fields.get("temperature")?.as_f64());
        let is_zero = |temperature: Option<f64>| temperature.is_some_and(|temperature| temperature <= 0.0);
        match said {
            Some(_) => is_zero(said),
            None => journey.route.roster.iter().all(|seat| {
                let of_provider = self.endpoint(seat).and_then(|endpoint| endpoint.defaults.temperature);
                is_zero(of_provider.or(self.defaults.temperature))
            }),
        }
    }
}

async fn find(cache: &ReplyCache, key: CacheKey, other: Option<CacheKey>, now: Moment) -> Option<Arc<KeptReply>> {
    if let Some(kept) = cache.find(&key, now).await {
        return Some(kept);
    }
    let kept = cache.find(&other?, now).await?;
    // One that cannot be written as an event, such as with half a surrogate pair in it, is none for a stream.
    matches!(&kept.words, KeptWords::Whole(body) if as_event(body).is_some()).then_some(kept)
}

fn is_sound(finish_reason: Option<&str>) -> bool {
    finish_reason.is_some_and(|reason| SOUND_ENDS.contains(&reason))
}

impl Keeping {
    pub(super) fn new(claim: Claim) -> Self {
        Self { collecting: claim.collecting(), claim, events: Vec::new(), text: String::new() }
    }

    /// Takes in a chunk; nothing is left where the whole has become too long to be kept, or all on their way in have.
    pub(super) fn add(mut self, chunk: &Chunk) -> Option<Self> {
        // The bytes by themselves: a slice would keep whatever they were read with.
        let raw = Bytes::copy_from_slice(&chunk.raw);
        let event = KeptEvent { text: chunk.text.clone(), calls: chunk.calls.clone(), raw };
        if !self.collecting.add(event.size() + event.text.len()) {
            self.claim.fail();
            return None;
        }
        self.text.push_str(&event.text);
        self.events.push(event);
        Some(self)
    }

    /// The stream has ended whole: it is kept where it is a sound one.
    pub(super) fn end(self, target: &Arc<TargetName>, usage: Option<Usage>, finish_reason: Option<&str>, now: Moment) {
        if !is_sound(finish_reason) {
            return self.claim.fail();
        }
        self.claim.keep(KeptReply {
            target: Arc::clone(target),
            text: self.text,
            usage,
            finish_reason: finish_reason.map(str::to_owned),
            words: KeptWords::Events(self.events),
            kept_at: now,
        });
    }

    /// The stream broke: those who wait for it go on their own.
    pub(super) fn fail(self) {
        self.claim.fail();
    }
}

impl Replay {
    pub(super) fn new(reply: Arc<KeptReply>) -> Self {
        Self { reply, next: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Chunk> {
        let place = self.next;
        self.next += 1;
        match &self.reply.words {
            KeptWords::Events(events) => {
                let KeptEvent { text, calls, raw } = events.get(place)?.clone();
                Some(Chunk { text, calls, raw })
            }
            KeptWords::Whole(body) if place == 0 => {
                let raw = as_event(body)?;
                Some(Chunk { text: self.reply.text.clone(), calls: calls_of(&raw), raw })
            }
            KeptWords::Whole(_) => None,
        }
    }
}
