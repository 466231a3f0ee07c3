//! `Idempotency-Key`: a request that is sent again under the same key gets the first one's reply, and costs nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

/// How long a reply is kept.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Bytes of all replies that are kept.
const MOST: u64 = 64 << 20;

/// Bytes of a reply that is kept at most; a longer one is given once.
const LONGEST: usize = 1 << 20;

/// Characters of a key at most.
const LONGEST_KEY: usize = 255;

const HEADER: &str = "idempotency-key";

/// Replies by key, of this process.
pub(super) struct Replays {
    kept: Cache<Key, Kept>,
    under_way: Mutex<HashMap<Key, Print>>,
}

/// Who asked where under which key: one client's keys are nothing to another's.
type Key = [u8; 32];

/// What tells one body from another.
type Print = [u8; 32];

/// A reply, to be given again.
#[derive(Clone)]
struct Kept {
    print: Print,
    replayed: Replayed,
}

/// A reply that was given before.
#[derive(Clone)]
pub(super) struct Replayed {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What becomes of a request with a key.
pub(super) enum Turn {
    /// It is the first: it is answered, and its reply kept.
    First(Claim),
    /// It was answered before.
    Again(Box<Replayed>),
}

/// The first request's claim to its key, given up when it is dropped without a reply.
pub(super) struct Claim {
    replays: Arc<Replays>,
    key: Key,
    print: Print,
    /// Status and headers, and the body as far as it has gone; `None` once it is too long to be kept.
    reply: Option<(StatusCode, HeaderMap, Vec<u8>)>,
}

impl Replays {
    pub(super) fn new() -> Self {
        let weigh = |_: &Key, kept: &Kept| u32::try_from(kept.replayed.body.len() + 1_024).unwrap_or(u32::MAX);
        let kept = Cache::builder().max_capacity(MOST).weigher(weigh).time_to_live(KEPT).build();
        Self { kept, under_way: Mutex::default() }
    }

    /// What becomes of a request; `None` where it has no key.
    ///
    /// # Errors
    /// When the key is none, was used for another body, or its first request is still under way.
    pub(super) fn turn(
        self: &Arc<Self>,
        headers: &HeaderMap,
        whose: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Option<Turn>, Refusal> {
        let Some(said) = headers.get(HEADER) else { return Ok(None) };
        let said = said.to_str().ok().filter(|said| (1..=LONGEST_KEY).contains(&said.len()));
        let said = said.ok_or(Refusal::BadIdempotencyKey)?;
        let key = digest(&[whose.as_bytes(), path.as_bytes(), said.as_bytes()]);
        let print = digest(&[body]);
        let mut under_way = self.under_way();
        if let Some(kept) = self.kept.get(&key) {
            return match kept.print == print {
                true => Ok(Some(Turn::Again(Box::new(kept.replayed)))),
                false => Err(Refusal::OtherBody),
            };
        }
        match under_way.get(&key) {
            Some(first) if *first == print => Err(Refusal::UnderWay),
            Some(_) => Err(Refusal::OtherBody),
            None => {
                under_way.insert(key, print);
                Ok(Some(Turn::First(Claim { replays: Arc::clone(self), key, print, reply: None })))
            }
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Key, Print>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The reply's head. One that is no success is not kept: asking again may help.
    pub(super) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.reply = status.is_success().then(|| (status, headers.clone(), Vec::new()));
    }

    /// A piece of its body.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        match &mut self.reply {
            Some((_, _, body)) if body.len() + piece.len() <= LONGEST => body.extend_from_slice(piece),
            reply => *reply = None,
        }
    }

    /// The reply has gone: from now on it is given again, unless it is a stream that broke off.
    pub(super) fn keep(mut self) {
        if let Some((status, headers, body)) = self.reply.take()
            && (!is_stream(&headers) || ENDS.iter().any(|end| body.ends_with(end)))
        {
            let replayed = Replayed { status, headers, body: body.into() };
            self.replays.kept.insert(self.key, Kept { print: self.print, replayed });
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.replays.under_way().remove(&self.key);
    }
}

/// How whole streams end.
const ENDS: [&[u8]; 2] = [b"data: [DONE]\n\n", b"data: {\"type\":\"message_stop\"}\n\n"];

fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Each part with its length before it, so that no two lists of parts are one text.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(key: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(HEADER),
            HeaderValue::from_bytes(key.as_bytes()).unwrap(),
        )])
    }

    fn turn(replays: &Arc<Replays>, key: &str, whose: &str, body: &str) -> Result<Option<Turn>, String> {
        replays.turn(&headers(key), whose, "/v1", body.as_bytes()).map_err(|refusal| refusal.to_string())
    }

    fn first(replays: &Arc<Replays>, key: &str, whose: &str, body: &str) -> Claim {
        match turn(replays, key, whose, body) {
            Ok(Some(Turn::First(claim))) => claim,
            _ => panic!("{key} {whose} {body} is not the first"),
        }
    }

    #[test]
    fn gives_the_first_reply_again_to_the_same_client_for_the_same_body() {
        let replays = Arc::new(Replays::new());
        let mut claim = first(&replays, "k", "a", "body");
        claim.head(StatusCode::OK, &HeaderMap::new());
        claim.piece(b"one ");
        claim.piece(b"two");
        claim.keep();

        let Ok(Some(Turn::Again(again))) = turn(&replays, "k", "a", "body") else { panic!("not again") };
        assert_eq!((again.status, &again.body[..]), (StatusCode::OK, &b"one two"[..]));
        assert!(turn(&replays, "k", "a", "other").is_err_and(|said| said.contains("another body")));
        drop(first(&replays, "k", "b", "other"));
    }

    #[test]
    fn lets_nobody_in_beside_the_first_and_the_next_one_after_it_failed() {
        let replays = Arc::new(Replays::new());
        let claim = first(&replays, "k", "a", "body");

        assert!(turn(&replays, "k", "a", "body").is_err_and(|said| said.contains("under way")));
        drop(claim);

        let mut claim = first(&replays, "k", "a", "body");
        claim.head(StatusCode::BAD_GATEWAY, &HeaderMap::new());
        claim.keep();
        drop(first(&replays, "k", "a", "body"));
    }

    // H38
    #[test]
    fn refuses_keys_that_are_none() {
        let replays = Arc::new(Replays::new());
        let long = "k".repeat(300);

        for key in ["", long.as_str(), "ключ"] {
            assert!(turn(&replays, key, "a", "body").is_err_and(|said| said.contains("1 to 255")), "{key}");
        }
        assert!(replays.turn(&HeaderMap::new(), "a", "/v1", b"").is_ok_and(|turn| turn.is_none()));
    }

    #[test]
    fn keeps_no_reply_that_is_too_long() {
        let replays = Arc::new(Replays::new());
        let mut claim = first(&replays, "k", "a", "body");
        claim.head(StatusCode::OK, &HeaderMap::new());
        claim.piece(&vec![0; LONGEST]);
        claim.piece(b"!");
        claim.keep();

        drop(first(&replays, "k", "a", "body"));
    }
}
