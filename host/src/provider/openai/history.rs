//! Earlier turns as an OpenAI-shaped provider may have them: without what another provider made for itself alone.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use bytes::{BufMut, BytesMut};
use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::provider::dialect::{Dialect, ToolIds};
use crate::provider::json::{items, pick_from, words};
use crate::provider::{notes, tool_id};

/// Fields of an assistant's message, or of its tool calls, that are some provider's own.
const OWN_FIELDS: [&str; 6] =
    ["reasoning_content", "reasoning", "reasoning_details", "reasoning_origin", "thinking", "extra_content"];

/// What a message has somewhere in its text where some of it may be a provider's own, and where it may have a tool's id.
const SIGNS_OF_STATE: [&str; 3] = ["reasoning", "\"thinking\"", "extra_content"];
const SIGN_OF_TOOLS: &str = "tool_call";

/// All of these, looked for at once.
static SIGNS: LazyLock<Option<Searcher>> =
    LazyLock::new(|| Searcher::new(SIGNS_OF_STATE.iter().chain([&SIGN_OF_TOOLS])));

/// What is noted of a changed message.
const HISTORY_CHANGED: &str =
    "thoughts and ids of earlier answers are left out or rewritten: another provider made them";

/// Calls of one message that are looked at.
const MOST_CALLS: usize = 10_000;

/// Writes the messages as a list, each as it came unless something in it must not travel.
pub(super) fn write(json: &mut BytesMut, messages: &[Box<RawValue>], dialect: &Dialect, notes: &mut Vec<String>) {
    json.put_u8(b'[');
    for (place, message) in messages.iter().enumerate() {
        if place > 0 {
            json.put_u8(b',');
        }
        match cleaned(message, dialect, notes) {
            Some(changed) => json.put_slice(changed.as_bytes()),
            None => json.put_slice(message.get().as_bytes()),
        }
    }
    json.put_u8(b']');
}

/// The message without what must not travel; `None` where it may go as it is.
fn cleaned(message: &RawValue, dialect: &Dialect, notes: &mut Vec<String>) -> Option<String> {
    let text = message.get();
    // Nearly every message has none of it: one search of its bytes is all that it costs.
    if SIGNS.as_ref().is_some_and(|signs| signs.find(text).is_none()) {
        return None;
    }
    let may_hold_state = SIGNS_OF_STATE.iter().any(|sign| text.contains(sign));
    let has_unfit_id = text.contains(SIGN_OF_TOOLS) && holds_unfit_id(message, dialect.ids);
    if !may_hold_state && !has_unfit_id {
        return None;
    }
    // What Backstop marked with its origin was made by a provider of another protocol.
    let taken = if is_marked(text) { Some([].as_slice()) } else { dialect.takes };
    let may_travel = |name: &str| taken.is_none_or(|taken| taken.contains(&name));
    let mut fields: IndexMap<String, Cow<'_, RawValue>> = serde_json::from_str(text).ok()?;
    let before = fields.len();
    fields.retain(|name, _| !OWN_FIELDS.contains(&name.as_str()) || may_travel(name));
    let mut has_changed = fields.len() < before;
    for name in ["tool_calls", "tool_call_id"] {
        if let Some(value) = fields.get_mut(name)
            && let Some(own) = with_own_ids(value, dialect.ids, may_travel("extra_content"))
        {
            *value = Cow::Owned(own);
            has_changed = true;
        }
    }
    if !has_changed {
        return None;
    }
    notes::once(notes, HISTORY_CHANGED);
    serde_json::to_string(&fields).ok()
}

fn is_marked(message: &str) -> bool {
    ["\"origin\"", "\"reasoning_origin\""].iter().any(|mark| message.contains(mark))
}

fn holds_unfit_id(message: &RawValue, ids: ToolIds) -> bool {
    let [calls, call_id] = pick_from(message, ["tool_calls", "tool_call_id"]);
    let calls = calls.map(|calls| items(calls, MOST_CALLS)).unwrap_or_default();
    let of_calls = calls.into_iter().filter_map(|call| pick_from(call, ["id"])[0].and_then(words));
    of_calls.chain(call_id.and_then(words)).any(|id| !tool_id::fits(&id, ids))
}

