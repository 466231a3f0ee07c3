//! A chat request in this protocol.

use std::borrow::Cow;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::conversation::{Conversation, Thoughts};
use super::extras::Extras;
use super::format::Held;
use super::image;
use super::model::Model;
use super::sampling::Sampling;
use super::sent::Message;
use super::thinking::{Force, Plan, Thinking, has_begun, is_wanted};
use super::tools::{Choice, Tool, Tools};
use crate::provider::Reading;
use crate::provider::call::{Call, Encoded};
use crate::provider::dialogue::{Part, Turn};
use crate::provider::encode_error::EncodeError;
use crate::provider::wishes::{ToolChoice, Wishes};
use crate::types::Place;

/// The body of a request.
#[derive(Debug, Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<System<'a>>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking<'a>>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    output_config: IndexMap<Cow<'a, str>, Cow<'a, RawValue>>,
    #[serde(flatten)]
    sampling: Sampling<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(flatten)]
    passed: IndexMap<&'a str, Cow<'a, RawValue>>,
}

/// What the operator wants.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum System<'a> {
    Text(String),
    /// In the caller's own blocks.
    Own(&'a RawValue),
}

/// The body of a request.
pub(in crate::provider) fn encode(call: &Call<'_>) -> Result<Encoded, EncodeError> {
    let wishes = Wishes::read(call)?;
    let model = Model::of(call.model);
    let held = check(call, &wishes, model).map_err(EncodeError::Unsupported)?;
    let mut notes = Vec::new();
    let body = body(call, &wishes, model, &held, &mut notes);
    let reading = Reading { json_by_tool: matches!(held, Held::ByTool { .. }), ..call.reading() };
    // Writing text, numbers and JSON that was read before cannot fail.
    Ok(Encoded { body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()), reading, notes })
}

/// What of a request could not be asked for.
pub(in crate::provider) fn unsupported(call: &Call<'_>, wishes: &Wishes<'_>) -> Option<String> {
    check(call, wishes, Model::of(call.model)).err()
}

/// The output tokens an answer may have at most, whether or not a tool must be called, which would leave the thoughts
/// out.
pub(in crate::provider) fn output_limit(call: &Call<'_>, wishes: &Wishes<'_>) -> u64 {
    Plan::of(call, wishes, wishes.own("thinking"), Force::None, &mut Vec::new()).max_tokens
}

/// Whether the model goes on with an answer that has begun.
pub(in crate::provider) fn can_prefill(call: &Call<'_>, wishes: &Wishes<'_>) -> bool {
    let model = Model::of(call.model);
    let is_forced = match wishes.tool_choice {
        ToolChoice::Required | ToolChoice::Named(_) => true,
        ToolChoice::Auto | ToolChoice::None => false,
    };
    model.goes_on() && !is_forced && !is_wanted(model, wishes)
}

/// How the answer is held to its form, if all of the request can be asked for; else what cannot.
fn check<'w>(call: &Call<'_>, wishes: &'w Wishes<'_>, model: Model) -> Result<Held<'w>, String> {
    if let Some(what) = wishes.of_openai_alone() {
        return Err(what);
    }
    if model.refuses_begun_answers() && has_begun(call) {
        return Err("going on with an answer that has begun".to_owned());
    }
    let own = |message| {
        move |part| {
            let mark = wishes.unsaid.and_then(|unsaid| unsaid.marks.get(&Place::Part(message, part)));
            mark.is_some_and(|mark| mark.block.is_some())
        }
    };
    for (message, turn) in call.dialogue.turns.iter().enumerate() {
        match turn {
            Turn::User(parts) => check_parts(parts, own(message))?,
            Turn::Tool(result) => check_parts(&result.content, own(message))?,
            Turn::Instruction(_) | Turn::Assistant(_) => {}
        }
    }
    Held::of(wishes, model)
}

/// `is_own` tells of a part's place whether the caller has a block of Anthropic's own for it.
fn check_parts(parts: &[Part<'_>], is_own: impl Fn(usize) -> bool) -> Result<(), String> {
    parts.iter().enumerate().try_for_each(|(place, part)| match part {
        _ if is_own(place) => Ok(()),
        Part::Text(_) => Ok(()),
        Part::Image(image) => image::source(image).map(|_| ()),
        Part::Other(kind) => Err(format!("content of type {kind}")),
    })
}

fn body<'a>(
    call: &Call<'a>,
    wishes: &'a Wishes<'a>,
    model: Model,
    held: &'a Held<'_>,
    notes: &mut Vec<String>,
) -> Body<'a> {
    let mut extras = Extras::of(call, wishes, notes);
    let tools = Tools::of(wishes, held, call.dialogue);
    let force = if tools.is_forced() { Force::Tool } else { Force::None };
    let plan = Plan::of(call, wishes, extras.thinking, force, notes);
    let sampling = Sampling::of(wishes, extras.top_k, model, &plan, notes);
    let thoughts = if model.takes_thoughts() { Thoughts::Own } else { Thoughts::None };
    let conversation = Conversation::of(call, thoughts, notes);
    if let Some(user) = wishes.user.as_ref().and_then(|user| to_raw_value(&json!({"user_id": user})).ok()) {
        extras.passed.entry("metadata").or_insert(Cow::Owned(user));
    }
    let own_system = wishes.unsaid.and_then(|unsaid| unsaid.system.as_deref()).map(System::Own);
    Body {
        model: call.model,
        max_tokens: plan.max_tokens,
        system: own_system.or(conversation.system.map(System::Text)),
        messages: conversation.messages,
        tools: tools.list,
        tool_choice: tools.choice,
        output_config: output_config(extras.output_config, plan.effort, held),
        thinking: plan.thinking,
        sampling,
        stop_sequences: stop_sequences(wishes, notes),
        stream: call.stream,
        passed: extras.passed,
    }
}

/// The caller's own configuration with ours added where it says nothing.
fn output_config<'a>(
    own: Option<&'a RawValue>,
    effort: Option<&str>,
    held: &'a Held<'_>,
) -> IndexMap<Cow<'a, str>, Cow<'a, RawValue>> {
    let own: IndexMap<String, &RawValue> = own.and_then(|own| serde_json::from_str(own.get()).ok()).unwrap_or_default();
    let mut config: IndexMap<Cow<'a, str>, Cow<'a, RawValue>> =
        own.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Borrowed(value))).collect();
    if let Some(effort) = effort.and_then(|effort| to_raw_value(effort).ok()) {
        config.entry(Cow::Borrowed("effort")).or_insert(Cow::Owned(effort));
    }
    let format = match held {
        Held::Native(schema) => to_raw_value(&SchemaFormat { kind: "json_schema", schema }).ok(),
        Held::Free | Held::ByTool { .. } => None,
    };
    if let Some(format) = format {
        config.entry(Cow::Borrowed("format")).or_insert(Cow::Owned(format));
    }
    config
}

/// A schema that the model itself keeps to.
#[derive(Serialize)]
struct SchemaFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a RawValue,
}

/// Anthropic refuses a stop sequence of nothing but blanks.
fn stop_sequences<'a>(wishes: &'a Wishes<'_>, notes: &mut Vec<String>) -> Vec<&'a str> {
    let kept: Vec<&str> = wishes.stop.iter().map(String::as_str).filter(|stop| !stop.trim().is_empty()).collect();
    if kept.len() < wishes.stop.len() {
        notes.push("a stop sequence of blanks is left out: Anthropic takes none".to_owned());
    }
    kept
}
