//! The fields of a request's body.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ParseRequestError;

/// The fields of a request's body by name, each the JSON it came as, in their order.
pub type Fields = IndexMap<String, Box<RawValue>, foldhash::fast::RandomState>;

/// A body taken apart: the fields that were asked for by name, and all others. Of a field that is there twice the last one counts.
pub(super) struct Apart<'b, const N: usize> {
    pub(super) known: [Option<&'b RawValue>; N],
    pub(super) others: Fields,
}

/// Takes a body apart one level deep.
///
/// # Errors
/// When it is no JSON object.
pub(super) fn take_apart<'b, const N: usize>(
    body: &'b [u8],
    known: [&str; N],
) -> Result<Apart<'b, N>, ParseRequestError> {
    let read = || {
        let text = std::str::from_utf8(body).map_err(serde_json::Error::custom)?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let apart = TakeApart { known }.deserialize(&mut reader)?;
        reader.end().map(|()| apart)
    };
    read().map_err(ParseRequestError::NotAnObject)
}

/// Reads a field that may be left out.
///
/// # Errors
/// When it is something else than what is expected of it.
pub(super) fn read<'b, T: Deserialize<'b>>(
    value: Option<&'b RawValue>,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<T>, ParseRequestError> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|_| ParseRequestError::WrongType { field, expected })
}

pub(super) fn raw(value: &impl Serialize) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(value).ok()
}

struct TakeApart<'n, const N: usize> {
    known: [&'n str; N],
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, const N: usize> DeserializeSeed<'de> for TakeApart<'_, N> {
    type Value = Apart<'de, N>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for TakeApart<'_, N> {
    type Value = Apart<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut apart = Apart { known: [None; N], others: Fields::default() };
        while let Some((Name(name), value)) = map.next_entry::<Name<'_>, &RawValue>()? {
            let place = self.known.iter().position(|known| *known == name);
            match place.and_then(|place| apart.known.get_mut(place)) {
                Some(field) => *field = Some(value),
                None => {
                    apart.others.insert(name.into_owned(), value.to_owned());
                }
            }
        }
        Ok(apart)
    }
}
