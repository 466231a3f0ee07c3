//! The events of a stream of this protocol.

use super::answer::Answer;
use crate::provider::chunk::{ChunkFacts, EventFault};
use crate::provider::writer::ChunkWriter;
use crate::provider::{Head, Reading};

/// What is remembered from one event to the next.
#[derive(Debug, Clone, Default)]
pub(in crate::provider) struct Stream {
    answer: Answer,
    writer: ChunkWriter,
}

impl Stream {
    /// Reads one event. No mark follows the last one: the stream ends with its finish reason.
    pub(in crate::provider) fn decode(
        &mut self,
        head: &Head<'_>,
        data: &[u8],
        reading: &Reading,
    ) -> Result<ChunkFacts, EventFault> {
        let said = self.answer.read(head, data.trim_ascii())?;
        let speaks = said.speaks();
        let facts = self.writer.write(said, reading, head.now);
        Ok(ChunkFacts { has_content: speaks, ..facts })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::types::FailureKind;

    fn read(events: &[&str]) -> Vec<Result<ChunkFacts, EventFault>> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        let reading = Reading {
            origin: "gemini".to_owned(),
            model: "asked".to_owned(),
            stream_usage: true,
            ..Reading::default()
        };
        let mut stream = Stream::default();
        events.iter().map(|event| stream.decode(&head, event.as_bytes(), &reading)).collect()
    }

    fn failure(read: Result<ChunkFacts, EventFault>) -> FailureKind {
        match read {
            Err(EventFault::Failure(failure)) => failure.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn writes_the_events_of_a_whole_stream() {
        let facts = read(&[
            r#"{"candidates":[{"content":{"parts":[{"text":"Hm.","thought":true}]}}],"responseId":"r1","modelVersion":"m"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":2}}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"s"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"g"}}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"t"}]},"finishReason":"STOP"}],
                "usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":5}}"#,
        ]);
        let events = facts.iter().map(|facts| facts.as_ref().unwrap().event.clone().unwrap());
        let stream: String = events.map(|event| String::from_utf8(event.to_vec()).unwrap()).collect();

        insta::assert_snapshot!(stream.replace("\n\n", "\n"), @r#"
    data: {"id":"r1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"Hm.","reasoning_origin":"gemini"},"finish_reason":null}]}
    data: {"id":"r1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}
    data: {"id":"r1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_V0bbw7ORBYEIZLfVMncFJiEk","type":"function","function":{"name":"f","arguments":"{\"a\":1}"},"extra_content":{"google":{"thought_signature":"s"},"backstop":{"origin":"gemini"}}}]},"finish_reason":null}]}
    data: {"id":"r1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_UP5HaDp92x6ZpSGZZrZpH7Gy","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":null}]}
    data: {"id":"r1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"t","format":"google-gemini-v1","index":0,"origin":"gemini"}]},"finish_reason":"tool_calls","native_finish_reason":"STOP"}]}
    data: {"id":"r1","object":"chat.completion.chunk","created":0,"model":"m","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":5,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}
    "#);
    }

    #[test]
    fn says_nothing_of_events_that_say_nothing() {
        for event in [
            "{}",
            r#"{"candidates":[{"content":{"parts":[{"text":""}]}}]}"#,
            r#"{"usageMetadata":{"promptTokenCount":2}}"#,
            r#"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}}]}}]}"#,
        ] {
            let facts = read(&[event]).remove(0).unwrap();
            assert_eq!((facts.has_content, facts.event.as_deref()), (false, Some(&b""[..])), "{event}");
        }
    }

    #[test]
    fn takes_no_mere_signature_for_a_first_token() {
        let event = r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"t"}]}}]}"#;

        assert!(!read(&[event]).remove(0).unwrap().has_content);
    }

    #[test]
    fn tells_failures_from_broken_events() {
        let text = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}"#;
        let error = r#"{"error":{"code":503,"message":"The model is overloaded","status":"UNAVAILABLE"}}"#;
        let withheld = r#"{"candidates":[{"finishReason":"SAFETY"}]}"#;
        let blocked = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#;

        assert_eq!(failure(read(&[text, error]).remove(1)), FailureKind::Overloaded);
        assert_eq!(failure(read(&[&format!("[{error}]")]).remove(0)), FailureKind::Overloaded);
        assert_eq!(failure(read(&[withheld]).remove(0)), FailureKind::ContentFiltered);
        assert_eq!(failure(read(&[blocked]).remove(0)), FailureKind::ContentFiltered);
        let late = read(&[text, withheld]).remove(1).unwrap();
        assert_eq!(late.finish_reason.as_deref(), Some("content_filter"));
        for event in ["", "{", "hello", "7", "[DONE]"] {
            assert!(matches!(read(&[event]).remove(0), Err(EventFault::Malformed(_))), "{event}");
        }
    }

    const WHOLE: &str = r#"[{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true},{"functionCall":{"name":"f",
        "partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"x"},{"jsonPath":"$.a[1]","numberValue":1e3}],"willContinue":true}},
        {"functionCall":{"args":{"a":[1]}},"thoughtSignature":"s"}]},"finishReason":1,"index":0}],"promptFeedback":{"blockReason":2},
        "usageMetadata":{"promptTokenCount":2,"thoughtsTokenCount":1}},{"error":null}]"#;

    proptest! {
        #[test]
        fn reads_damaged_events_without_panic(
            place in any::<prop::sample::Index>(),
            damage in "[\\[\\]{}\",:$.a0-9]{0,4}",
            length in 0_usize..6,
        ) {
            let at = place.index(WHOLE.len());
            let mut event = WHOLE.as_bytes().to_vec();
            event.splice(at..(at + length).min(WHOLE.len()), damage.bytes());
            let event = String::from_utf8_lossy(&event);

            let facts = read(&[&event, WHOLE, &event]);

            prop_assert!(facts[1].is_ok() || facts[0].is_ok());
        }
    }
}
