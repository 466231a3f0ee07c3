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

/// The fields of an object, and of each item of its field `list`, `limit` of them at most, the fields `of_item`: all in one pass.
/// No list where the field is missing or none; nothing of an item that is no object.
///
/// # Errors
/// When the text is not one JSON object.
pub(super) fn pick_with_list<'a, const N: usize, const M: usize>(
    json: &'a [u8],
    names: [&str; N],
    list: &str,
    of_item: [&str; M],
    limit: usize,
) -> Result<Listed<'a, N, M>, serde_json::Error> {
    let text = std::str::from_utf8(json).map_err(serde_json::Error::custom)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let picked = PickWithList { names, list, items: PickItems { names: of_item, limit } }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(picked)
}

/// What [`pick_with_list`] finds.
pub(super) type Listed<'a, const N: usize, const M: usize> =
    ([Option<&'a RawValue>; N], Option<Vec<[Option<&'a RawValue>; M]>>);

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
            take_in(&mut map, &self.names, &name, &mut found)?;
        }
        Ok(found)
    }
}

/// Reads the value of the field that comes next, where it is one of those wanted.
fn take_in<'de, A: MapAccess<'de>>(
    map: &mut A,
    wanted: &[&str],
    name: &str,
    found: &mut [Option<&'de RawValue>],
) -> Result<(), A::Error> {
    let place = wanted.iter().position(|wanted| *wanted == name);
    match place.and_then(|place| found.get_mut(place)) {
        Some(field) => {
            let value: &RawValue = map.next_value()?;
            *field = Some(value).filter(|value| value.get() != "null");
        }
        None => {
            map.next_value::<IgnoredAny>()?;
        }
    }
    Ok(())
}

/// What is neither a list nor an object is read past.
macro_rules! nothing_of_scalars {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(None)
        }
    };
}

struct PickWithList<'n, const N: usize, const M: usize> {
    names: [&'n str; N],
    list: &'n str,
    items: PickItems<'n, M>,
}

impl<'de, const N: usize, const M: usize> DeserializeSeed<'de> for PickWithList<'_, N, M> {
    type Value = Listed<'de, N, M>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, const N: usize, const M: usize> Visitor<'de> for PickWithList<'_, N, M> {
    type Value = Listed<'de, N, M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        let mut items = None;
        while let Some(Name(name)) = map.next_key()? {
            if name == self.list {
                items = map.next_value_seed(self.items)?;
            } else {
                take_in(&mut map, &self.names, &name, &mut found)?;
            }
        }
        Ok((found, items))
    }
}

/// Reads a list, and nothing of what is none.
#[derive(Clone, Copy)]
struct PickItems<'n, const M: usize> {
    names: [&'n str; M],
    limit: usize,
}

impl<'de, const M: usize> DeserializeSeed<'de> for PickItems<'_, M> {
    type Value = Option<Vec<[Option<&'de RawValue>; M]>>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de, const M: usize> Visitor<'de> for PickItems<'_, M> {
    type Value = Option<Vec<[Option<&'de RawValue>; M]>>;

    nothing_of_scalars!();

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < self.limit {
            let Some(item) = list.next_element_seed(PickItem { names: self.names })? else { return Ok(Some(items)) };
            items.push(item.unwrap_or([None; M]));
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(items))
    }
}

/// Reads an object, and nothing of what is none.
struct PickItem<'n, const M: usize> {
    names: [&'n str; M],
}

impl<'de, const M: usize> DeserializeSeed<'de> for PickItem<'_, M> {
    type Value = Option<[Option<&'de RawValue>; M]>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de, const M: usize> Visitor<'de> for PickItem<'_, M> {
    type Value = Option<[Option<&'de RawValue>; M]>;

    nothing_of_scalars!();

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Pick { names: self.names }.visit_map(map).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
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
    fn picks_fields_of_items_in_the_same_pass() {
        let read = |json: &str| {
            let (_, items) = pick_with_list(json.as_bytes(), ["x"], "l", ["a"], 3).unwrap();
            items.map(|items| items.iter().map(|[a]| a.map_or("-", |a| a.get()).to_owned()).collect::<Vec<_>>())
        };

        let (found, _) = pick_with_list(br#"{"l":[{"a":1}],"x":[2]}"#, ["x"], "l", ["a"], 3).unwrap();
        assert_eq!(found[0].map(RawValue::get), Some("[2]"));
        assert_eq!(read(r#"{"l":[{"b":0,"a":[1]},7,"s",[{"a":1}],{}]}"#).unwrap(), ["[1]", "-", "-"]);
        for none in ["{}", r#"{"l":null}"#, r#"{"l":{"a":1}}"#, r#"{"l":"a"}"#, r#"{"l":-1.5}"#, r#"{"l":true}"#] {
            assert_eq!(read(none), None, "{none}");
        }
        assert!(pick_with_list(br#"{"l":[{"a":1}]"#, ["x"], "l", ["a"], 3).is_err());
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
