//! The tokens of a chat in a model's own count, for the models whose tokenizer is public.
//!
//! A tokenizer takes a tenth of a second to unfold and some forty megabytes to keep, once per process: it is for estimates that a person
//! asked for. What budgets set aside goes by a bound that needs none.

use serde::Deserialize;
use serde_json::value::RawValue;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use crate::types::ChatRequest;

/// What OpenAI's format puts around each message, and before the answer.
const AROUND_MESSAGE: usize = 3;
const BEFORE_ANSWER: usize = 3;

/// As much of a message as is counted.
#[derive(Deserialize)]
struct MessageView<'a> {
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PartView {
    #[serde(default)]
    text: Option<String>,
}

/// The input tokens of a chat at a model; `None` where its tokenizer is not public, or where the chat has more than text.
pub(super) fn tokens(request: &ChatRequest, model: &str) -> Option<u32> {
    let tokenizer = tokenizer(model)?;
    if request.needs().media > 0 {
        return None;
    }
    let bpe = tokenizer();
    let messages: usize = request.messages().iter().map(|message| AROUND_MESSAGE + in_message(bpe, message)).sum();
    let tools = ["tools", "functions", "response_format"].into_iter().filter_map(|field| request.fields().get(field));
    let tools: usize = tools.map(|tools| of(bpe, tools.get())).sum();
    u32::try_from(messages + tools + BEFORE_ANSWER).ok()
}

/// What unfolds a model's tokenizer, also where a reseller's name stands before its own: `openai/gpt-4o`. Those of models that no longer
/// chat stay out of the binary.
fn tokenizer(model: &str) -> Option<fn() -> &'static CoreBPE> {
    let own = model.rsplit_once('/').map_or(model, |(_, own)| own);
    match get_tokenizer(own)? {
        Tokenizer::O200kBase => Some(tiktoken_rs::o200k_base_singleton),
        Tokenizer::O200kHarmony => Some(tiktoken_rs::o200k_harmony_singleton),
        Tokenizer::Cl100kBase => Some(tiktoken_rs::cl100k_base_singleton),
        Tokenizer::P50kBase | Tokenizer::R50kBase | Tokenizer::P50kEdit | Tokenizer::Gpt2 => None,
    }
}

fn in_message(bpe: &CoreBPE, message: &RawValue) -> usize {
    let Ok(MessageView { role, name, content, tool_calls }) = serde_json::from_str(message.get()) else {
        return of(bpe, message.get());
    };
    let name = name.map_or(0, |name| of(bpe, &name) + 1);
    let role = role.map_or(0, |role| of(bpe, &role));
    role + name
        + content.map_or(0, |content| in_content(bpe, content))
        + tool_calls.map_or(0, |calls| of(bpe, calls.get()))
}

fn in_content(bpe: &CoreBPE, content: &RawValue) -> usize {
    if let Ok(text) = serde_json::from_str::<Option<String>>(content.get()) {
        return text.map_or(0, |text| of(bpe, &text));
    }
    let parts: Vec<PartView> = serde_json::from_str(content.get()).unwrap_or_default();
    parts.iter().filter_map(|part| part.text.as_deref()).map(|text| of(bpe, text)).sum()
}

/// Words that are commands to a model are text in a message.
fn of(bpe: &CoreBPE, text: &str) -> usize {
    bpe.count_ordinary(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_as_openai_does() {
        // The example of OpenAI's cookbook: 129 tokens at both models' tokenizers of that time, 124 at the later one.
        let turns = [
            (
                "system",
                None,
                "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
            ),
            ("system", Some("example_user"), "New synergies will help drive top-line growth."),
            ("system", Some("example_assistant"), "Things working well together will increase revenue."),
            (
                "system",
                Some("example_user"),
                "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
            ),
            ("system", Some("example_assistant"), "Let's talk later when we're less busy about how to do better."),
            ("user", None, "This late pivot means we don't have time to boil the ocean for the client deliverable."),
        ];
        let request = turns.into_iter().fold(ChatRequest::new(), |request, (role, name, content)| match name {
            Some(name) => request.with_raw_message(&json!({"role": role, "name": name, "content": content})),
            None => request.with_message(role, content),
        });

        assert_eq!(tokens(&request, "gpt-4-0613"), Some(129));
        assert_eq!(tokens(&request, "openai/gpt-4o"), Some(124));
    }

    #[test]
    fn leaves_other_models_and_media_to_the_rule_of_thumb() {
        let image =
            json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]});

        assert_eq!(tokens(&ChatRequest::ask("hi"), "claude-sonnet-4-5"), None);
        assert_eq!(tokens(&ChatRequest::new().with_raw_message(&image), "gpt-4o"), None);
    }
}
