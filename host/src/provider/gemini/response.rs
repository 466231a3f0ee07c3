//! A whole reply of this protocol.

use bytes::Bytes;

use super::answer::Answer;
use crate::provider::chunk::EventFault;
use crate::provider::completion::Completion;
use crate::provider::{Head, Reading, classify, writer};
use crate::types::{Failure, FailureKind};

/// Reads a whole reply: one piece, or the list of them that a stream is where nobody asked for events.
pub(in crate::provider) fn decode(head: &Head<'_>, body: &Bytes, reading: &Reading) -> Result<Completion, Failure> {
    if !head.is_success() {
        return Err(classify(head, body));
    }
    let mut answer = Answer::default();
    let said = answer.read(head, body).map_err(|fault| match fault {
        EventFault::Failure(failure) => *failure,
        EventFault::Malformed(_) => classify(head, body),
    })?;
    if !answer.has_candidate {
        return Err(classify(head, body));
    }
    if answer.is_mid_call() {
        let words = "the reply ended within a tool call";
        return Err(Failure::new(FailureKind::Interrupted, words).with_status(head.status));
    }
    Ok(writer::completion(said.into_answer(head.status)?, reading, head.now))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;

    fn read(body: &str) -> Result<Completion, Failure> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        let reading = Reading { origin: "gemini".to_owned(), model: "asked".to_owned(), ..Reading::default() };
        decode(&head, &Bytes::from(body.to_owned()), &reading)
    }

    fn written(body: &str) -> String {
        String::from_utf8(read(body).unwrap().body.to_vec()).unwrap()
    }

    fn of_reason(parts: &str, reason: &str) -> String {
        format!(r#"{{"candidates":[{{"content":{{"parts":[{parts}]}},"finishReason":{reason}}}]}}"#)
    }

    #[test]
    fn reads_thoughts_text_and_calls() {
        let body = r#"{"candidates":[{"content":{"role":"model","parts":[
            {"text":"Hm.","thought":true},
            {"executableCode":{"code":"1"}},
            {"text":"It is ","thoughtSignature":"c2ln"},{"text":"4."},
            {"functionCall":{"name":"add","args":{"b": 2.0, "a": "x y"}},"thoughtSignature":"Y2FsbA=="},
            {"functionCall":{"id":"own","name":"now"}}]},"finishReason":"STOP","index":0}],
            "usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4,"thoughtsTokenCount":3,"totalTokenCount":16},
            "modelVersion":"gemini-2.5-flash","responseId":"r1"}"#;

        insta::assert_snapshot!(written(body), @r#"{"id":"r1","object":"chat.completion","created":0,"model":"gemini-2.5-flash","choices":[{"index":0,"message":{"role":"assistant","content":"It is 4.","reasoning_content":"Hm.","reasoning_origin":"gemini","reasoning_details":[{"type":"reasoning.encrypted","data":"c2ln","format":"google-gemini-v1","index":0,"origin":"gemini"}],"tool_calls":[{"id":"call_V0bbw7ORBYEIZLfVMncFJiEk","type":"function","function":{"name":"add","arguments":"{\"b\":2.0,\"a\":\"x y\"}"},"extra_content":{"google":{"thought_signature":"Y2FsbA=="},"backstop":{"origin":"gemini"}}},{"id":"own","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls","native_finish_reason":"STOP"}],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":3}}}"#);
    }

    #[test]
    fn joins_the_list_that_a_stream_is_without_events() {
        let body = r#"[{"candidates":[{"content":{"parts":[{"text":"Hel"}]}}],"responseId":"r1"}
            ,{"candidates":[{"content":{"parts":[{"text":"lo"}]},"finishReason":1}],"usageMetadata":{"promptTokenCount":1,
            "candidatesTokenCount":1}}]"#;

        insta::assert_snapshot!(written(body), @r#"{"id":"r1","object":"chat.completion","created":0,"model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop","native_finish_reason":"STOP"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#);
    }

    #[test]
    fn tells_why_an_answer_ended() {
        let text = r#"{"text":"x"}"#;
        let call = r#"{"functionCall":{"name":"f","args":{}}}"#;
        for (parts, reason, expected) in [
            (text, "\"STOP\"", "stop"),
            (call, "\"STOP\"", "tool_calls"),
            (text, "2", "length"),
            ("", "\"MAX_TOKENS\"", "length"),
            (text, "\"RECITATION\"", "content_filter"),
            (call, "\"UNEXPECTED_TOOL_CALL\"", "tool_calls"),
            (text, "\"NEW_ONE\"", "stop"),
        ] {
            let completion = read(&of_reason(parts, reason)).unwrap();
            assert_eq!(completion.finish_reason.as_deref(), Some(expected), "{parts} {reason}");
        }
    }

    #[test]
    fn refuses_a_success_that_is_no_answer() {
        let thought = r#"{"text":"I should call f","thought":true}"#;
        for (body, kind) in [
            (String::new(), FailureKind::MalformedReply),
            ("{}".to_owned(), FailureKind::MalformedReply),
            ("[]".to_owned(), FailureKind::MalformedReply),
            ("7".to_owned(), FailureKind::MalformedReply),
            (r#"[{"candidates":[{"content":{"parts":[{"text":"Hel"}]}}]},"#.to_owned(), FailureKind::MalformedReply),
            (of_reason("", "\"STOP\""), FailureKind::MalformedReply),
            (of_reason(r#"{"text":"","thoughtSignature":"x"}"#, "\"STOP\""), FailureKind::MalformedReply),
            (of_reason(thought, "\"MALFORMED_FUNCTION_CALL\""), FailureKind::MalformedReply),
            (of_reason("", "\"OTHER\""), FailureKind::ServerError),
            // What was said before the model failed is half an answer.
            (of_reason(r#"{"text":"Let me see."}"#, "\"OTHER\""), FailureKind::ServerError),
            (of_reason(r#"{"text":"Let me see."}"#, "\"MALFORMED_FUNCTION_CALL\""), FailureKind::MalformedReply),
            (of_reason(r#"{"functionCall":{"args":{}}}"#, "\"STOP\""), FailureKind::MalformedReply),
            (
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}"#
                    .to_owned(),
                FailureKind::Interrupted,
            ),
            (of_reason("", "\"SAFETY\""), FailureKind::ContentFiltered),
            (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#.to_owned(), FailureKind::ContentFiltered),
            (r#"[{"error":{"code":429,"message":"slow down"}}]"#.to_owned(), FailureKind::RateLimited),
        ] {
            let failure = read(&body).unwrap_err();
            assert_eq!((failure.kind, failure.status), (kind, Some(200)), "{body}");
        }
    }

    #[test]
    fn makes_ids_that_differ_from_call_to_call_and_reply_to_reply() {
        let body = |id: &str| {
            let call = r#"{"functionCall":{"name":"f","args":{}}}"#;
            format!(r#"{{"candidates":[{{"content":{{"parts":[{call},{call}]}}}}],"responseId":"{id}"}}"#)
        };
        let ids = |body: &str| {
            let value: serde_json::Value = serde_json::from_str(&written(body)).unwrap();
            let calls = value["choices"][0]["message"]["tool_calls"].as_array().unwrap().clone();
            calls.iter().map(|call| call["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };

        let [first, second] = ["r1", "r2"].map(|id| ids(&body(id)));

        assert!(first.iter().all(|id| !second.contains(id)) && first[0] != first[1]);
        assert_eq!(ids(&body("r1")), first);
    }
}
