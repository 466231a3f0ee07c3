//! A key as its owner has it, and the digest that is all Backstop keeps of it.

use std::fmt;
use std::hash::{Hash, Hasher};

use secrecy::{ExposeSecret, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::random::{self, NoRandomness};

/// How every key begins: it is told from a provider's at sight, also by scanners for leaked keys.
pub(super) const PREFIX: &str = "bsk_";

/// The letters of base64url, in their order.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A key itself: `bsk_` and 43 letters, 256 bits that nobody can guess. It is shown once and kept nowhere.
#[derive(Debug, Clone)]
pub struct KeyText(SecretString);

/// The SHA-256 of a key. Two of them are compared in a time that does not depend on where they differ; a key of 256 bits needs
/// neither salt nor a slow hash, since there is no list of likely ones to try.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyText {
    /// A new key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(super) fn new() -> Result<Self, NoRandomness> {
        let bytes: [u8; 32] = random::secret()?;
        Ok(Self(SecretString::from(format!("{PREFIX}{}", base64url(&bytes)))))
    }

    /// The text, for its owner alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.expose().as_bytes())
    }

    /// Its last four letters, by which its owner knows it again.
    pub(super) fn last4(&self) -> String {
        let text = self.expose();
        text.get(text.len().saturating_sub(4)..).unwrap_or_default().to_owned()
    }
}

impl KeyHash {
    /// The digest of a text that may be a key.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Who wrote the key itself there is told so, and the key is not repeated.
        Self::parse(&text).ok_or_else(|| D::Error::custom("a hash has 64 hexadecimal digits"))
    }
}

/// Six bits a letter, without padding.
fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for triple in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(triple.get(at).copied().unwrap_or(0)));
        let letters = [18, 12, 6, 0].into_iter().take(triple.len() + 1);
        text.extend(letters.filter_map(|shift| LETTERS.get(bits >> shift & 63)).map(|letter| char::from(*letter)));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn makes_keys_of_256_bits_that_never_repeat() {
        let keys: HashSet<String> = (0..1_000).map(|_| KeyText::new().unwrap().expose().to_owned()).collect();

        assert_eq!(keys.len(), 1_000);
        for key in &keys {
            let letters = key.strip_prefix("bsk_").unwrap();
            assert_eq!(letters.len(), 43, "{key}");
            assert!(letters.bytes().all(|letter| LETTERS.contains(&letter)), "{key}");
        }
    }

    #[test]
    fn writes_base64url_as_everybody_does() {
        let samples = [&b""[..], b"f", b"fo", b"foo", b"foob", b"\xfb\xff\xfe"].map(base64url);

        assert_eq!(samples, ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "-__-"]);
    }

    #[test]
    fn shows_the_key_to_nobody_by_accident() {
        let key = KeyText::new().unwrap();

        assert!(!format!("{key:?}").contains(&key.expose()[4..]));
        assert!(key.expose().ends_with(&key.last4()));
    }

    #[test]
    fn reads_back_the_digest_it_writes() {
        let hash = KeyHash::of(b"abc");

        let written = serde_json::to_string(&hash).unwrap();

        assert_eq!(written, r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#);
        assert_eq!(serde_json::from_str::<KeyHash>(&written).unwrap(), hash);
    }

    #[test]
    fn does_not_repeat_what_is_no_digest() {
        for text in ["bsk_canary", "", &"é".repeat(32), &"z".repeat(64)] {
            let error = serde_json::from_str::<KeyHash>(&format!("\"{text}\"")).unwrap_err().to_string();

            assert!(error.starts_with("a hash has 64 hexadecimal digits"), "{error}");
        }
    }

    // R68: what is compared are digests, and those of a near miss have nothing in common.
    #[test]
    fn makes_a_near_miss_as_far_from_the_key_as_any_other_text() {
        let key = KeyText::new().unwrap();
        let mut near = key.expose().to_owned();
        let last = near.pop().unwrap();
        near.push(if last == 'A' { 'E' } else { 'A' });

        let (own, near) = (key.hash().0, KeyHash::of(near.as_bytes()).0);
        let differing: u32 = own.iter().zip(near).map(|(one, other)| (one ^ other).count_ones()).sum();

        assert!((64..192).contains(&differing), "{differing} of 256 bits differ");
    }
}
