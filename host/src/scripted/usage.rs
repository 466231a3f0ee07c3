//! What an answer tells of its tokens, before it is put in a protocol's fields.

use serde_json::Value;

use super::answer::words;
use super::{Answer, ReceivedCall};

/// What an answer says of its tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum UsageTold {
    /// Counted from the request and the answer.
    Counted,
    Tokens {
        input: u64,
        output: u64,
    },
    Given(Value),
    Nothing,
}

/// The tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input: u64,
    pub(super) output: u64,
    /// Those of the output that are thoughts.
    pub(super) reasoning: u64,
}

impl Tokens {
    pub(super) fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl Answer {
    /// The usage an answer tells, its tokens written down by the protocol; `None` where it tells none.
    pub(super) fn usage_for(&self, call: &ReceivedCall, write: impl FnOnce(Tokens) -> Value) -> Option<Value> {
        let thought = self.thinking.as_deref().map_or(0, |text| words(text).len());
        let (input, output) = match &self.usage {
            UsageTold::Nothing => return None,
            UsageTold::Given(usage) => return Some(usage.clone()),
            UsageTold::Tokens { input, output } => (*input, *output),
            UsageTold::Counted => {
                let messages = ["messages", "contents", "input"].iter().find_map(|name| call.body.get(name));
                let input = messages.map_or(0, |messages| messages.to_string().len() / 4);
                (input as u64, (self.pieces.len() + 3 * self.tool_calls.len() + thought) as u64)
            }
        };
        Some(write(Tokens { input, output, reasoning: (thought as u64).min(output) }))
    }
}
