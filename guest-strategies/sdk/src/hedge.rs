//! When a second target is asked in parallel, as an operator writes it.

use crate::options::OptionValue;
use crate::{Value, Wait};

/// Whether a second target is asked while the first goes on, and when. Written `"off"` or as a length of time, `"800ms"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hedge {
    /// One target at a time.
    #[default]
    Off,
    /// After so long without a token; never at once, which would send every request twice.
    After(Wait),
}

impl Hedge {
    /// Milliseconds without a token; `None` where it is off.
    #[must_use]
    pub const fn ms(self) -> Option<u32> {
        match self {
            Self::Off => None,
            Self::After(wait) => Some(wait.ms()),
        }
    }
}

impl OptionValue for Hedge {
    const EXPECTED: &'static str = "\"off\" or a length of time from 1 ms, such as \"800ms\"";
    const SCHEMA: &'static str = r#""type":"string""#;

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "off" => Some(Self::Off),
            text => Wait::parse(text).filter(|wait| *wait > Wait::ZERO).map(Self::After),
        }
    }

    fn to_json(&self) -> String {
        match self {
            Self::Off => r#""off""#.to_owned(),
            Self::After(wait) => wait.to_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Hedge;
    use crate::options::OptionValue;
    use crate::{Value, Wait};

    #[test]
    fn reads_a_length_of_time_and_off() {
        let read = |text: &str| Hedge::read(&Value::from(text));

        assert_eq!(read("800ms"), Some(Hedge::After(Wait::from_ms(800))));
        assert_eq!(read("off"), Some(Hedge::Off));
    }

    #[test]
    fn refuses_to_send_every_request_twice() {
        for text in ["0", "0s", "0ms", "on", "", "800"] {
            assert_eq!(Hedge::read(&Value::from(text)), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for hedge in [Hedge::Off, Hedge::After(Wait::from_ms(800))] {
            let written: Value = serde_json::from_str(&hedge.to_json()).unwrap();

            assert_eq!(Hedge::read(&written), Some(hedge));
        }
    }
}
