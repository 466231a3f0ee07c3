//! What a request for embeddings puts in: how many inputs, of how many tokens.

use std::fmt;
use std::mem::discriminant;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How much is to be embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InputSize {
    /// The vectors that are asked for.
    pub(super) inputs: usize,
    /// All their tokens; those of texts estimated from above, as a chat's are: a third of the bytes, and a little for each.
    pub(super) tokens: usize,
    /// All their tokens at most: no text has more of them than bytes.
    pub(super) bound: usize,
}

/// What a text may take beyond its own: a few tokens that mark its beginning and end.
const FRAME: usize = 8;

/// An item of a list of inputs.
enum Item {
    /// A text of so many bytes.
    Text(usize),
    Tokens(usize),
    Token,
}

struct ReadInput;

struct ReadItem;

impl InputSize {
    /// Measures an input; `None` where it holds nothing, or what OpenAI's protocol does not have there.
    pub(super) fn of(input: &RawValue) -> Option<Self> {
        serde_json::from_str(input.get()).ok()
    }
}

impl<'de> Deserialize<'de> for InputSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadInput)
    }
}

impl<'de> Visitor<'de> for ReadInput {
    type Value = InputSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something to embed")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<InputSize, E> {
        if text.is_empty() {
            return Err(E::custom("empty"));
        }
        let text = Item::Text(text.len());
        Ok(InputSize { inputs: 1, tokens: text.tokens(), bound: text.bound() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<InputSize, A::Error> {
        let first: Item = items.next_element()?.ok_or_else(|| A::Error::custom("empty"))?;
        let (mut count, mut tokens, mut bound) = (1, first.tokens(), first.bound());
        while let Some(item) = items.next_element::<Item>()? {
            if discriminant(&item) != discriminant(&first) {
                return Err(A::Error::custom("of several kinds"));
            }
            count += 1;
            tokens += item.tokens();
            bound += item.bound();
        }
        let inputs = match first {
            Item::Text(_) | Item::Tokens(_) => count,
            // A list of numbers is one text, taken apart already.
            Item::Token => 1,
        };
        Ok(InputSize { inputs, tokens, bound })
    }
}

impl Item {
    fn tokens(&self) -> usize {
        match self {
            Self::Text(bytes) => bytes / 3 + FRAME,
            Self::Tokens(tokens) => *tokens,
            Self::Token => 1,
        }
    }

    fn bound(&self) -> usize {
        match self {
            Self::Text(bytes) => bytes + FRAME,
            Self::Tokens(_) | Self::Token => self.tokens(),
        }
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadItem)
    }
}

impl<'de> Visitor<'de> for ReadItem {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token or a list of tokens")
    }

    // One empty text among others is the provider's to take or to refuse: they differ.
    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.len()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Item, E> {
        Ok(Item::Token)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<Item, A::Error> {
        let mut count = 0;
        while tokens.next_element::<u64>()?.is_some() {
            count += 1;
        }
        if count == 0 { Err(A::Error::custom("empty")) } else { Ok(Item::Tokens(count)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(json: &str) -> Option<(usize, usize)> {
        InputSize::of(&RawValue::from_string(json.to_owned()).unwrap()).map(|size| (size.inputs, size.tokens))
    }

    #[test]
    fn counts_texts_and_tokens() {
        assert_eq!(size(r#""abcdef""#), Some((1, 10)));
        assert_eq!(size(r#"["abc","","d"]"#), Some((3, 9 + 8 + 8)));
        assert_eq!(size("[1,2,100257]"), Some((1, 3)));
        assert_eq!(size("[[1,2],[3]]"), Some((2, 3)));
    }

    #[test]
    fn bounds_texts_by_their_bytes() {
        let bound = |json: &str| InputSize::of(&RawValue::from_string(json.to_owned()).unwrap()).unwrap().bound;

        assert_eq!([bound(r#""ab\u00e9""#), bound(r#"["abc","d"]"#), bound("[[1,2],[3]]")], [4 + 8, 3 + 8 + 1 + 8, 3]);
    }

    #[test]
    fn refuses_what_holds_nothing_or_is_no_text() {
        for json in
            [r#""""#, "[]", "[[]]", "[[1],[]]", "null", "{}", "7", r#"["a",1]"#, r#"[[1],"a"]"#, "[-1]", "[[[1]]]"]
        {
            assert_eq!(size(json), None, "{json}");
        }
    }
}
