//! A call whose arguments come in pieces, each with its place: Vertex sends them so where that is asked for.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::provider::json::{compact, items, pick_from, text};

/// The longest arguments that are put together, in bytes.
const LONGEST: usize = 1 << 20;

/// Pieces of one event that are read.
const MOST_PIECES: usize = 10_000;

/// How deep a piece may stand.
const MOST_LEVELS: usize = 64;

/// A call under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Begun {
    /// Its own id, where it has one.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    /// The signature of the thought behind it.
    pub signature: Option<String>,
    whole: Option<String>,
    pieces: Value,
    bytes: usize,
}

/// Why arguments cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum PieceError {
    /// They are longer than anything a tool could want.
    #[error("arguments of a tool call of more than {LONGEST} bytes")]
    TooLong,
    /// A piece's place is none.
    #[error("a piece of a tool call's arguments without a place")]
    Misplaced,
}

impl Begun {
    /// A call whose arguments are still to come.
    pub(super) fn new(id: Option<String>, name: String, signature: Option<String>) -> Self {
        Self { id, name, signature, ..Self::default() }
    }

    /// Takes whole arguments, or more pieces of them.
    pub(super) fn add(&mut self, whole: Option<&RawValue>, pieces: Option<&RawValue>) -> Result<(), PieceError> {
        self.whole = whole.map(compact).or(self.whole.take());
        for piece in pieces.map(|pieces| items(pieces, MOST_PIECES)).unwrap_or_default() {
            self.bytes += piece.get().len();
            if self.bytes > LONGEST {
                return Err(PieceError::TooLong);
            }
            let [path] = pick_from(piece, ["jsonPath"]);
            let path = path.and_then(text).ok_or(PieceError::Misplaced)?;
            let place = place(&mut self.pieces, &path).ok_or(PieceError::Misplaced)?;
            fill(place, piece);
        }
        Ok(())
    }

    /// The arguments as JSON text.
    pub(super) fn arguments(&self) -> String {
        match (&self.pieces, &self.whole) {
            (Value::Null, Some(whole)) => whole.clone(),
            (Value::Null, None) => "{}".to_owned(),
            (pieces, _) => pieces.to_string(),
        }
    }
}

/// A string grows by each of its pieces; anything else comes whole.
fn fill(place: &mut Value, piece: &RawValue) {
    let [words, number, truth] = pick_from(piece, ["stringValue", "numberValue", "boolValue"]);
    match (words.and_then(text), number.or(truth), &mut *place) {
        (Some(more), _, Value::String(text)) => text.push_str(&more),
        (Some(words), _, _) => *place = Value::String(words),
        (None, Some(value), _) => *place = serde_json::from_str(value.get()).unwrap_or_default(),
        (None, None, _) => {}
    }
}

/// The place that a path such as `$.a.b[0]` leads to, made where it is not there yet.
fn place<'v>(root: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let mut place = root;
    let mut rest = path.strip_prefix('$')?;
    for _ in 0..MOST_LEVELS {
        if rest.is_empty() {
            return Some(place);
        }
        let (step, after) = step(rest)?;
        rest = after;
        place = match step {
            Step::Name(name) => object(place)?.entry(name).or_insert(Value::Null),
            Step::Index(index) => item(place, index)?,
        };
    }
    None
}

/// One step of a path.
enum Step<'p> {
    Name(&'p str),
    Index(usize),
}

fn step(path: &str) -> Option<(Step<'_>, &str)> {
    if let Some(path) = path.strip_prefix('.') {
        let (name, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        return Some((Step::Name(name), rest));
    }
    let path = path.strip_prefix('[')?;
    for quote in ["'", "\""] {
        if let Some(path) = path.strip_prefix(quote) {
            let (name, rest) = path.split_once(quote)?;
            return Some((Step::Name(name), rest.strip_prefix(']')?));
        }
    }
    let (index, rest) = path.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), rest))
}

fn object(place: &mut Value) -> Option<&mut Map<String, Value>> {
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut()
}

/// Items come in their order: one beyond the next would need others made up before it.
fn item(place: &mut Value, index: usize) -> Option<&mut Value> {
    if place.is_null() {
        *place = Value::Array(Vec::new());
    }
    let list = place.as_array_mut()?;
    if index == list.len() {
        list.push(Value::Null);
    }
    list.get_mut(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_together(pieces: &str) -> Result<String, PieceError> {
        let mut begun = Begun::default();
        let pieces = RawValue::from_string(pieces.to_owned()).unwrap();
        begun.add(None, Some(&pieces))?;
        Ok(begun.arguments())
    }

    #[test]
    fn puts_arguments_together_from_their_pieces() {
        let pieces = r#"[{"jsonPath":"$.a.b[0]","stringValue":"He","willContinue":true},{"jsonPath":"$.a.b[0]","stringValue":"y"},
            {"jsonPath":"$.a.b[1].c","numberValue":1.5},{"jsonPath":"$['d.e']","boolValue":true},
            {"jsonPath":"$.f","nullValue":"NULL_VALUE"}]"#;

        assert_eq!(put_together(pieces).as_deref(), Ok(r#"{"a":{"b":["Hey",{"c":1.5}]},"d.e":true,"f":null}"#));
        assert_eq!(put_together("[]").as_deref(), Ok("{}"));
    }

    #[test]
    fn refuses_pieces_that_fit_nowhere() {
        let deep = format!(r#"[{{"jsonPath":"${}","boolValue":true}}]"#, ".a".repeat(100));
        let long = format!(r#"[{{"jsonPath":"$.a","stringValue":"{}"}}]"#, "x".repeat(LONGEST));

        assert_eq!(put_together(&deep), Err(PieceError::Misplaced));
        assert_eq!(put_together(&long), Err(PieceError::TooLong));
        for path in ["", "a", "$a", "$[9]", "$[x]", "$['a", "$.a.b[0"] {
            let pieces = format!(r#"[{{"jsonPath":"{path}","boolValue":true}}]"#);
            assert_eq!(put_together(&pieces), Err(PieceError::Misplaced), "{path}");
        }
        assert_eq!(put_together(r#"[{"boolValue":true}]"#), Err(PieceError::Misplaced));
    }
}
