//! What a single option can be.

use serde_json::Value;

/// A type an option can have.
pub trait OptionValue: Sized {
    /// What it takes, completing "must be …".
    const EXPECTED: &'static str;
    /// The members of its JSON schema, such as `"type":"boolean"`.
    const SCHEMA: &'static str;

    /// Reads what the operator wrote; `None` where it is not what [`Self::EXPECTED`] says.
    fn read(value: &Value) -> Option<Self>;

    /// The value as JSON text; `null` where there is none.
    fn to_json(&self) -> String;
}

/// A share of a whole, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(f64);

impl Share {
    /// A share, held between 0 and 1; what is no number is 0.
    #[must_use]
    pub const fn new(share: f64) -> Self {
        if share > 0.0 { Self(share.min(1.0)) } else { Self(0.0) }
    }

    /// The share as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl OptionValue for Share {
    const EXPECTED: &'static str = "a number from 0 to 1";
    const SCHEMA: &'static str = r#""type":"number","minimum":0,"maximum":1"#;

    fn read(value: &Value) -> Option<Self> {
        value.as_f64().filter(|share| (0.0..=1.0).contains(share)).map(Self)
    }

    fn to_json(&self) -> String {
        Value::from(self.0).to_string()
    }
}

impl OptionValue for bool {
    const EXPECTED: &'static str = "true or false";
    const SCHEMA: &'static str = r#""type":"boolean""#;

    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }

    fn to_json(&self) -> String {
        Value::from(*self).to_string()
    }
}

impl OptionValue for u32 {
    const EXPECTED: &'static str = "a whole number from 0";
    const SCHEMA: &'static str = r#""type":"integer","minimum":0"#;

    fn read(value: &Value) -> Option<Self> {
        value.as_u64().and_then(|number| Self::try_from(number).ok())
    }

    fn to_json(&self) -> String {
        Value::from(*self).to_string()
    }
}

impl OptionValue for f64 {
    const EXPECTED: &'static str = "a number";
    const SCHEMA: &'static str = r#""type":"number""#;

    fn read(value: &Value) -> Option<Self> {
        value.as_f64()
    }

    fn to_json(&self) -> String {
        Value::from(*self).to_string()
    }
}

impl OptionValue for String {
    const EXPECTED: &'static str = "a text";
    const SCHEMA: &'static str = r#""type":"string""#;

    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(Self::from)
    }

    fn to_json(&self) -> String {
        Value::from(self.as_str()).to_string()
    }
}

/// An option that may be left out.
impl<T: OptionValue> OptionValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const SCHEMA: &'static str = T::SCHEMA;

    fn read(value: &Value) -> Option<Self> {
        T::read(value).map(Some)
    }

    fn to_json(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_owned(), T::to_json)
    }
}
