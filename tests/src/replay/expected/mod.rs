//! What a recorded reply says, read with trees of values and without any code of the program under test.

mod openai;
mod anthropic;
mod gemini;
mod ollama;

use serde_json::Value;

use super::exchange::{Api, Exchange};

/// What an answer says, in words of no protocol but for the finish reason, which is OpenAI's.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reply {
    /// Its text.
    pub(super) text: String,
    /// Its thoughts.
    pub(super) reasoning: String,
    /// Its calls of tools.
    pub(super) calls: Vec<Call>,
    /// Why it ended.
    pub(super) finish: Option<String>,
    /// Input tokens and output tokens.
    pub(super) usage: Option<(u64, u64)>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Call {
    /// Its id; not every protocol has them.
    pub(super) id: Option<String>,
    /// The tool.
    pub(super) name: String,
    /// As JSON; a string where it is not JSON.
    pub(super) arguments: Value,
}

/// What the record says; `None` where its protocol is not spoken.
pub(super) fn of_record(exchange: &Exchange) -> Option<Reply> {
    let body = &exchange.response.body;
    match exchange.api() {
        Api::OpenAi => Some(of_output(body, exchange.stream)),
        Api::Anthropic => Some(anthropic::read(body, exchange.stream)),
        Api::Gemini => Some(gemini::read(body, exchange.stream)),
        Api::Ollama => Some(ollama::read(body)),
        Api::Other => None,
    }
}

/// What the binary has written says: a completion or its events.
pub(super) fn of_output(text: &str, stream: bool) -> Reply {
    if stream { openai::read_stream(text) } else { openai::read_whole(text) }
}

impl Reply {
    /// Whether it says anything, or ended for a reason that explains why it does not.
    pub(super) fn is_something(&self) -> bool {
        let says = !self.text.is_empty() || !self.reasoning.is_empty() || !self.calls.is_empty();
        says || self.finish.as_deref() == Some("length")
    }

    fn begin_call(&mut self, id: &Value, name: &Value, arguments: Value) {
        let id = Some(text(id).to_owned()).filter(|id| !id.is_empty());
        self.calls.push(Call { id, name: text(name).to_owned(), arguments });
    }

    /// Goes on with the arguments of a call, as text for now.
    fn go_on(&mut self, call: usize, piece: &str) {
        if let Some(Value::String(arguments)) = self.calls.get_mut(call).map(|call| &mut call.arguments) {
            arguments.push_str(piece);
        }
    }

    /// Reads the arguments that came as text.
    fn with_arguments_read(mut self) -> Self {
        for call in &mut self.calls {
            if let Value::String(text) = &call.arguments
                && let Ok(value) = serde_json::from_str(text)
            {
                call.arguments = value;
            }
        }
        self
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
