//! Reading JSON of any shape without trusting it: the parts asked for, as they came, and nothing else kept.
//!
//! Typed structures would refuse a whole reply for one odd field, and a tree of values would let a hostile one take many
//! times its own size in memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The named fields of an object, each `None` where it is missing or null; of a field that comes twice, the last.
///
/// # Errors
/// When the bytes are not one JSON object, or no UTF-8 anywhere, be it in a field that nobody asked for: what is passed on must
/// be JSON to whoever reads it next.
pub(super) fn pick<'a, const N: usize>(
    json: &'a [u8],
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], serde_json::Error> {
    pick_text(std::str::from_utf8(json).map_err(serde_json::Error::custom)?, names)
}

/// As [`pick`], of a part of a reply; where it is no object, nothing is there.
pub(crate) fn pick_from<'a, const N: usize>(part: &'a RawValue, names: [&str; N]) -> [Option<&'a RawValue>; N] {
    // What a part is shows in its first byte. The parser would find it out as well, and word an error that nobody reads.
    if !part.get().starts_with('{') {
        return [None; N];
    }
    pick_text(part.get(), names).unwrap_or([None; N])
}

/// The first items of a list, at most `limit`; none where it is no list.
pub(crate) fn items(part: &RawValue, limit: usize) -> Vec<&RawValue> {
    if !part.get().starts_with('[') {
        return Vec::new();
    }
    let mut reader = serde_json::Deserializer::from_str(part.get());
    reader.deserialize_seq(Items { limit }).unwrap_or_default()
}

/// The text of a string. Half a surrogate pair, which some providers cut an emoji into, becomes U+FFFD.
pub(crate) fn text(part: &RawValue) -> Option<String> {
    if !part.get().starts_with('"') {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(part.get());
    reader.deserialize_bytes(Text).ok()
}

/// As [`text`], without a copy where the string has no escapes.
pub(crate) fn words(part: &RawValue) -> Option<Cow<'_, str>> {
    let inside = part.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside {
        Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        _ => text(part).map(Cow::Owned),
    }
}

/// Whether a part is anything more than null, false, "", [] or {}.
pub(crate) fn is_something(part: &RawValue) -> bool {
    let text = part.get().trim();
    let inside = || text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    match text.as_bytes().first() {
        Some(b'"' | b'[' | b'{') => !inside().trim().is_empty(),
        _ => !matches!(text, "null" | "false" | ""),
    }
}

/// A value without the blanks between its tokens; numbers, escapes and the order of fields stay as they came.
pub(crate) fn compact(part: &RawValue) -> String {
    let mut compact = String::with_capacity(part.get().len());
    let mut within_string = false;
    let mut escaped = false;
    for letter in part.get().chars() {
        if within_string {
            within_string = escaped || letter != '"';
            escaped = letter == '\\' && !escaped;
        } else if letter.is_ascii_whitespace() {
            continue;
        } else {
            within_string = letter == '"';
        }
        compact.push(letter);
    }
    compact
}

/// The text as a JSON object; `None` where it is none.
pub(crate) fn object(text: &str) -> Option<&RawValue> {
    let value: &RawValue = serde_json::from_str(text).ok()?;
    value.get().starts_with('{').then_some(value)
}

fn pick_text<'a, const N: usize>(
    json: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let fields = Pick { names }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(fields)
}

struct Pick<'n, const N: usize> {
    names: [&'n str; N],
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, const N: usize> DeserializeSeed<'de> for Pick<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Pick<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(Name(name)) = map.next_key()? {
            let place = self.names.iter().position(|wanted| *wanted == name);
            match place.and_then(|place| found.get_mut(place)) {
                Some(field) => {
                    let value: &RawValue = map.next_value()?;
                    *field = Some(value).filter(|value| value.get() != "null");
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

struct Items {
    limit: usize,
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < self.limit {
            let Some(item) = list.next_element()? else { return Ok(items) };
            items.push(item);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(items)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn picks_fields_as_they_came() {
        let [a, b, c] = pick(br#"{"x":[1],"a": 1.50e3 ,"b":null,"a":{"n":2}}"#, ["a", "b", "c"]).unwrap();

        assert_eq!(a.map(RawValue::get), Some(r#"{"n":2}"#));
        assert!(b.is_none() && c.is_none());
    }

    #[test]
    fn refuses_what_is_not_one_object() {
        for json in [&b""[..], b"[]", b"null", b"{\"a\":", b"{} {}", b"\xff", b"{\"a\":\"\xff\"}", b"{\"x\":\"\xff\"}"]
        {
            assert!(pick(json, ["a"]).is_err(), "{json:?}");
        }
    }

    #[test]
    fn survives_deep_nesting() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));

        let [a] = pick(deep.as_bytes(), ["a"]).unwrap();

        assert_eq!(items(a.unwrap(), 4).len(), 1);
    }

    #[test]
    fn keeps_no_more_items_than_asked_for() {
        assert_eq!(items(&raw("[1,2,3]"), 2).iter().map(|item| item.get()).collect::<Vec<_>>(), ["1", "2"]);
        assert!(items(&raw("{}"), 2).is_empty());
    }

    #[test]
    fn reads_text_with_half_a_surrogate_pair() {
        assert_eq!(text(&raw(r#""a\n\u00e9\ud83d""#)).as_deref(), Some("a\né\u{fffd}\u{fffd}\u{fffd}"));
        assert_eq!(text(&raw("7")), None);
    }

    #[test]
    fn takes_blanks_out_between_tokens_only() {
        let spread = raw("{ \"a b\" : [1.0e3 ,\n \"x \\\" y\\\\\" , { } ]\t}");

        assert_eq!(compact(&spread), r#"{"a b":[1.0e3,"x \" y\\",{}]}"#);
    }

    #[test]
    fn tells_an_object_from_anything_else() {
        assert_eq!(object(" {\"a\":1} ").map(RawValue::get), Some("{\"a\":1}"));
        for text in ["", "[]", "7", "{\"a\":", "{} {}", "plain words"] {
            assert!(object(text).is_none(), "{text}");
        }
    }

    #[test]
    fn tells_something_from_nothing() {
        for (json, expected) in
            [("null", false), ("false", false), ("\"\"", false), ("[ ]", false), ("{}", false), ("{\"a\":1}", true)]
        {
            assert_eq!(is_something(&raw(json)), expected, "{json}");
        }
        assert!(is_something(&raw("\"x\"")) && is_something(&raw("1")));
    }
}
