//! The token counts of a reply, in the spellings of many providers; what cannot be a count is taken as unknown.

use serde_json::value::RawValue;

use crate::provider::json::pick_from;
use crate::provider::tokens::count;
use crate::types::Usage;

/// The fields that are read, in the order in which they are picked.
const FIELDS: [&str; 12] = [
    "prompt_tokens",
    "input_tokens",
    "completion_tokens",
    "output_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "prompt_cache_hit_tokens",
    "cache_read_input_tokens",
    "cached_tokens",
    "cache_creation_input_tokens",
    "completion_tokens_details",
    "reasoning_tokens",
];

/// Reads a `usage` object; `None` where input or output is missing, negative, no whole number or absurd.
pub(super) fn read(usage: &RawValue) -> Option<Usage> {
    let [prompt, input, completion, output, total, of_input, hit, cache_read, cached, created, of_output, reasoning] =
        pick_from(usage, FIELDS);
    let input = count(prompt.or(input)?)?;
    let output = count(completion.or(output)?)?;
    // xAI and Gemini leave reasoning tokens out of the output and put them into the total: they are paid for all the same.
    let output = total.and_then(count).map_or(output, |total| output.max(total.saturating_sub(input)));
    let known = input > 0 || output > 0;
    // OpenRouter, and Anthropic's models behind it, bill what is written to the cache at a price of its own.
    let [of_input_cached, written, creation] =
        details(of_input, ["cached_tokens", "cache_write_tokens", "cache_creation_tokens"]);
    let [of_output_reasoning] = details(of_output, ["reasoning_tokens"]);
    let first =
        |spellings: &[Option<&RawValue>]| spellings.iter().flatten().next().and_then(|part| count(part)).unwrap_or(0);
    known.then(|| Usage {
        input,
        output,
        cache_read: first(&[of_input_cached, hit, cache_read, cached]).min(input),
        cache_creation: first(&[written, creation, created]).min(input),
        reasoning: first(&[of_output_reasoning, reasoning]).min(output),
    })
}

fn details<'a, const N: usize>(part: Option<&'a RawValue>, names: [&str; N]) -> [Option<&'a RawValue>; N] {
    part.map_or([None; N], |part| pick_from(part, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Option<Usage> {
        read(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn reads_the_spellings_of_providers() {
        let openai = r#"{"prompt_tokens":100,"completion_tokens":40,"total_tokens":140,
            "prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":30}}"#;
        let deepseek =
            r#"{"prompt_tokens":100,"completion_tokens":40,"total_tokens":140,"prompt_cache_hit_tokens":64}"#;

        let usage = Usage { input: 100, output: 40, cache_read: 64, cache_creation: 0, reasoning: 30 };

        assert_eq!(of(openai), Some(usage));
        assert_eq!(of(deepseek), Some(Usage { reasoning: 0, ..usage }));
        assert_eq!(of(r#"{"input_tokens":3,"output_tokens":4.0}"#).map(|usage| usage.total()), Some(7));
    }

    #[test]
    fn counts_reasoning_that_only_the_total_knows_of() {
        let xai = r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
            "completion_tokens_details":{"reasoning_tokens":94}}"#;

        assert_eq!(of(xai), Some(Usage { input: 32, output: 103, cache_read: 0, cache_creation: 0, reasoning: 94 }));
    }

    #[test]
    fn takes_hostile_counts_as_unknown() {
        for output in ["-1", "\"7\"", "1.5", "9223372036854775808", "1e300", "null", "[]", "1000000001"] {
            assert_eq!(of(&format!(r#"{{"prompt_tokens":1,"completion_tokens":{output}}}"#)), None, "{output}");
        }
        assert_eq!(of(r#"{"prompt_tokens":0,"completion_tokens":0}"#), None);
        assert_eq!(of("[]"), None);
    }
}
