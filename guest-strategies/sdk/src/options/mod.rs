//! The operator's own table for a strategy: declared once, read, checked and described from that.

mod schema;
mod value;

use serde_json::{Map, Value};

pub use schema::Schema;
pub use value::{OptionValue, Share};

use crate::nearest::nearest;

/// A strategy's options. Made by [`options!`](crate::options!); written by hand only where that does not do.
pub trait Options: Default {
    /// Takes one option; `false` where it has none of that name.
    ///
    /// # Errors
    /// Where the value is not what the option takes: a sentence for the operator.
    fn set(&mut self, name: &str, value: &Value) -> Result<bool, String>;

    /// Adds every option to the schema, with its value in `self` as the default.
    fn describe(&self, schema: &mut Schema);
}

/// For strategies that take no options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoOptions;

impl Options for NoOptions {
    fn set(&mut self, _: &str, _: &Value) -> Result<bool, String> {
        Ok(false)
    }

    fn describe(&self, _: &mut Schema) {}
}

/// Reads options from a JSON object; an empty text is an empty object.
///
/// # Errors
/// An unknown option, or a value that is not what the option takes: a sentence for the operator.
pub fn read_options<O: Options>(json: &str) -> Result<O, String> {
    let table = match json.trim() {
        "" => Map::new(),
        text => match serde_json::from_str(text) {
            Ok(Value::Object(table)) => table,
            Ok(_) | Err(_) => return Err("options must be a table".to_owned()),
        },
    };
    let mut options = O::default();
    for (name, value) in &table {
        if !options.set(name, value)? {
            return Err(unknown::<O>(name));
        }
    }
    Ok(options)
}

/// The JSON schema of a strategy's options.
#[must_use]
pub fn schema_of<O: Options>() -> String {
    let mut schema = Schema::default();
    O::default().describe(&mut schema);
    schema.into_json()
}

/// Reads the value of the option with this name.
///
/// # Errors
/// Where it is not what the option takes: a sentence for the operator.
pub fn read_value<T: OptionValue>(name: &str, value: &Value) -> Result<T, String> {
    T::read(value).ok_or_else(|| ["`", name, "` is ", &value.to_string(), ", but must be ", T::EXPECTED].concat())
}

fn unknown<O: Options>(name: &str) -> String {
    let mut schema = Schema::default();
    O::default().describe(&mut schema);
    let names = schema.names();
    match nearest(name, names.iter().map(|&known| known.to_owned())) {
        Some(near) => ["unknown option `", name, "`; did you mean `", &near, "`?"].concat(),
        None if names.is_empty() => ["unknown option `", name, "`; this strategy takes none"].concat(),
        None => ["unknown option `", name, "`; there are `", &names.join("`, `"), "`"].concat(),
    }
}

