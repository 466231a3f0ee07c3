//! A whole reply of this protocol.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::block::{Block, compact, is_proven};
use super::finish::finish;
use super::usage::Counts;
use crate::provider::chunk::CallPiece;
use crate::provider::completion::Completion;
use crate::provider::json::{is_something, items, pick, text};
use crate::provider::said::Said;
use crate::provider::{Head, Reading, classify, tool_id, writer};
use crate::types::Failure;

/// Blocks of one reply that are read.
const MOST_BLOCKS: usize = 10_000;

/// Reads a whole reply.
pub(in crate::provider) fn decode(head: &Head<'_>, body: &Bytes, reading: &Reading) -> Result<Completion, Failure> {
    let names = ["type", "error", "content", "id", "model", "stop_reason", "usage"];
    let fields = if head.is_success() { pick(body, names).ok() } else { None };
    let Some([kind, error, Some(content), id, model, stop_reason, usage]) = fields else {
        return Err(classify(head, body));
    };
    if error.is_some_and(is_something) || kind.is_some_and(is_error) || !content.get().starts_with('[') {
        return Err(classify(head, body));
    }
    let mut said = Said {
        id: id.and_then(text),
        model: model.and_then(text),
        finish: stop_reason.and_then(text).map(|native| finish(native, reading)),
        ..Said::default()
    };
    for block in items(content, MOST_BLOCKS) {
        add(&mut said, Block::read(block));
    }
    if reading.json_by_tool
        && let Some(call) = said.calls.drain(..).next()
    {
        // The arguments are the whole answer: words beside them would make it no JSON.
        said.text = call.arguments;
    }
    let mut counts = Counts::default();
    if let Some(usage) = usage {
        counts.read(usage);
    }
    said.usage = counts.usage();
    Ok(writer::completion(said.into_answer(head.status)?, reading, head.now))
}

/// Whether a `type` says that the object is an error.
pub(super) fn is_error(kind: &RawValue) -> bool {
    kind.get() == "\"error\""
}

