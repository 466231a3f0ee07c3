//! A request of a caller who speaks Anthropic's protocol, as OpenAI-shaped targets take it. Its caller could not know which
//! names and bounds it would meet, so that what a model refuses is put otherwise or left out with a note. Requests in OpenAI's
//! own shape go as they came.

use std::borrow::Cow;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::provider::call::{Call, Field, has_fixed_sampling};
use crate::types::ChatRequest;

/// Stop sequences that OpenAI takes.
const MOST_STOPS: usize = 4;

/// Families of models that are not OpenAI's reasoning models and take an effort all the same.
const TAKE_EFFORT: &str = "gpt-oss";

/// A field as the model takes it; `None` where it takes none.
pub(super) fn field<'a>(call: &Call<'a>, (name, value): Field<'a>, notes: &mut Vec<String>) -> Option<Field<'a>> {
    if call.request.unsaid.is_none() {
        return Some((name, value));
    }
    let is_fixed = has_fixed_sampling(call.model);
    match &*name {
        "max_tokens" if is_fixed => Some((Cow::Borrowed("max_completion_tokens"), value)),
        "temperature" | "top_p" | "stop" if is_fixed => leave_out(&name, notes),
        "stop" => Some((name, fewer_stops(value, notes))),
        "reasoning_effort" if is_fixed && value.get() != "\"none\"" => Some((name, value)),
        "reasoning_effort" if call.model.contains(TAKE_EFFORT) && value.get() != "\"none\"" => Some((name, value)),
        "reasoning_effort" => leave_out(&name, notes),
        _ => Some((name, value)),
    }
}

/// The messages, with the images that tools brought shown by the user: a tool's own message has only text.
pub(super) fn messages(request: &ChatRequest) -> Cow<'_, [Box<RawValue>]> {
    let messages = request.messages();
    if request.unsaid.is_none() || !messages.iter().any(|message| shows_result(message)) {
        return Cow::Borrowed(messages);
    }
    let mut moved = Vec::with_capacity(messages.len() + 1);
    let mut shown = Vec::new();
    for message in messages {
        if !is_result(message) {
            moved.extend(show(&mut shown));
        }
        let parted = if shows_result(message) { without_images(message, &mut shown) } else { None };
        moved.push(parted.unwrap_or_else(|| message.clone()));
    }
    moved.extend(show(&mut shown));
    Cow::Owned(moved)
}

fn leave_out<'a>(name: &str, notes: &mut Vec<String>) -> Option<Field<'a>> {
    notes.push(format!("{name} is left out: the model is not known to take it"));
    None
}

fn fewer_stops<'a>(value: Cow<'a, RawValue>, notes: &mut Vec<String>) -> Cow<'a, RawValue> {
    let Ok(stops) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else { return value };
    let Some(first) = stops.get(..MOST_STOPS).filter(|_| stops.len() > MOST_STOPS) else { return value };
    let Ok(fewer) = to_raw_value(first) else { return value };
    notes.push(format!("stop sequences beyond {MOST_STOPS} are left out: OpenAI takes no more"));
    Cow::Owned(fewer)
}

fn is_result(message: &RawValue) -> bool {
    message.get().starts_with(r#"{"role":"tool""#)
}

/// Only the gateway writes such messages here: they have this form and no other.
fn shows_result(message: &RawValue) -> bool {
    is_result(message) && (message.get().contains(r#""image_url""#) || message.get().contains(r#""type":"file""#))
}

/// The message with its text alone; the rest is added to what is to be shown.
fn without_images(message: &RawValue, shown: &mut Vec<Value>) -> Option<Box<RawValue>> {
    let mut message: Value = serde_json::from_str(message.get()).ok()?;
    let content = message.get_mut("content")?;
    let parts = std::mem::take(content.as_array_mut()?);
    let is_text = |part: &Value| part.get("type").is_some_and(|kind| kind == "text");
    let (mut texts, others): (Vec<Value>, Vec<Value>) = parts.into_iter().partition(is_text);
    if !others.is_empty() {
        texts.push(json!({"type": "text", "text": "(What else the tool brought follows in the next message.)"}));
    }
    shown.extend(others);
    *content = Value::Array(texts);
    to_raw_value(&message).ok()
}

fn show(shown: &mut Vec<Value>) -> Option<Box<RawValue>> {
    if shown.is_empty() {
        return None;
    }
    to_raw_value(&json!({"role": "user", "content": std::mem::take(shown)})).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Dialect, Dialogue};

    fn call<'a>(request: &'a ChatRequest, model: &'a str) -> Call<'a> {
        const NO_DIALOGUE: &Dialogue<'static> = &Dialogue { turns: Vec::new() };
        let dialect = Dialect::of("p", &"http://localhost".parse().unwrap());
        let (defaults, stream) = (&[], false);
        Call { request, dialogue: NO_DIALOGUE, provider: "p", dialect, model, defaults, stream, prefill: None }
    }

    fn asked() -> ChatRequest {
        let mut request = ChatRequest::ask("hi")
            .with_field("max_tokens", &9)
            .with_field("temperature", &0.5)
            .with_field("stop", &["a", "b", "c", "d", "e"])
            .with_field("reasoning_effort", &"low");
        request.unsaid = Some(Box::default());
        request
    }

    fn written(request: &ChatRequest, model: &str) -> (String, Vec<String>) {
        let mut notes = Vec::new();
        let call = call(request, model);
        let fields = call.fields().into_iter().filter_map(|given| field(&call, given, &mut notes));
        let lines: Vec<String> = fields.map(|(name, value)| format!("{name}: {}", value.get())).collect();
        (lines.join("\n"), notes)
    }

    #[test]
    fn gives_each_model_the_names_it_takes() {
        let (reasoning, left_out) = written(&asked(), "gpt-5-mini");
        let (plain, notes) = written(&asked(), "gpt-4o");

        assert_eq!(reasoning, "max_completion_tokens: 9\nreasoning_effort: \"low\"");
        assert_eq!(left_out.len(), 2);
        assert_eq!(plain, "max_tokens: 9\ntemperature: 0.5\nstop: [\"a\",\"b\",\"c\",\"d\"]");
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn leaves_requests_in_openais_own_shape_alone() {
        let mut own = asked();
        own.unsaid = None;

        let (fields, notes) = written(&own, "gpt-5-mini");

        assert!(fields.starts_with("max_tokens: 9\ntemperature: 0.5\n"), "{fields}");
        assert!(notes.is_empty());
    }

    #[test]
    fn shows_the_images_of_results_behind_all_of_them() {
        let image = json!({"type": "image_url", "image_url": {"url": "https://x.example/a.png"}});
        let result = |id: &str, content: Value| json!({"role": "tool", "tool_call_id": id, "content": content});
        let mut request = ChatRequest::ask("look")
            .with_raw_message(&result("a", json!([{"type": "text", "text": "seen"}, image])))
            .with_raw_message(&result("b", json!("plain")))
            .with_message("user", "and?");
        request.unsaid = Some(Box::default());

        let moved = messages(&request);

        let roles: Vec<Value> =
            moved.iter().map(|message| serde_json::from_str::<Value>(message.get()).unwrap()["role"].clone()).collect();
        assert_eq!(roles, ["user", "tool", "tool", "user", "user"]);
        assert!(moved[1].get().contains("seen") && !moved[1].get().contains("image_url"));
        assert_eq!(moved[3].get(), json!({"role": "user", "content": [image]}).to_string());
    }
}
