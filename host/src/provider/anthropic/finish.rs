//! Why an answer ended: Anthropic's words in OpenAI's.

use crate::provider::Reading;
use crate::provider::said::Finish;

/// The reason that `native` stands for.
pub(super) fn finish(native: String, reading: &Reading) -> Finish {
    let reason = match native.as_str() {
        "max_tokens" | "model_context_window_exceeded" => "length",
        // The tool was ours: the caller asked for JSON and called for none.
        "tool_use" if reading.json_by_tool => "stop",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        // end_turn, stop_sequence, pause_turn, and what is yet to come.
        _ => "stop",
    };
    Finish { reason, native }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_every_reason_into_the_words_of_openai() {
        let plain = Reading::default();
        let by_tool = Reading { json_by_tool: true, ..Reading::default() };

        for (native, reason) in [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("pause_turn", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_calls"),
            ("refusal", "content_filter"),
            ("something_new", "stop"),
        ] {
            let finish = finish(native.to_owned(), &plain);
            assert_eq!((finish.reason, finish.native.as_str()), (reason, native));
        }
        assert_eq!(finish("tool_use".to_owned(), &by_tool).reason, "stop");
    }
}
