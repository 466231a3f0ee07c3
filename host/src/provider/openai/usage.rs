//! The token counts of a reply, in the spellings of many providers; what cannot be a count is taken as unknown.

use serde_json::value::RawValue;

use crate::provider::json::pick_from;
use crate::provider::tokens::count;
use crate::types::Usage;

/// Reads a `usage` object; `None` where input or output is missing, negative, no whole number or absurd.
pub(super) fn read(usage: &RawValue) -> Option<Usage> {
    let [prompt, input, completion, output, total] =
        pick_from(usage, ["prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens"]);
    let input = count(prompt.or(input)?)?;
    let output = count(completion.or(output)?)?;
    // xAI and Gemini leave reasoning tokens out of the output and put them into the total: they are paid for all the same.
    let output = total.and_then(count).map_or(output, |total| output.max(total.saturating_sub(input)));
    let known = input > 0 || output > 0;
    known.then(|| Usage {
        input,
        output,
        cache_read: cache_read(usage).unwrap_or(0).min(input),
        cache_creation: cache_creation(usage).unwrap_or(0).min(input),
        reasoning: reasoning(usage).unwrap_or(0).min(output),
    })
}

fn cache_read(usage: &RawValue) -> Option<u64> {
    let [details, hit, read, cached] = pick_from(
        usage,
        ["prompt_tokens_details", "prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens"],
    );
    let [detail] = details.map_or([None], |details| pick_from(details, ["cached_tokens"]));
    count(detail.or(hit).or(read).or(cached)?)
}

/// OpenRouter, and Anthropic's models behind it, bill what is written to the cache at a price of its own.
fn cache_creation(usage: &RawValue) -> Option<u64> {
    let [details, created] = pick_from(usage, ["prompt_tokens_details", "cache_creation_input_tokens"]);
    let written =
        details.map_or([None; 2], |details| pick_from(details, ["cache_write_tokens", "cache_creation_tokens"]));
    count(written.into_iter().flatten().next().or(created)?)
}

fn reasoning(usage: &RawValue) -> Option<u64> {
    let [details, plain] = pick_from(usage, ["completion_tokens_details", "reasoning_tokens"]);
    let [detail] = details.map_or([None], |details| pick_from(details, ["reasoning_tokens"]));
    count(detail.or(plain)?)
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
