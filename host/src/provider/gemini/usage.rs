//! The token counts of a reply; what cannot be a count is taken as unknown.

use serde_json::value::RawValue;

use crate::provider::json::pick_from;
use crate::provider::tokens::count;
use crate::types::Usage;

/// Reads a `usageMetadata` object; `None` where the input is missing, or any count negative, no whole number or absurd.
pub(super) fn read(usage: &RawValue) -> Option<Usage> {
    let names = [
        "promptTokenCount",
        "toolUsePromptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
        "cachedContentTokenCount",
    ];
    let [prompt, tool_use, candidates, thoughts, total, cached] = pick_from(usage, names);
    let known = |part: Option<&RawValue>| part.map_or(Some(0), count);
    let input = count(prompt?)? + known(tool_use)?;
    let reasoning = known(thoughts)?;
    let output = known(candidates)? + reasoning;
    // The total has been seen to know of thoughts that stand nowhere else: they are paid for all the same.
    let output = total.and_then(count).map_or(output, |total| output.max(total.saturating_sub(input)));
    (input > 0 || output > 0).then(|| Usage {
        input,
        output,
        cache_read: known(cached).unwrap_or(0).min(input),
        cache_creation: 0,
        reasoning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Option<Usage> {
        read(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn counts_thoughts_as_output_and_tools_as_input() {
        let whole = r#"{"promptTokenCount":10,"toolUsePromptTokenCount":5,"candidatesTokenCount":3,"thoughtsTokenCount":20,
            "totalTokenCount":38,"cachedContentTokenCount":8}"#;
        let unnamed = r#"{"promptTokenCount":10,"candidatesTokenCount":3,"totalTokenCount":33}"#;

        assert_eq!(of(whole), Some(Usage { input: 15, output: 23, cache_read: 8, cache_creation: 0, reasoning: 20 }));
        assert_eq!(of(unnamed).map(|usage| usage.output), Some(23));
        assert_eq!(of(r#"{"promptTokenCount":10}"#).map(|usage| usage.total()), Some(10));
    }

    #[test]
    fn takes_hostile_counts_as_unknown() {
        for output in ["-1", "\"7\"", "1.5", "9223372036854775808", "1e300", "[]", "1000000001"] {
            assert_eq!(of(&format!(r#"{{"promptTokenCount":1,"candidatesTokenCount":{output}}}"#)), None, "{output}");
        }
        assert_eq!(of(r#"{"trafficType":"ON_DEMAND"}"#), None);
        assert_eq!(of("[]"), None);
    }
}
