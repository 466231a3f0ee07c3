//! Protobuf on the wire, read without any schema: numbers of fields are those of the `.proto` files.

use std::collections::BTreeMap;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wire {
    fields: Vec<(u64, Value)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Wire {
    /// Reads a message.
    ///
    /// # Panics
    /// Where it is none.
    #[must_use]
    pub fn parse(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut bytes)),
                1 => Value::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().expect("eight bytes"))),
                2 => {
                    let length = varint(&mut bytes);
                    Value::Bytes(take(&mut bytes, usize::try_from(length).expect("a length")).to_vec())
                }
                5 => {
                    let number = u32::from_le_bytes(take(&mut bytes, 4).try_into().expect("four bytes"));
                    Value::Number(number.into())
                }
                other => panic!("no such wire type: {other}"),
            };
            fields.push((tag >> 3, value));
        }
        Self { fields }
    }

    /// The messages in a field, also those in messages in messages, field by field.
    #[must_use]
    pub fn all(&self, path: &[u64]) -> Vec<Self> {
        let Some((first, rest)) = path.split_first() else { return vec![self.clone()] };
        let bytes = self.values(*first).filter_map(|value| match value {
            Value::Bytes(bytes) => Some(Self::parse(bytes)),
            Value::Number(_) => None,
        });
        bytes.flat_map(|message| message.all(rest)).collect()
    }

    /// A field's bytes; none where it is not set.
    #[must_use]
    pub fn bytes(&self, field: u64) -> Vec<u8> {
        match self.values(field).next() {
            Some(Value::Bytes(bytes)) => bytes.clone(),
            Some(Value::Number(_)) | None => Vec::new(),
        }
    }

    /// A field's text.
    #[must_use]
    pub fn text(&self, field: u64) -> String {
        String::from_utf8(self.bytes(field)).expect("text is UTF-8")
    }

    /// A field's number, be it of fixed length or not; 0 where it is not set.
    #[must_use]
    pub fn number(&self, field: u64) -> u64 {
        match self.values(field).next() {
            Some(Value::Number(number)) => *number,
            Some(Value::Bytes(_)) | None => 0,
        }
    }

    /// A field of OpenTelemetry's attributes: names and values as text.
    #[must_use]
    pub fn attributes(&self, field: u64) -> BTreeMap<String, String> {
        self.all(&[field]).iter().map(|pair| (pair.text(1), any(&pair.all(&[2])[0]))).collect()
    }

    fn values(&self, field: u64) -> impl Iterator<Item = &Value> {
        self.fields.iter().filter(move |(number, _)| *number == field).map(|(_, value)| value)
    }
}

fn any(value: &Wire) -> String {
    match value.fields.first() {
        Some((1, Value::Bytes(text))) => String::from_utf8(text.clone()).expect("text is UTF-8"),
        Some((2, Value::Number(flag))) => (*flag != 0).to_string(),
        Some((3, Value::Number(number))) => number.to_string(),
        Some((4, Value::Number(bits))) => f64::from_bits(*bits).to_string(),
        other => panic!("no such value: {other:?}"),
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for place in 0..10 {
        let byte = take(bytes, 1)[0];
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return number;
        }
    }
    panic!("a number without an end");
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    assert!(bytes.len() >= count, "a message that ends too early");
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_examples_of_the_specification() {
        assert_eq!(Wire::parse(&[0x08, 0x96, 0x01]).number(1), 150);
        assert_eq!(Wire::parse(b"\x12\x07testing").text(2), "testing");
        assert_eq!(Wire::parse(&[0x1a, 0x03, 0x08, 0x96, 0x01]).all(&[3])[0].number(1), 150);
    }
}
