//! An answer in OpenAI's JSON: a completion, or the chunks of a stream.

use serde_json::{Map, Value, json};

use super::answer::UsageTold;
use super::{Answer, ReceivedCall};

/// When every scripted completion was made: 2025-10-09 08:53:20 UTC.
const CREATED: u64 = 1_760_000_000;

impl Answer {
    /// The whole completion as a body.
    pub(super) fn completion(&self, call: &ReceivedCall) -> Value {
        let mut message = json!({"role": "assistant", "content": self.text, "refusal": null});
        if let (Some(message), false) = (message.as_object_mut(), self.tool_calls.is_empty()) {
            message.insert("tool_calls".to_owned(), Value::Array(self.tool_calls.clone()));
        }
        let choice =
            json!({"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason.as_str()});
        let mut body = self.envelope("chat.completion", call, json!([choice]));
        if let Some(usage) = self.usage_for(call) {
            body.insert("usage".to_owned(), usage);
        }
        body.extend(self.fields.clone());
        Value::Object(body)
    }

    /// The chunk that opens a stream: the role, and no content.
    pub(super) fn opening_chunk(&self, call: &ReceivedCall) -> Value {
        self.chunk(call, json!({"role": "assistant", "content": "", "refusal": null}), None)
    }

    /// The chunks that carry content, one for each piece of text and three for each tool call.
    pub(super) fn content_chunks(&self, call: &ReceivedCall) -> Vec<Value> {
        let text = self.pieces.iter().map(|piece| json!({"content": piece}));
        let tools = self.tool_calls.iter().enumerate().flat_map(|(index, tool)| tool_deltas(index, tool));
        text.chain(tools).map(|delta| self.chunk(call, delta, None)).collect()
    }

    /// The chunks that end a stream: the finish reason, and the usage where the request wants it.
    pub(super) fn closing_chunks(&self, call: &ReceivedCall) -> Vec<Value> {
        let finish = self.chunk(call, json!({}), Some(&self.finish_reason));
        let usage = self.usage_for(call).filter(|_| call.wants_usage_in_stream()).map(|usage| {
            let mut chunk = self.envelope("chat.completion.chunk", call, json!([]));
            chunk.insert("usage".to_owned(), usage);
            Value::Object(chunk)
        });
        std::iter::once(finish).chain(usage).collect()
    }

    fn chunk(&self, call: &ReceivedCall, delta: Value, finish_reason: Option<&str>) -> Value {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        let mut chunk = self.envelope("chat.completion.chunk", call, json!([choice]));
        chunk.extend(self.fields.clone());
        Value::Object(chunk)
    }

    fn envelope(&self, object: &str, call: &ReceivedCall, choices: Value) -> Map<String, Value> {
        let model = self.model.as_deref().or(call.model()).unwrap_or("scripted-model");
        Map::from_iter([
            ("id".to_owned(), json!(format!("chatcmpl-scripted-{}", call.number))),
            ("object".to_owned(), json!(object)),
            ("created".to_owned(), json!(CREATED)),
            ("model".to_owned(), json!(model)),
            ("choices".to_owned(), choices),
        ])
    }

    fn usage_for(&self, call: &ReceivedCall) -> Option<Value> {
        match &self.usage {
            UsageTold::Nothing => None,
            UsageTold::Given(usage) => Some(usage.clone()),
            UsageTold::Counted => {
                let input = call.body.get("messages").map_or(0, |messages| messages.to_string().len() / 4);
                let output = self.pieces.len() + 3 * self.tool_calls.len();
                let total = input + output;
                Some(json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": total}))
            }
        }
    }
}

/// A tool call as streams give it: id and name first, then the arguments in two parts.
fn tool_deltas(index: usize, tool: &Value) -> [Value; 3] {
    let arguments = tool.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default();
    let middle = (arguments.len() / 2..=arguments.len()).find(|place| arguments.is_char_boundary(*place));
    let (head, tail) = arguments.split_at(middle.unwrap_or(0));
    let name = tool.pointer("/function/name").cloned().unwrap_or_default();
    let id = tool.get("id").cloned().unwrap_or_default();
    let opening = json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
    let part = |arguments: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]});
    [json!({"tool_calls": [opening]}), part(head), part(tail)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call() -> ReceivedCall {
        ReceivedCall::with_body(json!({
            "model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}],
            "stream": true, "stream_options": {"include_usage": true},
        }))
    }

    #[test]
    fn is_a_completion_of_the_requested_model_when_whole() {
        let body = Answer::new("Paris, of course").completion(&call());

        insta::assert_snapshot!(format!("{body:#}"), @r#"
        {
          "id": "chatcmpl-scripted-1",
          "object": "chat.completion",
          "created": 1760000000,
          "model": "gpt-4o",
          "choices": [
            {
              "index": 0,
              "message": {
                "role": "assistant",
                "content": "Paris, of course",
                "refusal": null
              },
              "logprobs": null,
              "finish_reason": "stop"
            }
          ],
          "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "total_tokens": 15
          }
        }
        "#);
    }

    #[test]
    fn streams_a_role_then_words_then_the_reason_and_the_usage() {
        let answer = Answer::new("Paris, of course").model("other").usage(9, 3);

        let mut chunks = vec![answer.opening_chunk(&call())];
        chunks.extend(answer.content_chunks(&call()));
        chunks.extend(answer.closing_chunks(&call()));

        let lines: Vec<String> =
            chunks.iter().map(|chunk| format!("{} {} {}", chunk["model"], chunk["choices"], chunk["usage"])).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        "other" [{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}] null
        "other" [{"index":0,"delta":{"content":"Paris,"},"logprobs":null,"finish_reason":null}] null
        "other" [{"index":0,"delta":{"content":" of"},"logprobs":null,"finish_reason":null}] null
        "other" [{"index":0,"delta":{"content":" course"},"logprobs":null,"finish_reason":null}] null
        "other" [{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}] null
        "other" [] {"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}
        "#);
    }

    #[test]
    fn streams_a_tool_call_in_three_parts() {
        let chunks = Answer::tool_call("weather", r#"{"city":"Oslo"}"#).content_chunks(&call());

        let parts: String = chunks
            .iter()
            .map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/function/arguments").unwrap().as_str().unwrap())
            .collect();
        assert_eq!(chunks.len(), 3);
        assert_eq!(parts, r#"{"city":"Oslo"}"#);
    }

    #[test]
    fn leaves_the_usage_out_when_told_to() {
        let answer = Answer::new("yes").without_usage();

        assert_eq!(answer.completion(&call()).get("usage"), None);
        assert_eq!(answer.closing_chunks(&call()).len(), 1);
    }

    proptest! {
        #[test]
        fn splits_tool_arguments_without_losing_any(arguments in "\\PC{0,20}") {
            let tool = json!({"id": "call_1", "function": {"name": "f", "arguments": arguments}});

            let joined: String = tool_deltas(0, &tool)
                .iter()
                .map(|delta| delta.pointer("/tool_calls/0/function/arguments").unwrap().as_str().unwrap())
                .collect();

            prop_assert_eq!(joined, arguments);
        }
    }
}
