//! An answer in OpenAI's JSON: a completion, or the chunks of a stream.

use serde_json::{Map, Value, json};

use super::answer::words;
use super::events::{Event, Events};
use super::tool_call::ToolCall;
use super::usage::Tokens;
use super::{Answer, ReceivedCall};

/// When every scripted completion was made: 2025-10-09 08:53:20 UTC.
const CREATED: u64 = 1_760_000_000;

/// The events of a stream.
pub(super) fn events(answer: &Answer, call: &ReceivedCall) -> Events {
    Events {
        opening: vec![Event::new(answer.opening_chunk(call).to_string())],
        content: answer.content_chunks(call).iter().map(Event::token).collect(),
        closing: answer.closing_chunks(call).iter().map(|chunk| Event::new(chunk.to_string())).collect(),
        end: Some(Event::new("[DONE]")),
    }
}

impl Answer {
    /// The whole completion as a body.
    pub(super) fn completion(&self, call: &ReceivedCall) -> Value {
        let mut message = json!({"role": "assistant", "content": self.text, "refusal": null});
        if let (Some(message), Some(thinking)) = (message.as_object_mut(), &self.thinking) {
            message.insert("reasoning_content".to_owned(), json!(thinking));
        }
        if let (Some(message), false) = (message.as_object_mut(), self.tool_calls.is_empty()) {
            let calls = self.tool_calls.iter().enumerate().map(|(index, tool)| tool_call(index, tool)).collect();
            message.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        let choice =
            json!({"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason.as_str()});
        let mut body = self.envelope("chat.completion", call, json!([choice]));
        if let Some(usage) = self.usage_for(call, usage) {
            body.insert("usage".to_owned(), usage);
        }
        body.extend(self.fields.clone());
        Value::Object(body)
    }

    /// The chunk that opens a stream: the role, and no content.
    pub(super) fn opening_chunk(&self, call: &ReceivedCall) -> Value {
        self.chunk(call, json!({"role": "assistant", "content": "", "refusal": null}), None)
    }

    /// The chunks that carry content: one for each word of thinking and each piece of text, three for each tool call.
    pub(super) fn content_chunks(&self, call: &ReceivedCall) -> Vec<Value> {
        let thoughts = self.thinking.as_deref().map(words).unwrap_or_default();
        let thoughts = thoughts.into_iter().map(|word| json!({"reasoning_content": word}));
        let text = self.pieces.iter().map(|piece| json!({"content": piece}));
        let tools = self.tool_calls.iter().enumerate().flat_map(|(index, tool)| tool_deltas(index, tool));
        thoughts.chain(text).chain(tools).map(|delta| self.chunk(call, delta, None)).collect()
    }

    /// The chunks that end a stream: the finish reason, and the usage where the request wants it.
    pub(super) fn closing_chunks(&self, call: &ReceivedCall) -> Vec<Value> {
        let finish = self.chunk(call, json!({}), Some(&self.finish_reason));
        let usage = self.usage_for(call, usage).filter(|_| call.wants_usage_in_stream()).map(|usage| {
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
        Map::from_iter([
            ("id".to_owned(), json!(format!("chatcmpl-scripted-{}", call.number))),
            ("object".to_owned(), json!(object)),
            ("created".to_owned(), json!(CREATED)),
            ("model".to_owned(), json!(self.model_for(call))),
            ("choices".to_owned(), choices),
        ])
    }
}

fn usage(tokens: Tokens) -> Value {
    let (input, output) = (tokens.input, tokens.output);
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": tokens.total()})
}

fn tool_call(index: usize, tool: &ToolCall) -> Value {
    let function = json!({"name": tool.name, "arguments": tool.arguments});
    json!({"id": tool_id(index), "type": "function", "function": function})
}

fn tool_id(index: usize) -> String {
    format!("call_scripted_{}", index + 1)
}

/// A tool call as streams give it: id and name first, then the arguments in two parts.
fn tool_deltas(index: usize, tool: &ToolCall) -> [Value; 3] {
    let (head, tail) = tool.halves();
    let function = json!({"name": tool.name, "arguments": ""});
    let opening = json!({"index": index, "id": tool_id(index), "type": "function", "function": function});
    let part = |arguments: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]});
    [json!({"tool_calls": [opening]}), part(head), part(tail)]
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn thinks_in_the_field_that_most_providers_have_for_it() {
        let answer = Answer::new("yes").thinking("let me see").signature("none");

        let whole = answer.completion(&call());
        let chunks = answer.content_chunks(&call());

        assert_eq!(whole["choices"][0]["message"]["reasoning_content"], "let me see");
        let words: Vec<&Value> =
            chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["reasoning_content"]).collect();
        assert_eq!(words, [&json!("let"), &json!(" me"), &json!(" see"), &Value::Null]);
        assert!(!whole.to_string().contains("none"));
    }
}
