//! The token counts of a reply.

use serde_json::value::RawValue;

use crate::provider::json::pick_from;
use crate::provider::tokens::count;
use crate::types::Usage;

/// What has been counted so far. In a stream each count comes again as the sum of all: the greatest holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_creation: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    /// Takes in a `usage` object. What cannot be a count is taken as unknown.
    pub(super) fn read(&mut self, usage: &RawValue) {
        let names = [
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "output_tokens_details",
        ];
        let [input, output, cache_read, cache_creation, details] = pick_from(usage, names);
        let [thinking] = details.map_or([None], |details| pick_from(details, ["thinking_tokens"]));
        for (known, said) in [
            (&mut self.input, input),
            (&mut self.output, output),
            (&mut self.cache_read, cache_read),
            (&mut self.cache_creation, cache_creation),
            (&mut self.thinking, thinking),
        ] {
            *known = (*known).max(said.and_then(count));
        }
    }

    /// The sums; `None` where input or output is unknown, or all is nothing. Anthropic leaves cached tokens out of the input.
    pub(super) fn usage(self) -> Option<Usage> {
        let (cache_read, cache_creation) = (self.cache_read.unwrap_or(0), self.cache_creation.unwrap_or(0));
        let input = self.input?.saturating_add(cache_read).saturating_add(cache_creation);
        let output = self.output?;
        let reasoning = self.thinking.unwrap_or(0).min(output);
        (input > 0 || output > 0).then_some(Usage { input, output, cache_read, cache_creation, reasoning })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(usages: &[&str]) -> Option<Usage> {
        let mut counts = Counts::default();
        for usage in usages {
            counts.read(&RawValue::from_string((*usage).to_owned()).unwrap());
        }
        counts.usage()
    }

    #[test]
    fn counts_cached_tokens_among_the_input() {
        let whole = r#"{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,
            "output_tokens":40,"output_tokens_details":{"thinking_tokens":15}}"#;

        let expected = Usage { input: 3_210, output: 40, cache_read: 3_000, cache_creation: 200, reasoning: 15 };
        assert_eq!(of(&[whole]), Some(expected));
    }

    #[test]
    fn takes_the_last_sum_of_a_stream_and_adds_nothing_twice() {
        let start = r#"{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}"#;

        let repeated = of(&[start, r#"{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":40}"#]);

        assert_eq!(repeated, of(&[start, r#"{"output_tokens":40}"#]));
        assert_eq!(repeated.map(|usage| usage.total()), Some(55));
    }

    #[test]
    fn takes_hostile_counts_as_unknown() {
        for usage in ["[]", "{}", r#"{"input_tokens":3}"#, r#"{"input_tokens":-3,"output_tokens":1}"#] {
            assert_eq!(of(&[usage]), None, "{usage}");
        }
        assert_eq!(of(&[r#"{"input_tokens":0,"output_tokens":0}"#]), None);
    }
}
