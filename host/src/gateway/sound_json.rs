//! A look through a whole JSON text that keeps nothing: fields that are passed on unread must not hide anything unsound.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Makes sure that a text is JSON, nested no deeper than 128, its numbers in range and its strings Unicode.
///
/// # Errors
/// When it is not; the error says where.
pub(super) fn check(text: &[u8]) -> serde_json::Result<()> {
    serde_json::from_slice::<Sound>(text).map(|Sound| ())
}

/// Any sound value.
struct Sound;

struct Look;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Sound;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_str<E>(self, _: &str) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_unit<E>(self) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sound, A::Error> {
        while items.next_element::<Sound>()?.is_some() {}
        Ok(Sound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Sound, A::Error> {
        while fields.next_entry::<Sound, Sound>()?.is_some() {}
        Ok(Sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn takes_any_sound_json() {
        for text in [r#"{"a":[1,-2.5e3,true,null,"\ud83d\ude00 \u0000"],"b":{}}"#.to_owned(), nested(127)] {
            assert!(check(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_would_be_read_in_several_ways_or_not_at_all() {
        for text in ["{", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#, "{\"a\":\"\u{1}\"}", "{} {}", &nested(10_000)] {
            assert!(check(text.as_bytes()).is_err(), "{}", text.get(..20).unwrap_or(text));
        }
        assert!(check(b"{\"a\":\"\xff\"}").is_err());
    }
}
