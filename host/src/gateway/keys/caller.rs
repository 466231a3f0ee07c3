//! Who asks, and the place a request of theirs takes up while it runs.

use std::sync::Arc;

use crate::clock::Moment;
use crate::guard::{ASKED_IN, Share};
use crate::types::KeyAccount;

use super::denied::Denied;
use super::ring::HeldKey;

/// The label by which records show whose key a request came with.
const LABEL: &str = "gateway-key";

/// Whoever was let in.
#[derive(Debug, Clone)]
pub struct Caller {
    key: Option<Arc<HeldKey>>,
}

/// A request's place within the limits of its caller's key, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Place {
    taken: Option<(Arc<HeldKey>, Share)>,
}

impl Caller {
    /// Anyone at all, where no key is asked for.
    pub(crate) fn anyone() -> Self {
        Self { key: None }
    }

    pub(super) fn with_key(key: Arc<HeldKey>) -> Self {
        Self { key: Some(key) }
    }

    /// Whether no key was asked for.
    #[must_use]
    pub fn is_anyone(&self) -> bool {
        self.key.is_none()
    }

    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.record.name.as_str())
    }

    /// The key's id, which no other key will have.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.record.id.as_str())
    }

    /// The key, as far as money goes.
    pub(crate) fn account(&self) -> Option<KeyAccount> {
        let record = &self.key.as_ref()?.record;
        let budget = record.grant.budget;
        Some(KeyAccount { name: record.name.as_str().into(), daily: budget.daily, monthly: budget.monthly })
    }

    /// Whether requests of that route are allowed.
    #[must_use]
    pub fn may_use(&self, route: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.record.grant.takes_in(route))
    }

    /// Begins a request of that route: its labels become the key's, and it takes up a place within the key's limits. `tokens`
    /// is what it will take as far as can be told; it is corrected by [`Place::settle`].
    ///
    /// # Errors
    /// When the key is not for the route, or has asked as much as it may.
    pub fn begin(
        &self,
        route: &str,
        tokens: u64,
        labels: &mut Vec<(String, String)>,
        now: Moment,
    ) -> Result<Place, Denied> {
        let Some(key) = &self.key else { return Ok(Place { taken: None }) };
        let grant = &key.record.grant;
        if !grant.takes_in(route) {
            return Err(Denied::Route { route: route.chars().take(100).collect(), allowed: grant.routes.join(", ") });
        }
        let share = {
            let mut allowance = key.allowance();
            if let Some(wait) = allowance.wait(tokens, now) {
                drop(allowance);
                let are_others_asked = key.ask_others() && wait <= ASKED_IN;
                return Err(Denied::Limited { limits: grant.limits.in_words(), wait, are_others_asked });
            }
            allowance.take(tokens, now)
        };
        labels.retain(|(name, _)| name != LABEL && !grant.labels.contains_key(name));
        labels.push((LABEL.to_owned(), key.record.name.clone()));
        labels.extend(grant.labels.iter().map(|(name, text)| (name.clone(), text.clone())));
        Ok(Place { taken: Some((Arc::clone(key), share)) })
    }
}

impl Place {
    /// Ends the request, which took so many tokens.
    pub fn settle(mut self, tokens: u64, now: Moment) {
        if let Some((key, share)) = self.taken.take() {
            key.allowance().settle(share, tokens, now);
        }
    }
}

/// Ended in a way that does not tell how many tokens it took: what was told beforehand stands.
impl Drop for Place {
    fn drop(&mut self) {
        if let Some((key, share)) = self.taken.take() {
            key.allowance().leave(share);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use indexmap::IndexMap;
    use jiff::Timestamp;

    use super::super::credentials::Credentials;
    use super::super::record::{Grant, KeyLimits, KeyRecord};
    use super::super::ring::{Purpose, Ring};
    use super::super::secret::KeyHash;
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn caller(grant: Grant) -> Caller {
        let (id, name, last4) = ("key_1".into(), "ci".into(), String::new());
        let (hash, created) = (KeyHash::of(b"k"), Timestamp::UNIX_EPOCH);
        let ring = Ring::new(vec![KeyRecord { id, name, hash, last4, created, grant, revoked: None }]);
        Caller::with_key(ring.open(&Credentials::One(b"k"), Purpose::Model, created).unwrap())
    }

    fn limited(limits: KeyLimits) -> Caller {
        caller(Grant { limits, ..Grant::default() })
    }

    fn wait(caller: &Caller, tokens: u64, now: Moment) -> Option<Duration> {
        match caller.begin("default", tokens, &mut Vec::new(), now) {
            Ok(place) => {
                place.settle(tokens, now);
                None
            }
            Err(Denied::Limited { wait, .. }) => Some(wait),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn keeps_to_the_keys_routes() {
        let caller = caller(Grant { routes: vec!["fast".into(), "cheap".into()], ..Grant::default() });

        let denied = caller.begin("default", 1, &mut Vec::new(), at(0)).unwrap_err();

        assert_eq!(denied.to_string(), "the key may not use route \"default\"; it may use fast, cheap");
        assert!(caller.begin("cheap", 1, &mut Vec::new(), at(0)).is_ok());
    }

    #[test]
    fn says_who_asked_whatever_the_request_says() {
        let caller = caller(Grant { labels: IndexMap::from([("team".into(), "a".into())]), ..Grant::default() });
        let label = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let mut labels = vec![label("team", "forged"), label("context", "chat"), label("gateway-key", "forged")];

        let _place = caller.begin("default", 1, &mut labels, at(0)).unwrap();

        assert_eq!(labels, [label("context", "chat"), label("gateway-key", "ci"), label("team", "a")]);
    }

    #[test]
    fn lets_through_so_many_requests_a_minute_and_says_exactly_when_the_next_may_come() {
        let caller = limited(KeyLimits { rpm: Some(2), ..KeyLimits::default() });

        let waits = [at(0), at(10), at(11), at(30), at(31)].map(|now| wait(&caller, 1, now));

        assert_eq!(waits, [None, None, Some(Duration::from_secs(19)), None, Some(Duration::from_secs(29))]);
    }

    #[test]
    fn counts_the_tokens_that_were_really_taken() {
        let caller = limited(KeyLimits { tpm: Some(60), ..KeyLimits::default() });
        let place = caller.begin("default", 10, &mut Vec::new(), at(0)).unwrap();

        place.settle(90, at(0));

        assert_eq!(wait(&caller, 1, at(0)), Some(Duration::from_secs(31)));
    }

    #[test]
    fn holds_a_place_until_the_request_has_ended() {
        let caller = limited(KeyLimits { concurrent: Some(1), tpm: Some(100), ..KeyLimits::default() });

        let place = caller.begin("default", 100, &mut Vec::new(), at(0)).unwrap();
        let meanwhile = caller.begin("default", 0, &mut Vec::new(), at(0)).unwrap_err();
        drop(place);

        assert!(meanwhile.to_string().contains("100 tokens a minute, 1 at once"), "{meanwhile}");
        // Nobody knows how many tokens it took, so that the estimate stands.
        assert_eq!(wait(&caller, 5, at(0)), Some(Duration::from_secs(3)));
    }
}
