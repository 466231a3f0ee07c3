//! What is kept of a key: whose it is, what it may do, and whether it still may.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Limits;
use crate::types::NanoUsd;
use crate::types::as_json::maybe_usd;

use super::secret::KeyHash;

/// One key, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Names it for good, such as `key_4f1c0d5e`.
    pub id: String,
    /// Whose it is: what logs and records call its requests.
    pub name: String,
    /// The digest of its text.
    pub hash: KeyHash,
    /// The last letters of its text.
    pub last4: String,
    /// When it was made.
    pub created: Timestamp,
    /// What it may do.
    #[serde(default)]
    pub grant: Grant,
    /// When it was revoked, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grant {
    /// Whether it may see and change how the gateway does, besides asking models.
    #[serde(skip_serializing_if = "is_false")]
    pub admin: bool,
    /// The routes it may use; all where none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// Labels of each of its requests. They win over the request's own.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// What it may ask at most: of all gateways that share a store together, else of each.
    #[serde(skip_serializing_if = "KeyLimits::are_none")]
    pub limits: KeyLimits,
    /// What may be spent with it.
    #[serde(skip_serializing_if = "KeyBudget::is_none")]
    pub budget: KeyBudget,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What a key may ask at most; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyLimits {
    /// Requests a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u32>,
    /// Tokens a minute, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<u32>,
    /// Requests a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpd: Option<u32>,
    /// Tokens a day, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpd: Option<u32>,
    /// Requests at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// How many of a minute's requests may come together; all of them where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// What may be spent with a key, at all gateways that share a store; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyBudget {
    /// In one day.
    #[serde(rename = "daily_usd", with = "maybe_usd", skip_serializing_if = "Option::is_none")]
    pub daily: Option<NanoUsd>,
    /// In one month.
    #[serde(rename = "monthly_usd", with = "maybe_usd", skip_serializing_if = "Option::is_none")]
    pub monthly: Option<NanoUsd>,
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Live,
    /// Its time is up.
    Expired,
    /// It was revoked.
    Revoked,
}

impl KeyRecord {
    /// Whether it opens anything at that time.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        match (self.revoked, self.grant.expires) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(expires)) if expires <= now => KeyState::Expired,
            (None, _) => KeyState::Live,
        }
    }
}

impl Grant {
    /// Whether requests of that route are allowed.
    pub(super) fn takes_in(&self, route: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|allowed| allowed == route)
    }
}

impl KeyLimits {
    fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// The limits, such as `60 requests a minute, 4 at once`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let words = [
            self.rpm.map(|rpm| format!("{rpm} requests a minute")),
            self.tpm.map(|tpm| format!("{tpm} tokens a minute")),
            self.rpd.map(|rpd| format!("{rpd} requests a day")),
            self.tpd.map(|tpd| format!("{tpd} tokens a day")),
            self.concurrent.map(|at_once| format!("{at_once} at once")),
            self.burst.map(|burst| format!("{burst} in a burst")),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl KeyBudget {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The budget, such as `$5.00 a day, $100.00 a month`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let words = [
            self.daily.map(|daily| format!("{daily} a day")),
            self.monthly.map(|monthly| format!("{monthly} a month")),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl From<KeyLimits> for Limits {
    fn from(KeyLimits { rpm, tpm, rpd, tpd, concurrent, burst }: KeyLimits) -> Self {
        Self { rpm, tpm, rpd, tpd, concurrent, burst, queue: None, queue_size: None }
    }
}

impl KeyState {
    /// The state as a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_false(switch: &bool) -> bool {
    !switch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(expires: Option<Timestamp>, revoked: Option<Timestamp>) -> KeyRecord {
        let grant = Grant { expires, ..Grant::default() };
        let hash = KeyHash::of(b"bsk_x");
        KeyRecord { id: "key_1".into(), name: "a".into(), hash, last4: "sk_x".into(), created: at(0), grant, revoked }
    }

    #[test]
    fn ends_at_its_time_or_when_it_is_revoked() {
        let states = [(None, None), (Some(at(11)), None), (Some(at(10)), None), (Some(at(11)), Some(at(5)))]
            .map(|(expires, revoked)| record(expires, revoked).state(at(10)));

        assert_eq!(states, [KeyState::Live, KeyState::Live, KeyState::Expired, KeyState::Revoked]);
    }

    #[test]
    fn takes_in_every_route_unless_some_are_named() {
        let named = Grant { routes: vec!["fast".into()], ..Grant::default() };

        assert!(Grant::default().takes_in("slow"));
        assert_eq!([named.takes_in("fast"), named.takes_in("slow")], [true, false]);
    }

    #[test]
    fn writes_no_more_than_there_is_to_say() {
        let written = serde_json::to_value(record(None, None)).unwrap();

        assert_eq!(written["grant"], serde_json::json!({}));
        assert_eq!(serde_json::from_value::<KeyRecord>(written).unwrap(), record(None, None));
    }
}
