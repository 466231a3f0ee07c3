//! A whole reply of this protocol.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::answer::Answer;
use crate::provider::chunk::EventFault;
use crate::provider::completion::Completion;
use crate::provider::said::Said;
use crate::provider::{Head, Reading, classify, writer};
use crate::types::{Failure, FailureKind};

/// Reads a whole reply: one line, or the lines of a stream where something on the way asked for one.
pub(in crate::provider) fn decode(head: &Head<'_>, body: &Bytes, reading: &Reading) -> Result<Completion, Failure> {
    if !head.is_success() {
        return Err(classify(head, body));
    }
    let mut answer = Answer::default();
    let mut said = Said::default();
    for line in serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>() {
        let Ok(line) = line else { return Err(classify(head, body)) };
        said.add(answer.read(head, line.get().as_bytes()).map_err(|fault| match fault {
            EventFault::Failure(failure) => *failure,
            EventFault::Malformed(_) => classify(head, body),
        })?);
    }
    if !answer.has_message {
        return Err(classify(head, body));
    }
    if answer.is_cut_short && said.finish.is_none() {
        let words = "the reply ended before the answer did";
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
        decode(&head, &Bytes::from(body.to_owned()), &Reading { model: "asked".to_owned(), ..Reading::default() })
    }

    #[test]
    fn reads_thoughts_text_and_calls() {
        let body = r#"{"model":"qwen3","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","thinking":"Hm.",
            "content":"Adding.","tool_calls":[{"function":{"index":0,"name":"add","arguments":{"b": 2.0, "a": "x y"}}},
            {"id":"own","function":{"name":"now"}}]},"done_reason":"stop","done":true,"prompt_eval_count":9,"eval_count":4}"#;

        insta::assert_snapshot!(String::from_utf8(read(body).unwrap().body.to_vec()).unwrap(), @r#"{"id":"chatcmpl-backstop","object":"chat.completion","created":0,"model":"qwen3","choices":[{"index":0,"message":{"role":"assistant","content":"Adding.","reasoning_content":"Hm.","reasoning_origin":"","reasoning_details":[{"type":"reasoning.text","text":"Hm.","format":"ollama-v1","index":0,"origin":""}],"tool_calls":[{"id":"call_Jxj3sJImPk7mP4FJC8WMj3RF","type":"function","function":{"name":"add","arguments":"{\"b\":2.0,\"a\":\"x y\"}"}},{"id":"own","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls","native_finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#);
    }

    #[test]
    fn tells_why_an_answer_ended() {
        let of = |message: &str, reason: &str| {
            let body = format!(r#"{{"message":{message},"done":true,"done_reason":{reason},"eval_count":3}}"#);
            let completion = read(&body).unwrap();
            (completion.finish_reason.unwrap(), completion.usage.map(|usage| (usage.input, usage.output)))
        };
        let call = r#"{"content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]}"#;

        let usage = Some((0, 3));
        assert_eq!(of(r#"{"content":"x"}"#, "\"stop\""), ("stop".to_owned(), usage));
        assert_eq!(of(r#"{"content":"x"}"#, "\"new\""), ("stop".to_owned(), usage));
        assert_eq!(of(r#"{"content":"x"}"#, "null"), ("stop".to_owned(), usage));
        assert_eq!(of(call, "\"stop\""), ("tool_calls".to_owned(), usage));
        assert_eq!(of(r#"{"content":"","thinking":"Hm"}"#, "\"length\""), ("length".to_owned(), usage));
        assert_eq!(of(r#"{"content":""}"#, "\"length\""), ("length".to_owned(), usage));
    }

    #[test]
    fn joins_the_lines_of_a_stream_nobody_asked_for() {
        let lines =
            "{\"message\":{\"content\":\"Hel\"},\"done\":false}\n{\"message\":{\"content\":\"lo\"},\"done\":true}\n";

        assert_eq!(read(lines).unwrap().text, "Hello");
    }

    #[test]
    fn refuses_a_success_that_is_no_answer() {
        for (body, kind) in [
            ("", FailureKind::MalformedReply),
            ("{}", FailureKind::MalformedReply),
            ("[]", FailureKind::MalformedReply),
            ("{\"message\":{\"content\":\"Hel", FailureKind::MalformedReply),
            (r#"{"message":{"content":""},"done_reason":"load","done":true}"#, FailureKind::MalformedReply),
            (r#"{"message":{"content":"Hel"},"done":false}"#, FailureKind::Interrupted),
            (r#"{"error":"model runner has unexpectedly stopped"}"#, FailureKind::ServerError),
        ] {
            let failure = read(body).unwrap_err();
            assert_eq!((failure.kind, failure.status), (kind, Some(200)), "{body}");
        }
    }
}
