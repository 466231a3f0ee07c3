//! An answer as its lines come: a reply is one of them, a stream several, the last with `done`.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::provider::chunk::{CallPiece, EventFault};
use crate::provider::json::{compact, is_something, items, pick, pick_from, text, words};
use crate::provider::said::{Finish, Said, Thought};
use crate::provider::tokens::count;
use crate::provider::{Head, classify, tool_id};
use crate::types::Usage;

/// Calls of one line that are read.
const MOST_CALLS: usize = 10_000;

/// The longest thought, in bytes, that is kept until the calls it leads to.
const LONGEST_THOUGHT: usize = 256 << 10;

/// Whose form a thought has.
const FORMAT: &str = "ollama-v1";

/// What is remembered of an answer from one line to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    calls: usize,
    /// The thought so far, unless it is too long.
    thought: String,
    /// Its length, whether kept or not.
    thought_bytes: usize,
    /// There was a message, whatever it said.
    pub has_message: bool,
    /// The last line said that another would follow.
    pub is_cut_short: bool,
}

impl Answer {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is no JSON object, or carries an error.
    pub(super) fn read(&mut self, head: &Head<'_>, line: &[u8]) -> Result<Said, EventFault> {
        let names =
            ["model", "created_at", "message", "done", "done_reason", "error", "prompt_eval_count", "eval_count"];
        let fields = pick(line, names).map_err(|error| EventFault::Malformed(error.to_string()))?;
        let [model, created, message, done, reason, error, input, output] = fields;
        if error.is_some_and(is_something) {
            return Err(EventFault::Failure(Box::new(classify(head, &Bytes::copy_from_slice(line)))));
        }
        self.has_message |= message.is_some();
        self.is_cut_short = done.is_some_and(|done| done.get() == "false");
        let fields = message.map_or([None; 3], |message| pick_from(message, ["content", "thinking", "tool_calls"]));
        let [content, thinking, calls] = fields;
        let mut said = Said {
            model: model.and_then(text).filter(|model| !model.is_empty()),
            text: content.and_then(text).unwrap_or_default(),
            reasoning: thinking.and_then(text).unwrap_or_default(),
            usage: usage(input, output),
            ..Said::default()
        };
        if let Some(calls) = calls {
            // Where the line has no time of its own, ours keeps the calls of two replies apart.
            let time = created.and_then(text).unwrap_or_else(|| head.now.as_nanosecond().to_string());
            said.calls = items(calls, MOST_CALLS).into_iter().filter_map(|call| self.read_call(call, &time)).collect();
        }
        self.keep_thought(&mut said);
        said.finish = done.filter(|done| done.get() == "true").map(|_| self.finish(reason));
        Ok(said)
    }

    /// A model that called a tool wants the thought behind that back with the result.
    fn keep_thought(&mut self, said: &mut Said) {
        self.thought_bytes = self.thought_bytes.saturating_add(said.reasoning.len());
        if self.thought_bytes <= LONGEST_THOUGHT {
            self.thought.push_str(&said.reasoning);
        }
        if said.calls.is_empty() || self.thought.is_empty() || self.thought_bytes > self.thought.len() {
            return;
        }
        self.thought_bytes = 0;
        said.thoughts.push(Thought { text: std::mem::take(&mut self.thought), format: FORMAT, ..Thought::default() });
    }

    fn read_call(&mut self, call: &RawValue, time: &str) -> Option<CallPiece> {
        let [id, function] = pick_from(call, ["id", "function"]);
        let [name, arguments] = pick_from(function?, ["name", "arguments"]);
        let index = self.calls;
        self.calls += 1;
        let id = id.and_then(text).filter(|id| !id.is_empty());
        Some(CallPiece {
            index,
            id: Some(id.unwrap_or_else(|| tool_id::made(time, index))),
            name: Some(name.and_then(text).unwrap_or_default()),
            // A string in place of the object is OpenAI's form of the same.
            arguments: arguments.map_or_else(|| "{}".to_owned(), |json| text(json).unwrap_or_else(|| compact(json))),
            signature: None,
        })
    }

    fn finish(&self, reason: Option<&RawValue>) -> Finish {
        let native = reason.and_then(words).unwrap_or_default();
        let reason = match &*native {
            "length" => "length",
            _ if self.calls > 0 => "tool_calls",
            _ => "stop",
        };
        let native = if matches!(&*native, "stop" | "length" | "load" | "unload") { &*native } else { "stop" };
        Finish { reason, native: native.to_owned() }
    }
}

/// The count of the input is missing where all of it was cached.
fn usage(input: Option<&RawValue>, output: Option<&RawValue>) -> Option<Usage> {
    let known = |part: Option<&RawValue>| part.map_or(Some(0), count);
    let (input, output) = (known(input)?, known(output)?);
    (input > 0 || output > 0).then(|| Usage { input, output, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_hostile_counts_as_unknown() {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        let seven = raw("7");

        assert_eq!(usage(None, Some(&seven)), Some(Usage { output: 7, ..Usage::default() }));
        assert_eq!(usage(Some(&seven), None).map(|usage| usage.input), Some(7));
        assert_eq!(usage(None, None), None);
        for json in ["-1", "\"7\"", "1.5", "9223372036854775808", "[]", "1000000001"] {
            assert_eq!(usage(Some(&seven), Some(&raw(json))), None, "{json}");
        }
    }
}
