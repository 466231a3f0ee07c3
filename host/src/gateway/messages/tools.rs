//! The tools a request describes, and whether the model must call one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::types::{ChatRequest, Mark, Place, Unsaid};

use super::cache::cache_control;
use super::fault::Fault;

/// A tool as Anthropic has it.
#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
    #[serde(borrow)]
    input_schema: Option<&'a RawValue>,
    strict: Option<bool>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

/// A tool as OpenAI has it.
#[derive(Serialize)]
struct Function<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Described<'a>,
}

#[derive(Serialize)]
struct Described<'a> {
    name: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a RawValue>,
    parameters: &'a RawValue,
}

/// Whether a tool is to be called, as Anthropic says it.
#[derive(Deserialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    #[serde(default)]
    disable_parallel_tool_use: bool,
}

/// Puts the tools into a request.
///
/// # Errors
/// The first that is no tool of the caller's own: what Anthropic runs itself, no other provider has.
pub(super) fn describe(request: ChatRequest, tools: &RawValue, unsaid: &mut Unsaid) -> Result<ChatRequest, Fault> {
    let tools: Vec<Tool<'_>> = serde_json::from_str(tools.get())
        .map_err(|error| Fault::at("tools", format!("must be a list of tools: {error}")))?;
    let mut functions = Vec::with_capacity(tools.len());
    for (place, tool) in tools.iter().enumerate() {
        functions.push(function(tool).map_err(|fault| fault.within(&format!("tools.{place}")))?);
        let cache = tool.cache_control.and_then(cache_control);
        unsaid.mark(Place::Tool(place), Mark { cache, is_strict: tool.strict == Some(true), ..Mark::default() });
    }
    // An empty list means no tools to Anthropic, and is refused by others.
    Ok(if functions.is_empty() { request } else { request.with_field("tools", &functions) })
}

/// Puts into a request whether a tool must be called.
///
/// # Errors
/// When the choice is none that Anthropic knows.
pub(super) fn choose(request: ChatRequest, choice: &RawValue) -> Result<ChatRequest, Fault> {
    let fault = |error: String| Fault::at("tool_choice", error);
    let choice: Choice = serde_json::from_str(choice.get()).map_err(|error| fault(error.to_string()))?;
    let said: Value = match (choice.kind.as_str(), choice.name) {
        ("auto", _) => json!("auto"),
        ("any", _) => json!("required"),
        ("none", _) => json!("none"),
        ("tool", Some(name)) => json!({"type": "function", "function": {"name": name}}),
        ("tool", None) => return Err(fault("a tool to be called must be named".to_owned())),
        (kind, _) => return Err(fault(format!("type must be auto, any, tool or none, not {kind}"))),
    };
    let request = request.with_field("tool_choice", &said);
    Ok(if choice.disable_parallel_tool_use { request.with_field("parallel_tool_calls", &false) } else { request })
}

fn function<'a>(tool: &Tool<'a>) -> Result<Function<'a>, Fault> {
    if let Some(kind) = tool.kind.as_deref().filter(|kind| *kind != "custom") {
        let fault =
            format!("tools of type {kind} are run by Anthropic or bound to it; only tools of your own can be routed");
        return Err(Fault::at("type", fault));
    }
    let name =
        tool.name.filter(|name| name.get().starts_with('"')).ok_or_else(|| Fault::at("name", "must be a string"))?;
    let schema = tool.input_schema.filter(|schema| schema.get().starts_with('{'));
    let parameters = schema.ok_or_else(|| Fault::at("input_schema", "must be a JSON schema"))?;
    let description = tool.description.filter(|words| words.get().starts_with('"'));
    Ok(Function { kind: "function", function: Described { name, description, parameters } })
}
