//! A message request in OpenAI's shape.
//!
//! What every provider understands becomes OpenAI's field of the same meaning. What only Anthropic's protocol has a word for
//! (`thinking`, `top_k`, marks of caches, a result that is an error, …) is carried beside it, for targets that speak that
//! protocol. What Anthropic runs itself (its own tools, MCP servers) is refused, since no other target could. What needs a header
//! that is not sent on (`context_management`, `container`) is left out. Any other field goes on as it came, as in a chat.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::types::{ChatRequest, Unsaid};

use super::conversation::Conversation;
use super::fault::Fault;
use super::manner::{Manner, Thoughts};
use super::tools;

/// A message request, read.
pub(in crate::gateway) struct Asked {
    /// What is asked of the providers.
    pub(in crate::gateway) request: ChatRequest,
    /// How the answer is to be written.
    pub(super) manner: Manner,
}

/// Whether a request must say how long its answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Bound {
    /// One that is to be answered.
    Required,
    /// One that is only counted.
    NotNeeded,
}

/// Fields that are Anthropic's alone, and pass to targets of its protocol as they came.
const OWN: [&str; 5] = ["top_k", "metadata", "service_tier", "cache_control", "inference_geo"];

/// Fields that Anthropic takes only beside a header, which is not sent on.
const LEFT_OUT: [&str; 5] = ["context_management", "container", "betas", "diagnostics", "speed"];

/// Fields by which OpenAI's protocol says what Anthropic's says otherwise, or asks for what a message has no place for.
const NO_PLACE: [&str; 10] = [
    "n",
    "max_completion_tokens",
    "stop",
    "functions",
    "function_call",
    "logprobs",
    "top_logprobs",
    "modalities",
    "audio",
    "stream_options",
];

/// The longest name of a user that OpenAI takes.
const LONGEST_USER: usize = 64;

/// The body's fields, of which each is taken out when it is read.
type Fields<'a> = IndexMap<String, &'a RawValue>;

/// What a request says of thinking.
#[derive(Deserialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: String,
    budget_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Metadata {
    user_id: Option<String>,
}

/// Reads a body.
///
/// # Errors
/// The first place that is not what Anthropic's protocol has there, or that only Anthropic could serve.
pub(in crate::gateway) fn read(body: &[u8], bound: Bound) -> Result<Asked, Fault> {
    let mut fields: Fields<'_> =
        serde_json::from_slice(body).map_err(|error| Fault::at("body", format!("must be a JSON object: {error}")))?;
    fields.retain(|name, value| value.get() != "null" && !LEFT_OUT.contains(&name.as_str()));
    if let Some(field) = NO_PLACE.into_iter().find(|field| fields.contains_key(*field)) {
        return Err(Fault::at(field, "is no field of a message request"));
    }
    if fields.shift_remove("mcp_servers").is_some_and(|servers| servers.get() != "[]") {
        return Err(Fault::at("mcp_servers", "are reached by Anthropic itself and cannot be routed"));
    }
    let mut conversation = Conversation::default();
    if let Some(system) = fields.shift_remove("system") {
        conversation.instruct(system)?;
    }
    let messages = fields.shift_remove("messages").ok_or_else(|| Fault::at("messages", "is required"))?;
    conversation.say_all(messages)?;
    let Conversation { messages, mut unsaid } = conversation;
    let mut request = ChatRequest::of_messages(messages);
    request.model = take(&mut fields, "model", "a string")?;
    request.stream = take(&mut fields, "stream", "true or false")?.unwrap_or(false);
    request = limited(request, &mut fields, bound)?;
    if let Some(list) = fields.shift_remove("tools") {
        request = tools::describe(request, list, &mut unsaid)?;
    }
    if let Some(choice) = fields.shift_remove("tool_choice").filter(|_| request.fields().contains_key("tools")) {
        request = tools::choose(request, choice)?;
    }
    let stops: Vec<String> = take(&mut fields, "stop_sequences", "a list of strings")?.unwrap_or_default();
    if !stops.is_empty() {
        request = request.with_field("stop", &stops);
    }
    let mut manner = Manner { thoughts: Thoughts::Hidden, stops };
    request = held(request, &mut fields, &mut unsaid)?;
    request = thinking(request, &mut fields, &mut unsaid, &mut manner)?;
    request = user(request, &fields)?;
    for name in OWN {
        if let Some(value) = fields.shift_remove(name) {
            unsaid.fields.insert(name.to_owned(), value.to_owned());
        }
    }
    request = fields.into_iter().fold(request, |request, (name, value)| request.with_field(&name, &value));
    request.unsaid = Some(Box::new(unsaid));
    Ok(Asked { request, manner })
}

