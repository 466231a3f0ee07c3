//! Why an answer ended and what it took, in Anthropic's words.

use serde_json::{Value, json};

use crate::types::Usage;

use super::manner::Manner;

/// Why an answer ended, as its provider and the hub say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Finish {
    /// In OpenAI's words.
    pub(super) reason: Option<String>,
    /// In the provider's own, where it speaks another protocol.
    pub(super) native: Option<String>,
    /// Whether a tool is called.
    pub(super) calls: bool,
}

impl Finish {
    /// The fields `stop_reason` and `stop_sequence`. Only Anthropic tells a stop sequence from an end, and the hub not which of
    /// several it was.
    pub(super) fn told(&self, manner: &Manner) -> (&'static str, Option<String>) {
        match (self.reason.as_deref(), self.native.as_deref()) {
            (Some("length"), Some("model_context_window_exceeded")) => ("model_context_window_exceeded", None),
            (Some("length"), _) => ("max_tokens", None),
            (Some("content_filter"), _) => ("refusal", None),
            (Some("tool_calls"), _) => ("tool_use", None),
            // Some end so where a tool had to be called.
            _ if self.calls => ("tool_use", None),
            (_, Some("stop_sequence")) => match manner.stops.as_slice() {
                [stop] => ("stop_sequence", Some(stop.clone())),
                _ => ("stop_sequence", None),
            },
            _ => ("end_turn", None),
        }
    }
}

/// The field `usage`: Anthropic leaves what was cached out of the input. What was not counted is told as nothing.
pub(super) fn usage(usage: Option<Usage>) -> Value {
    let usage = usage.unwrap_or_default();
    let mut told = json!({
        "input_tokens": usage.all_input().saturating_sub(usage.cached()),
        "cache_creation_input_tokens": usage.cache_creation,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    });
    if let (true, Some(told)) = (usage.reasoning > 0, told.as_object_mut()) {
        told.insert("output_tokens_details".to_owned(), json!({"thinking_tokens": usage.reasoning}));
    }
    told
}

/// The name of an answer: its provider's own where that is one of Anthropic's, else made of the request's.
pub(super) fn message_id(theirs: Option<&str>, ours: crate::types::RequestId) -> String {
    match theirs {
        Some(id) if id.starts_with("msg_") => id.to_owned(),
        Some(_) | None => format!("msg_{:032x}", ours.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::messages::manner::Thoughts;

    fn told(reason: &str, native: Option<&str>, calls: bool, stops: &[&str]) -> (&'static str, Option<String>) {
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let finish = Finish { reason: Some(reason.to_owned()), native: native.map(str::to_owned), calls };
        finish.told(&Manner { thoughts: Thoughts::Hidden, stops })
    }

    #[test]
    fn puts_every_reason_into_the_words_of_anthropic() {
        for (reason, native, calls, expected) in [
            ("stop", None, false, "end_turn"),
            ("stop", None, true, "tool_use"),
            ("stop", Some("tool_use"), false, "end_turn"),
            ("stop", Some("end_turn"), false, "end_turn"),
            ("length", None, true, "max_tokens"),
            ("length", Some("model_context_window_exceeded"), false, "model_context_window_exceeded"),
            ("tool_calls", Some("tool_use"), true, "tool_use"),
            ("content_filter", Some("SAFETY"), false, "refusal"),
            ("something_new", None, false, "end_turn"),
        ] {
            assert_eq!(told(reason, native, calls, &["END"]), (expected, None), "{reason} {native:?}");
        }
    }

    #[test]
    fn names_the_stop_sequence_where_it_can_only_be_one() {
        let one = told("stop", Some("stop_sequence"), false, &["END"]);
        let several = told("stop", Some("stop_sequence"), false, &["END", "STOP"]);

        assert_eq!((one, several), (("stop_sequence", Some("END".to_owned())), ("stop_sequence", None)));
    }

    #[test]
    fn counts_cached_tokens_apart_from_the_input() {
        let taken = Usage { input: 3_210, output: 40, cache_read: 3_000, cache_creation: 200, reasoning: 15 };

        assert_eq!(
            usage(Some(taken)),
            json!({
                "input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3_000,
                "output_tokens": 40, "output_tokens_details": {"thinking_tokens": 15},
            })
        );
        assert_eq!(usage(None)["input_tokens"], 0);
    }
}
