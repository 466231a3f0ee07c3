//! Equal requests at the same time: the first has the answer made, the others wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::key::CacheKey;
use super::reply::KeptReply;

/// Requests that are having an answer made.
#[derive(Default)]
pub(super) struct Flights {
    under_way: Mutex<HashMap<CacheKey, watch::Receiver<Option<Landing>>>>,
}

/// How a request comes to its answer.
pub(crate) enum Boarded {
    /// It is the first and has it made.
    First(Lead),
    /// Another one has it made.
    Behind(Follower),
}

/// The first of equal requests. Dropped before it has landed, one of those who wait takes its place.
pub(crate) struct Lead {
    flights: Arc<Flights>,
    key: CacheKey,
    landing: watch::Sender<Option<Landing>>,
}

/// One that waits for the first.
pub(crate) struct Follower(watch::Receiver<Option<Landing>>);

/// What became of the first.
#[derive(Clone)]
pub(crate) enum Landing {
    /// It was answered, and so are all.
    Kept(Arc<KeptReply>),
    /// Its answer, if it has one, is for nobody else.
    Failed,
}

impl Flights {
    pub(super) fn board(self: &Arc<Self>, key: CacheKey) -> Boarded {
        let mut under_way = self.under_way();
        if let Some(landing) = under_way.get(&key) {
            return Boarded::Behind(Follower(landing.clone()));
        }
        let (sender, receiver) = watch::channel(None);
        under_way.insert(key, receiver);
        Boarded::First(Lead { flights: Arc::clone(self), key, landing: sender })
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<CacheKey, watch::Receiver<Option<Landing>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead {
    /// Tells those who wait.
    pub(super) fn land(self, landing: Landing) {
        self.landing.send_replace(Some(landing));
    }
}

/// Whoever comes from now on is the first again; those who wait and were told nothing find that out by the sender's end.
impl Drop for Lead {
    fn drop(&mut self) {
        self.flights.under_way().remove(&self.key);
    }
}

impl Follower {
    /// What became of the first; `None` where it went away, and somebody else must take its place.
    pub(crate) async fn landed(&mut self) -> Option<Landing> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::ReplyShape;
    use super::*;
    use crate::types::ChatRequest;

    fn key() -> CacheKey {
        CacheKey::of(&ChatRequest::ask("q"), "default", None, ReplyShape::Whole)
    }

    fn first(flights: &Arc<Flights>) -> Lead {
        match flights.board(key()) {
            Boarded::First(lead) => lead,
            Boarded::Behind(_) => panic!("somebody else is the first"),
        }
    }

    fn behind(flights: &Arc<Flights>) -> Follower {
        match flights.board(key()) {
            Boarded::Behind(follower) => follower,
            Boarded::First(_) => panic!("nobody else is under way"),
        }
    }

    #[tokio::test]
    async fn tells_all_who_wait_what_became_of_the_first() {
        let flights = Arc::new(Flights::default());
        let lead = first(&flights);
        let (mut one, mut other) = (behind(&flights), behind(&flights));

        lead.land(Landing::Failed);

        assert!(matches!(one.landed().await, Some(Landing::Failed)));
        assert!(matches!(other.landed().await, Some(Landing::Failed)));
        first(&flights);
    }

    #[tokio::test]
    async fn lets_one_of_those_who_wait_take_the_place_of_a_first_that_went_away() {
        let flights = Arc::new(Flights::default());
        let lead = first(&flights);
        let (mut one, mut other) = (behind(&flights), behind(&flights));

        drop(lead);

        assert!(one.landed().await.is_none() && other.landed().await.is_none());
        let _next = first(&flights);
        behind(&flights);
    }
}