fn take<T: serde::de::DeserializeOwned>(
    fields: &mut Fields<'_>,
    name: &str,
    expected: &str,
) -> Result<Option<T>, Fault> {
    let Some(value) = fields.shift_remove(name) else { return Ok(None) };
    serde_json::from_str(value.get()).map(Some).map_err(|_| Fault::at(name, format!("must be {expected}")))
}

fn limited(request: ChatRequest, fields: &mut Fields<'_>, bound: Bound) -> Result<ChatRequest, Fault> {
    let most: Option<u32> = take(fields, "max_tokens", "a whole number of at least 1")?;
    match (most, bound) {
        (Some(0), _) => Err(Fault::at("max_tokens", "must be a whole number of at least 1")),
        (Some(most), _) => Ok(request.with_field("max_tokens", &most)),
        (None, Bound::NotNeeded) => Ok(request),
        (None, Bound::Required) => Err(Fault::at("max_tokens", "is required")),
    }
}

/// Holds the answer to a schema, by the field of today or that of the beta before it.
fn held(request: ChatRequest, fields: &mut Fields<'_>, unsaid: &mut Unsaid) -> Result<ChatRequest, Fault> {
    let config: Option<IndexMap<String, Box<RawValue>>> = take(fields, "output_config", "an object")?;
    let mut config = config.unwrap_or_default();
    let older = fields.shift_remove("output_format").map(ToOwned::to_owned);
    let format = config.shift_remove("format").or(older).filter(|format| format.get() != "null");
    if let Some(config) = to_raw_value(&config).ok().filter(|_| !config.is_empty()) {
        unsaid.fields.insert("output_config".to_owned(), config);
    }
    let Some(format) = format else { return Ok(request) };
    let fault = || Fault::at("output_config.format", "must be of type json_schema, with its schema");
    let format: IndexMap<String, &RawValue> = serde_json::from_str(format.get()).map_err(|_| fault())?;
    if format.get("type").is_none_or(|kind| kind.get() != "\"json_schema\"") {
        return Err(fault());
    }
    let schema = format.get("schema").ok_or_else(fault)?;
    let described = json!({"name": "answer", "schema": schema, "strict": true});
    Ok(request.with_field("response_format", &json!({"type": "json_schema", "json_schema": described})))
}

/// Thinking in Anthropic's words, and as an effort for everybody else.
fn thinking(
    request: ChatRequest,
    fields: &mut Fields<'_>,
    unsaid: &mut Unsaid,
    manner: &mut Manner,
) -> Result<ChatRequest, Fault> {
    let Some(own) = fields.shift_remove("thinking") else { return Ok(request) };
    let fault = |error: String| Fault::at("thinking", error);
    let said: Thinking = serde_json::from_str(own.get()).map_err(|error| fault(error.to_string()))?;
    let effort = match (said.kind.as_str(), said.budget_tokens) {
        ("disabled", _) => "none",
        ("adaptive", _) => effort_of(unsaid),
        ("enabled", Some(0..2_048)) => "minimal",
        ("enabled", Some(2_048..8_192)) => "low",
        ("enabled", Some(8_192..16_384)) => "medium",
        ("enabled", Some(_)) => "high",
        ("enabled", None) => return Err(fault("budget_tokens is required with enabled".to_owned())),
        (kind, _) => return Err(fault(format!("type must be enabled, adaptive or disabled, not {kind}"))),
    };
    if effort != "none" {
        manner.thoughts = Thoughts::Shown;
    }
    unsaid.fields.insert("thinking".to_owned(), own.to_owned());
    Ok(request.with_field("reasoning_effort", &effort))
}

/// The effort of a model that thinks as it sees fit: as said, or what others do by themselves.
fn effort_of(unsaid: &Unsaid) -> &'static str {
    #[derive(Deserialize)]
    struct Config {
        effort: Option<String>,
    }
    let config =
        unsaid.fields.get("output_config").and_then(|config| serde_json::from_str::<Config>(config.get()).ok());
    match config.and_then(|config| config.effort).as_deref() {
        Some("low") => "low",
        Some("high") => "high",
        Some("xhigh" | "max") => "xhigh",
        Some(_) | None => "medium",
    }
}

/// Who asks, where the name is none that OpenAI would refuse.
fn user(request: ChatRequest, fields: &Fields<'_>) -> Result<ChatRequest, Fault> {
    let Some(metadata) = fields.get("metadata") else { return Ok(request) };
    let metadata: Metadata = serde_json::from_str(metadata.get())
        .map_err(|error| Fault::at("metadata", format!("must be an object whose user_id is a string: {error}")))?;
    let user = metadata.user_id.filter(|user| user.len() <= LONGEST_USER);
    Ok(match user {
        Some(user) => request.with_field("user", &user),
        None => request,
    })
}