/// A list of calls, or one id, as the provider takes it; `None` where it takes it as it is.
fn with_own_ids(value: &RawValue, ids: ToolIds, keeps_extra: bool) -> Option<Box<RawValue>> {
    // What cannot be looked at might hold anything, and no provider could read it either.
    let Ok(before) = serde_json::from_str::<serde_json::Value>(value.get()) else {
        return RawValue::from_string("null".to_owned()).ok();
    };
    let mut own = before.clone();
    match &mut own {
        serde_json::Value::String(id) => *id = tool_id::fitted(id, ids).into_owned(),
        serde_json::Value::Array(calls) => {
            for call in calls.iter_mut().filter_map(serde_json::Value::as_object_mut) {
                if let Some(serde_json::Value::String(id)) = call.get_mut("id") {
                    *id = tool_id::fitted(id, ids).into_owned();
                }
                if !keeps_extra {
                    call.shift_remove("extra_content");
                }
            }
        }
        _ => return None,
    }
    if own == before { None } else { serde_json::value::to_raw_value(&own).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of one message as a provider receives it, and what is noted.
    fn written(message: &str, provider: &str) -> (String, usize) {
        let dialect = Dialect::of(provider, &"http://localhost".parse().unwrap());
        let message = RawValue::from_string(message.to_owned()).unwrap();
        let (mut json, mut notes) = (BytesMut::new(), Vec::new());
        write(&mut json, &[message], dialect, &mut notes);
        (String::from_utf8(json.to_vec()).unwrap(), notes.len())
    }

    #[test]
    fn leaves_a_message_that_any_provider_takes_as_it_came() {
        for message in [
            r#"{ "role": "user",  "content": "what is \"reasoning\"?" }"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{}}]}"#,
            r#"{"role": "tool", "tool_call_id": "call_1", "content": "42"}"#,
        ] {
            assert_eq!(written(message, "openai"), (format!("[{message}]"), 0));
        }
    }

    #[test]
    fn gives_thoughts_only_to_those_who_take_them() {
        let message = r#"{"role":"assistant","reasoning_content":"hm","content":"yes"}"#;
        let without = r#"[{"role":"assistant","content":"yes"}]"#.to_owned();

        assert_eq!(written(message, "cerebras"), (without.clone(), 1));
        assert_eq!(written(message, "openai"), (without, 1));
        assert_eq!(written(message, "deepseek"), (format!("[{message}]"), 0));
        assert_eq!(written(message, "my-own-server"), (format!("[{message}]"), 0));
    }

    #[test]
    fn gives_nobody_the_thoughts_and_signatures_of_another_protocol() {
        let message = r#"{"role":"assistant","content":null,"reasoning_content":"hm","reasoning_origin":"gemini",
            "reasoning_details":[{"data":"s","origin":"gemini"}],"tool_calls":[{"id":"call_1",
            "extra_content":{"google":{"thought_signature":"s"},"backstop":{"origin":"gemini"}}}]}"#;

        for provider in ["my-own-server", "openrouter", "gemini", "deepseek"] {
            let (written, _) = written(message, provider);

            assert_eq!(written, r#"[{"role":"assistant","content":null,"tool_calls":[{"id":"call_1"}]}]"#);
        }
    }

    #[test]
    fn rewrites_ids_that_a_provider_refuses_in_call_and_result_alike() {
        let call = r#"{"role":"assistant","tool_calls":[{"id":"toolu_0123456789","function":{}}]}"#;
        let result = r#"{"role":"tool","tool_call_id":"toolu_0123456789","content":"42"}"#;

        let own = tool_id::fitted("toolu_0123456789", ToolIds::Nine);

        assert!(written(call, "mistral").0.contains(&format!(r#""id":"{own}""#)));
        assert!(written(result, "mistral").0.contains(&format!(r#""tool_call_id":"{own}""#)));
    }
}
