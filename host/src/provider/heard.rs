//! What a caller hears of an answer in OpenAI's shape: read with trees of values, which the code under test never does.

use serde_json::Value;

use super::{ChunkFacts, Completion};

/// An answer, as a caller puts it together.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Heard {
    pub(super) text: String,
    pub(super) reasoning: String,
    /// Names and arguments.
    pub(super) calls: Vec<(String, Value)>,
    pub(super) finish: Option<String>,
    /// Input and output.
    pub(super) usage: Option<(u64, u64)>,
}

impl Heard {
    /// Of a whole answer, whose fields say the same as its body.
    pub(super) fn of_completion(completion: &Completion) -> Self {
        let body: Value = serde_json::from_slice(&completion.body).unwrap();
        let message = &body["choices"][0]["message"];
        let mut heard = Self::default();
        heard.add(message);
        heard.finish = body["choices"][0]["finish_reason"].as_str().map(str::to_owned);
        heard.usage = completion.usage.map(|usage| (usage.input, usage.output));
        assert_eq!(heard.text, completion.text);
        assert_eq!(heard.finish, completion.finish_reason);
        assert_eq!(heard.calls.is_empty(), !completion.has_tool_calls);
        assert_eq!(heard.usage.map(|usage| usage.0), body["usage"]["prompt_tokens"].as_u64());
        heard.with_arguments_read()
    }

    /// Of a stream.
    pub(super) fn of_stream(facts: &[ChunkFacts]) -> Self {
        let mut heard = Self::default();
        for facts in facts {
            let event = String::from_utf8(facts.event.clone().unwrap().to_vec()).unwrap();
            let chunks = event.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
            for chunk in chunks.map(|chunk| serde_json::from_str::<Value>(chunk).unwrap()) {
                let choice = &chunk["choices"][0];
                heard.add(&choice["delta"]);
                heard.finish = choice["finish_reason"].as_str().map(str::to_owned).or(heard.finish);
            }
            heard.usage = facts.usage.map(|usage| (usage.input, usage.output)).or(heard.usage);
        }
        let text: String = facts.iter().map(|facts| facts.text.as_str()).collect();
        assert_eq!(heard.text, text);
        heard.with_arguments_read()
    }

    fn add(&mut self, said: &Value) {
        self.text.push_str(said["content"].as_str().unwrap_or_default());
        self.reasoning.push_str(said["reasoning_content"].as_str().unwrap_or_default());
        for (place, call) in said["tool_calls"].as_array().into_iter().flatten().enumerate() {
            let index = call["index"].as_u64().map_or(place, |index| usize::try_from(index).unwrap());
            assert_eq!(index, self.calls.len(), "each call comes whole");
            assert!(call["id"].as_str().is_some_and(|id| !id.is_empty()) && call["type"] == "function");
            let function = &call["function"];
            self.calls.push((function["name"].as_str().unwrap().to_owned(), function["arguments"].clone()));
        }
    }

    fn with_arguments_read(mut self) -> Self {
        for (_, arguments) in &mut self.calls {
            *arguments = serde_json::from_str(arguments.as_str().unwrap()).unwrap();
        }
        self
    }
}
