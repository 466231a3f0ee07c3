//! The lines of a stream of this protocol.

use super::answer::Answer;
use crate::provider::chunk::{ChunkFacts, EventFault};
use crate::provider::writer::ChunkWriter;
use crate::provider::{Head, Reading};

/// What is remembered from one line to the next.
#[derive(Debug, Clone, Default)]
pub(in crate::provider) struct Stream {
    answer: Answer,
    writer: ChunkWriter,
}

impl Stream {
    /// Reads one line. The last one has the finish reason, and nothing follows it.
    pub(in crate::provider) fn decode(
        &mut self,
        head: &Head<'_>,
        data: &[u8],
        reading: &Reading,
    ) -> Result<ChunkFacts, EventFault> {
        let said = self.answer.read(head, data.trim_ascii())?;
        Ok(self.writer.write(said, reading, head.now))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;

    fn read(lines: &[&str]) -> Vec<Result<ChunkFacts, EventFault>> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        let reading = Reading { model: "asked".to_owned(), stream_usage: true, ..Reading::default() };
        let mut stream = Stream::default();
        lines.iter().map(|line| stream.decode(&head, line.as_bytes(), &reading)).collect()
    }

    #[test]
    fn writes_the_events_of_a_whole_stream() {
        let facts = read(&[
            r#"{"model":"qwen3","created_at":"t1","message":{"role":"assistant","content":"","thinking":"Hm."},"done":false}"#,
            r#"{"model":"qwen3","created_at":"t2","message":{"role":"assistant","content":"Hi"},"done":false}"#,
            r#"{"model":"qwen3","created_at":"t3","message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}"#,
            r#"{"model":"qwen3","created_at":"t3","message":{"content":"","tool_calls":[{"function":{"name":"g","arguments":{}}}]},"done":false}"#,
            r#"{"model":"qwen3","created_at":"t4","message":{"content":""},"done_reason":"stop","done":true,"prompt_eval_count":2,"eval_count":5}"#,
        ]);
        let events = facts.iter().map(|facts| facts.as_ref().unwrap().event.clone().unwrap());
        let stream: String = events.map(|event| String::from_utf8(event.to_vec()).unwrap()).collect();

        insta::assert_snapshot!(stream.replace("\n\n", "\n"), @r#"
    data: {"id":"chatcmpl-backstop","object":"chat.completion.chunk","created":0,"model":"qwen3","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"Hm.","reasoning_origin":""},"finish_reason":null}]}
    data: {"id":"chatcmpl-backstop","object":"chat.completion.chunk","created":0,"model":"qwen3","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}
    data: {"id":"chatcmpl-backstop","object":"chat.completion.chunk","created":0,"model":"qwen3","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm.","format":"ollama-v1","index":0,"origin":""}],"tool_calls":[{"index":0,"id":"call_SCaRw1euqdcwjUSmI1w9OZ9T","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":null}]}
    data: {"id":"chatcmpl-backstop","object":"chat.completion.chunk","created":0,"model":"qwen3","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_a5hLzeEW1dSdfMBmjenZtmPQ","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":null}]}
    data: {"id":"chatcmpl-backstop","object":"chat.completion.chunk","created":0,"model":"qwen3","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"stop"}]}
    data: {"id":"chatcmpl-backstop","object":"chat.completion.chunk","created":0,"model":"qwen3","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":5,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}
    "#);
        assert!(facts.iter().all(|facts| !facts.as_ref().unwrap().done));
    }

    #[test]
    fn gives_back_no_thought_that_is_too_long_to_keep() {
        let long = format!(r#"{{"message":{{"thinking":"{}"}},"done":false}}"#, "x".repeat(200 << 10));
        let call = r#"{"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":false}"#;

        let event = |lines: &[&str]| {
            let facts = read(lines).pop().unwrap().unwrap();
            String::from_utf8(facts.event.unwrap().to_vec()).unwrap()
        };

        assert!(event(&[&long, call]).contains("reasoning_details"));
        assert!(!event(&[&long, &long, call]).contains("reasoning_details"));
    }

    #[test]
    fn tells_failures_from_broken_lines() {
        let error = read(&[r#"{"message":{"content":"Hi"},"done":false}"#, r#"{"error":"an error was encountered"}"#]);

        assert!(matches!(error.as_slice(), [Ok(_), Err(EventFault::Failure(_))]), "{error:?}");
        for line in ["", "{", "[1]", "hello"] {
            assert!(matches!(read(&[line]).as_slice(), [Err(EventFault::Malformed(_))]), "{line}");
        }
        assert_eq!(read(&["{}"]).remove(0).unwrap().event.as_deref(), Some(&b""[..]));
    }
}