/// Declares a strategy's options: one line each with its name, type and default, and a comment that says what it does. The
/// reading, the checking, the error messages and the JSON schema follow from it.
///
/// ```
/// use backstop_strategy::{FallbackOptions, Wait, options};
///
/// options! {
///     /// What `turns` can be told.
///     pub struct Options {
///         /// Start with another target on each request.
///         pub rotate: bool = true,
///         /// How long a turn lasts.
///         pub turn: Wait = Wait::from_secs(5),
///         // Everything those options know as well; may be left out.
///         ..pub fallback: FallbackOptions
///     }
/// }
///
/// let options: Options = backstop_strategy::read_options(r#"{"turn": "2s", "retries": 3}"#)?;
///
/// assert_eq!(options.turn.ms(), 2_000);
/// assert_eq!(options.fallback.retries, Some(3));
/// # Ok::<(), String>(())
/// ```
#[macro_export]
macro_rules! options {
    (
        $(#[$outer:meta])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field_vis:vis $field:ident: $type:ty = $default:expr, )*
            $( .. $rest_vis:vis $rest:ident: $rest_type:ty $(,)? )?
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $doc])+ $field_vis $field: $type, )*
            $(
                /// The options it shares with others.
                $rest_vis $rest: $rest_type,
            )?
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $default, )*
                    $( $rest: <$rest_type as ::core::default::Default>::default(), )?
                }
            }
        }

        impl $crate::Options for $name {
            fn set(&mut self, name: &str, value: &$crate::Value) -> ::core::result::Result<bool, ::std::string::String> {
                $(
                    if name == ::core::stringify!($field) {
                        self.$field = $crate::read_value(name, value)?;
                        return ::core::result::Result::Ok(true);
                    }
                )*
                $( if $crate::Options::set(&mut self.$rest, name, value)? {
                    return ::core::result::Result::Ok(true);
                } )?
                ::core::result::Result::Ok(false)
            }

            fn describe(&self, schema: &mut $crate::Schema) {
                $( schema.add(::core::stringify!($field), ::core::concat!($($doc),+), &self.$field); )*
                $( $crate::Options::describe(&self.$rest, schema); )?
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::{NoOptions, Share, read_options, schema_of};
    use crate::Wait;

    crate::options! {
        /// The options of the tests.
        struct Sample {
            /// Where to start,
            /// if anywhere.
            start: Option<String> = None,
            /// Whether to.
            rotate: bool = true,
            /// How "long".
            pause: Wait = Wait::from_ms(250),
            /// How much.
            jitter: Share = Share::new(0.2),
            /// How often.
            turns: u32 = 3,
        }
    }

    fn complaint(json: &str) -> String {
        read_options::<Sample>(json).unwrap_err()
    }

    #[test]
    fn reads_what_is_given_and_leaves_the_rest_at_its_default() {
        let options: Sample = read_options(r#"{"start": "groq", "pause": "2s", "jitter": 1}"#).unwrap();

        let expected = Sample { start: Some("groq".to_owned()), pause: Wait::from_secs(2), ..Sample::default() };
        assert_eq!(options, Sample { jitter: Share::new(1.0), ..expected });
    }

    #[test]
    fn takes_an_empty_text_for_an_empty_table() {
        assert_eq!(read_options(""), Ok(Sample::default()));
        assert_eq!(read_options(" {} "), Ok(Sample::default()));
    }

    #[test]
    fn names_option_value_and_mend() {
        assert_eq!(complaint(r#"{"turns": -1}"#), "`turns` is -1, but must be a whole number from 0");
        assert_eq!(complaint(r#"{"rotate": "no"}"#), "`rotate` is \"no\", but must be true or false");
        assert_eq!(complaint(r#"{"jitter": 1.5}"#), "`jitter` is 1.5, but must be a number from 0 to 1");
        assert_eq!(
            complaint(r#"{"pause": 5}"#),
            "`pause` is 5, but must be a length of time such as \"250ms\", \"2s\" or \"1m30s\""
        );
    }

    #[test]
    fn suggests_the_nearest_of_its_names() {
        assert_eq!(complaint(r#"{"jiter": 1}"#), "unknown option `jiter`; did you mean `jitter`?");
        assert_eq!(
            complaint(r#"{"colour": 1}"#),
            "unknown option `colour`; there are `start`, `rotate`, `pause`, `jitter`, `turns`"
        );
        assert_eq!(
            read_options::<NoOptions>(r#"{"jitter": 1}"#).unwrap_err(),
            "unknown option `jitter`; this strategy takes none"
        );
    }

    #[test]
    fn refuses_what_is_no_table() {
        for json in ["[]", "5", "{", "null", "{}{}"] {
            assert_eq!(complaint(json), "options must be a table", "{json}");
        }
    }

    #[test]
    fn describes_itself_as_a_json_schema() {
        let schema: serde_json::Value = serde_json::from_str(&schema_of::<Sample>()).unwrap();

        let expected = serde_json::json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "start": { "type": "string", "description": "Where to start, if anywhere." },
                "rotate": { "type": "boolean", "default": true, "description": "Whether to." },
                "pause": {
                    "type": "string", "format": "duration", "default": "250ms", "description": "How \"long\"."
                },
                "jitter": {
                    "type": "number", "minimum": 0, "maximum": 1, "default": 0.2, "description": "How much."
                },
                "turns": { "type": "integer", "minimum": 0, "default": 3, "description": "How often." },
            },
        });
        assert_eq!(schema, expected);
    }
}
