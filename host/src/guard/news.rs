//! What an instance learns that others have not seen, and what they do with it.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::provider::Provider;
use super::slot::Rests;
use super::{Guard, locked};
use crate::clock::Moment;
use crate::config::ApiKey;
use crate::types::{FailureKind, TargetName};

/// A failure that an operator tells of is counted within this time: whoever comes later must not count what is long over.
pub(super) const COUNTED_FOR: Duration = Duration::from_secs(10);

/// How long those that come later are told of a rejected key. Then they try it: somebody may have mended it.
pub(super) const REJECTED_FOR: Duration = Duration::from_secs(3_600);

/// One thing that an instance has learnt, and until when it holds, on that instance's own clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// What.
    pub what: What,
    /// Until when; nothing where it is no matter of time.
    pub until: Option<Moment>,
}

/// What was learnt. Keys are told by a digest, everything else by its name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A model of a provider is to be left alone with a key.
    Rest(Spot, RestKind),
    /// It has served after a rest.
    Served(Spot),
    /// A provider does not accept a key any more. The kind of failure says why.
    KeyRejected {
        /// The provider.
        provider: String,
        /// The key's digest.
        key: String,
        /// Why.
        kind: FailureKind,
    },
    /// An operator has ended every rest of a provider.
    Cleared(String),
    /// An operator wants a provider left alone.
    CooledDown(String),
    /// An operator tells of a failure of a provider.
    Failed(String, FailureKind),
    /// An operator tells that a provider has served.
    Recovered(String),
    /// An operator wants a provider used and no other.
    Forced(String),
    /// A target has served a route last.
    Preferred {
        /// The route.
        route: String,
        /// The target's provider.
        provider: String,
        /// The target's model.
        model: String,
    },
    /// An operator wants nobody preferred or forced.
    NobodyPreferred,
}

/// A model at a provider, asked with one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    provider: String,
    model: String,
    key: String,
}

/// Why something is to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestKind {
    /// A reply named the wait.
    Named,
    /// No reply named one.
    Assumed,
    /// Its quota is used up.
    Quota,
    /// Its breaker is open.
    Tripped,
}

impl Guard {
    /// Takes in what another instance has learnt; what is not known here is left out. The longer of two rests wins.
    pub(super) fn take_in(&self, news: &News, now: Moment, wall: Timestamp) {
        let until = news.until.filter(|until| *until > now);
        match (&news.what, until) {
            (What::Rest(spot, kind), Some(until)) => self.at(spot, |provider, model, key| {
                if let Some(slot) = provider.book().slot_mut(model, key) {
                    slot.rest_as_elsewhere(*kind, until, now);
                }
            }),
            (What::Served(spot), _) => self.at(spot, |provider, model, key| {
                if let Some(slot) = provider.book().slot_mut(model, key) {
                    slot.served_elsewhere(now);
                }
                provider.tell_probe_ended(model);
            }),
            (What::KeyRejected { provider, key, kind }, Some(_)) => {
                let Some(provider) = self.provider_named(provider).and_then(|place| self.providers.get(place)) else {
                    return;
                };
                if let Some(key) = provider.key_marked(key) {
                    provider.book().keys.reject(key, *kind);
                }
            }
            (What::Cleared(provider), _) => self.with_provider(provider, |place| self.clear_here(place)),
            (What::CooledDown(provider), Some(until)) => {
                self.with_provider(provider, |place| self.cool_down_here(place, until));
            }
            (What::Failed(provider, kind), Some(_)) => {
                self.with_provider(provider, |place| self.count_failure(place, *kind, now, wall));
            }
            (What::Recovered(provider), _) => {
                self.with_provider(provider, |place| self.count_success(place, now, wall));
            }
            (What::Forced(provider), Some(until)) => {
                self.with_provider(provider, |place| locked(&self.preference).force(place, until));
            }
            (What::Preferred { route, provider, model }, Some(until)) => {
                let target = self.target_named(&TargetName::new(provider, model));
                if let Some((route, target)) = self.route(route).zip(target) {
                    locked(&self.preference).prefer(route, target, until);
                }
            }
            (What::NobodyPreferred, _) => locked(&self.preference).clear(),
            (
                What::Rest(..)
                | What::KeyRejected { .. }
                | What::CooledDown(_)
                | What::Failed(..)
                | What::Forced(_)
                | What::Preferred { .. },
                None,
            ) => {}
        }
    }

    /// Tells the others, where there are any.
    pub(super) fn tell(&self, what: What, until: Option<Moment>) {
        if let Some(commons) = &self.commons {
            commons.tell(News { what, until });
        }
    }

    /// Tells the others of the rests that have become longer.
    pub(super) fn tell_rests(&self, provider: &Provider, model: usize, key: usize, before: Rests, after: Rests) {
        let longer = after.longer_than(before);
        if self.commons.is_none() || longer.is_empty() {
            return;
        }
        let Some(spot) = provider.spot(model, key) else { return };
        longer.into_iter().for_each(|(kind, until)| self.tell(What::Rest(spot.clone(), kind), Some(until)));
    }

    /// Tells the others which target serves a route, unless they have been told so not long ago.
    pub(super) fn tell_preferred(&self, route: &str, target: &TargetName, length: Duration, now: Moment) {
        let (provider, model) = (target.provider.to_string(), target.model.to_string());
        self.tell(What::Preferred { route: route.to_owned(), provider, model }, Some(now + length));
    }

    fn at(&self, spot: &Spot, act: impl FnOnce(&Provider, usize, usize)) {
        let Some(place) = self.provider_named(&spot.provider) else { return };
        let Some(provider) = self.providers.get(place) else { return };
        let model = provider.models.iter().position(|model| **model == *spot.model);
        if let Some((model, key)) = model.zip(provider.key_marked(&spot.key)) {
            act(provider, model, key);
        }
    }

    fn with_provider(&self, name: &str, act: impl FnOnce(usize)) {
        if let Some(place) = self.provider_named(name) {
            act(place);
        }
    }

    fn provider_named(&self, name: &str) -> Option<usize> {
        self.providers.iter().position(|provider| *provider.name == *name)
    }
}

impl Provider {
    /// A model with a key, as others know it.
    pub(super) fn spot(&self, model: usize, key: usize) -> Option<Spot> {
        let model = self.models.get(model)?.to_string();
        Some(Spot { provider: self.name.to_string(), model, key: self.mark(key) })
    }

    /// How others know a key: by its digest; nothing where the provider needs none.
    pub(super) fn mark(&self, key: usize) -> String {
        self.keys.get(key).map(mark).unwrap_or_default()
    }

    fn key_marked(&self, marked: &str) -> Option<usize> {
        if self.keys.is_empty() {
            return marked.is_empty().then_some(0);
        }
        self.keys.iter().position(|key| mark(key) == marked)
    }
}

/// A digest of no use for anything but to tell one key from another.
fn mark(key: &ApiKey) -> String {
    let digest =
        Sha256::new().chain_update("backstop: a provider's key\0").chain_update(key.secret.expose_secret()).finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