fn add(said: &mut Said, block: Block<'_>) {
    match block {
        Block::Text(words) => said.text.push_str(&words),
        Block::Thought(thought) => {
            said.reasoning.push_str(&thought.text);
            if is_proven(&thought) {
                said.thoughts.push(thought);
            }
        }
        Block::ToolUse { id, name, input } => {
            let index = said.calls.len();
            let id = id.unwrap_or_else(|| tool_id::made(said.id.as_deref().unwrap_or_default(), index));
            let arguments = input.map_or_else(|| "{}".to_owned(), compact);
            said.calls.push(CallPiece { index, id: Some(id), name: Some(name), arguments, signature: None });
        }
        Block::Other => {}
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;
    use crate::types::FailureKind;

    fn read_as(body: &str, reading: &Reading) -> Result<Completion, Failure> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        decode(&head, &Bytes::from(body.to_owned()), reading)
    }

    fn read(body: &str) -> Result<Completion, Failure> {
        read_as(body, &Reading { origin: "anthropic".to_owned(), model: "asked".to_owned(), ..Reading::default() })
    }

    fn kind(body: &str) -> FailureKind {
        read(body).unwrap_err().kind
    }

    fn written(completion: &Completion) -> &str {
        std::str::from_utf8(&completion.body).unwrap()
    }

    #[test]
    fn writes_text_thoughts_and_calls_in_the_shape_of_openai() {
        let body = r#"{"type":"message","id":"msg_1","model":"claude-sonnet-4-5","content":[
            {"type":"thinking","thinking":"Hm. ","signature":"sig"},
            {"type":"redacted_thinking","data":"xyz"},
            {"type":"text","text":"Let me "},{"type":"text","text":"look."},
            {"type":"server_tool_use","id":"srv_1","name":"web_search","input":{"query":"x"}},
            {"type":"tool_use","id":"toolu_1","name":"look","input":{"at": 1.50, "b": []}},
            {"type":"tool_use","name":"wait","input":{}}],
            "stop_reason":"tool_use","usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":5}}"#;

        let completion = read(body).unwrap();

        assert_eq!((completion.text.as_str(), completion.has_tool_calls), ("Let me look.", true));
        insta::assert_snapshot!(written(&completion), @r#"{"id":"msg_1","object":"chat.completion","created":0,"model":"claude-sonnet-4-5","choices":[{"index":0,"message":{"role":"assistant","content":"Let me look.","reasoning_content":"Hm. ","reasoning_origin":"anthropic","reasoning_details":[{"type":"reasoning.text","text":"Hm. ","signature":"sig","format":"anthropic-claude-v1","index":0,"origin":"anthropic"},{"type":"reasoning.encrypted","data":"xyz","format":"anthropic-claude-v1","index":1,"origin":"anthropic"}],"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{\"at\":1.50,\"b\":[]}"}},{"id":"call_0j8LNlnQ5y02GUmxIzWSTkzW","type":"function","function":{"name":"wait","arguments":"{}"}}]},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":0}}}"#);
    }

    #[test]
    fn takes_the_arguments_of_our_own_tool_for_the_text() {
        let body = r#"{"type":"message","content":[{"type":"text","text":"Sure:"},
            {"type":"tool_use","id":"toolu_1","name":"answer","input":{"city": "Paris"}}],"stop_reason":"tool_use"}"#;

        let completion = read_as(body, &Reading { json_by_tool: true, ..Reading::default() }).unwrap();

        assert_eq!(completion.text, r#"{"city":"Paris"}"#);
        assert_eq!((completion.finish_reason.as_deref(), completion.has_tool_calls), (Some("stop"), false));
    }

    #[test]
    fn refuses_a_success_that_is_no_answer() {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"content":null}"#,
            r#"{"content":"x"}"#,
            r#"{"content":[]}"#,
            r#"{"content":[7],"stop_reason":"end_turn"}"#,
            r#"{"content":[{"type":"text","text":""}],"stop_reason":"end_turn"}"#,
        ] {
            assert_eq!(kind(body), FailureKind::MalformedReply, "{body}");
        }
    }

    #[test]
    fn lets_thinking_use_up_the_tokens() {
        let spent = read(r#"{"content":[],"stop_reason":"max_tokens","usage":{"input_tokens":3,"output_tokens":9}}"#);

        assert_eq!(spent.unwrap().finish_reason.as_deref(), Some("length"));
    }

    #[test]
    fn tells_a_withheld_answer_from_one_that_breaks_off() {
        let withheld = read(r#"{"content":[],"stop_reason":"refusal"}"#).unwrap_err();
        let broken_off = read(r#"{"content":[{"type":"text","text":"So"}],"stop_reason":"refusal"}"#).unwrap();

        assert_eq!((withheld.kind, withheld.code.as_deref()), (FailureKind::ContentFiltered, Some("refusal")));
        assert_eq!(broken_off.finish_reason.as_deref(), Some("content_filter"));
    }

    #[test]
    fn finds_the_error_within_a_success() {
        for (kind_named, expected) in [
            ("overloaded_error", FailureKind::Overloaded),
            ("rate_limit_error", FailureKind::RateLimited),
            ("api_error", FailureKind::ServerError),
            ("billing_error", FailureKind::QuotaExhausted),
            ("authentication_error", FailureKind::Authentication),
            ("permission_error", FailureKind::Permission),
            ("not_found_error", FailureKind::ModelNotFound),
            ("timeout_error", FailureKind::Timeout),
            ("request_too_large", FailureKind::ContextLength),
            ("invalid_request_error", FailureKind::InvalidRequest),
        ] {
            let body = format!(r#"{{"type":"error","error":{{"type":"{kind_named}","message":"m"}}}}"#);
            assert_eq!(kind(&body), expected, "{kind_named}");
        }
    }
}
