//! What a request asks for besides its messages: tools, format, bounds, read for protocols that write it otherwise.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::call::{Call, Field};
use super::encode_error::EncodeError;
use super::json::{is_something, items, pick_from, words};
use crate::types::Unsaid;

/// Tools of one request that are taken. More are refused: one left out would be lost in silence.
const MOST_TOOLS: usize = 10_000;

/// Modalities that are looked at.
const MOST_MODALITIES: usize = 100;

/// The fields of a request, with defaults filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes<'a> {
    /// The tools the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether it must.
    pub tool_choice: ToolChoice<'a>,
    /// Whether it may call several at once, where the caller says.
    pub parallel_tool_calls: Option<bool>,
    /// What form the answer is held to.
    pub format: Format<'a>,
    /// Output tokens at most, reasoning included.
    pub max_tokens: Option<u64>,
    /// `temperature`, as the caller wrote the number.
    pub temperature: Option<Cow<'a, RawValue>>,
    /// `top_p`, as the caller wrote the number.
    pub top_p: Option<Cow<'a, RawValue>>,
    /// `seed`, as the caller wrote the number.
    pub seed: Option<Cow<'a, RawValue>>,
    /// `presence_penalty`, as the caller wrote the number.
    pub presence_penalty: Option<Cow<'a, RawValue>>,
    /// `frequency_penalty`, as the caller wrote the number.
    pub frequency_penalty: Option<Cow<'a, RawValue>>,
    /// Where the answer is to stop.
    pub stop: Vec<String>,
    /// How hard to think, where the caller says.
    pub effort: Option<Effort>,
    /// How many answers.
    pub choices: u64,
    /// Log-probabilities are wanted.
    pub logprobs: bool,
    /// Sound, or anything but text, is wanted as the answer.
    pub other_modalities: bool,
    /// `user` or `safety_identifier`: who asks, in the caller's own code.
    pub user: Option<String>,
    /// Fields that OpenAI's protocol does not have, or only it has: left out with a note unless the target knows them.
    pub foreign: Vec<Field<'a>>,
    /// What a caller of Anthropic's protocol says beside all that.
    pub unsaid: Option<&'a Unsaid>,
}

/// A tool the model may call.
#[derive(Debug, Clone)]
pub(super) struct Tool<'a> {
    pub name: String,
    pub description: Option<String>,
    /// A JSON schema; `None` for a tool without arguments.
    pub parameters: Option<Cow<'a, RawValue>>,
}

/// Whether tools are to be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum ToolChoice<'a> {
    /// As the model likes.
    #[default]
    Auto,
    /// None of them.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(Cow<'a, str>),
}

/// What form an answer is held to.
#[derive(Debug, Clone, Default)]
pub(super) enum Format<'a> {
    /// None.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON that a schema describes.
    Schema { name: String, schema: Cow<'a, RawValue>, strict: bool },
}

/// How hard a model is to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Highest,
}

/// What only tunes or accounts for a request where it was made for, and means nothing elsewhere: passed over in silence.
const SILENT: [&str; 9] = [
    "store",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "modalities",
    "functions",
    "function_call",
    "safety_identifier",
];

impl<'a> Wishes<'a> {
    /// Reads the fields of a call.
    ///
    /// # Errors
    /// The first field whose value is not what OpenAI's chat protocol has there.
    pub(super) fn read(call: &Call<'a>) -> Result<Self, EncodeError> {
        let mut wishes = Self { choices: 1, unsaid: call.request.unsaid.as_deref(), ..Self::default() };
        for field in call.fields() {
            wishes.take(field)?;
        }
        Ok(wishes)
    }

    /// A field that OpenAI's protocol does not have.
    pub(super) fn own(&self, name: &str) -> Option<&RawValue> {
        let foreign = self.foreign.iter().find(|(theirs, _)| theirs == name).map(|(_, value)| &**value);
        foreign.or_else(|| self.unsaid?.fields.get(name).map(|value| &**value))
    }

    /// Whether the answer is held to JSON.
    pub(super) fn wants_json(&self) -> bool {
        !matches!(self.format, Format::Text)
    }

    /// What is asked for that no protocol but OpenAI's has a way to say.
    pub(super) fn of_openai_alone(&self) -> Option<String> {
        match self {
            Self { choices: 1, logprobs: false, other_modalities: false, .. } => None,
            Self { logprobs: true, .. } => Some("log-probabilities".to_owned()),
            Self { other_modalities: true, .. } => Some("an answer other than text".to_owned()),
            Self { choices, .. } => Some(format!("{choices} answers at once")),
        }
    }

    fn take(&mut self, (name, value): Field<'a>) -> Result<(), EncodeError> {
        if value.get() == "null" {
            return Ok(());
        }
        match &*name {
            "tools" => self.tools = tools(&value)?,
            "tool_choice" => self.tool_choice = tool_choice(&value)?,
            "functions" => self.tools = functions(&value)?,
            "parallel_tool_calls" => self.parallel_tool_calls = Some(read(&name, &value, "true or false")?),
            "response_format" => self.format = format(&value)?,
            "max_tokens" | "max_completion_tokens" => {
                self.max_tokens = Some(read(&name, &value, "a whole number from 0")?)
            }
            "n" => self.choices = read(&name, &value, "a whole number from 1")?,
            "logprobs" => self.logprobs |= value.get() == "true",
            "top_logprobs" => self.logprobs |= value.get() != "0",
            "stop" => self.stop = stop(&value)?,
            "reasoning_effort" => self.effort = Some(effort(&value)?),
            "reasoning" => self.effort = reasoning(&value)?.or(self.effort),
            "modalities" => {
                self.other_modalities = items(&value, MOST_MODALITIES).iter().any(|kind| kind.get() != "\"text\"")
            }
            "temperature" => self.temperature = Some(number(&name, value)?),
            "top_p" => self.top_p = Some(number(&name, value)?),
            "seed" => self.seed = Some(number(&name, value)?),
            "presence_penalty" => self.presence_penalty = Some(number(&name, value)?),
            "frequency_penalty" => self.frequency_penalty = Some(number(&name, value)?),
            "user" => self.user = Some(read(&name, &value, "a string")?),
            silent if SILENT.contains(&silent) => {}
            _ => self.foreign.push((name, value)),
        }
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(
    name: &str,
    value: &RawValue,
    expected: &'static str,
) -> Result<T, EncodeError> {
    serde_json::from_str(value.get()).map_err(|_| EncodeError::Invalid { place: name.to_owned(), expected })
}

fn number<'a>(name: &str, value: Cow<'a, RawValue>) -> Result<Cow<'a, RawValue>, EncodeError> {
    let _: f64 = read(name, &value, "a number")?;
    Ok(value)
}

fn invalid(place: &str, expected: &'static str) -> EncodeError {
    EncodeError::Invalid { place: place.to_owned(), expected }
}

/// A part of a field, owned where the field is.
fn part<'a>(
    of: &Cow<'a, RawValue>,
    find: impl for<'v> Fn(&'v RawValue) -> Option<&'v RawValue>,
) -> Option<Cow<'a, RawValue>> {
    match of {
        Cow::Borrowed(value) => find(value).map(Cow::Borrowed),
        Cow::Owned(value) => find(value).map(|part| Cow::Owned(part.to_owned())),
    }
}

fn field<'v>(object: &'v RawValue, name: &str) -> Option<&'v RawValue> {
    let [value] = pick_from(object, [name]);
    value
}

fn tools<'a>(value: &Cow<'a, RawValue>) -> Result<Vec<Tool<'a>>, EncodeError> {
    match value {
        Cow::Borrowed(list) => read_tools(list, Cow::Borrowed),
        Cow::Owned(list) => read_tools(list, |part| Cow::Owned(part.to_owned())),
    }
}

fn read_tools<'v, 'a>(list: &'v RawValue, keep: Keep<'v, 'a>) -> Result<Vec<Tool<'a>>, EncodeError> {
    let one = |(place, item)| {
        let [kind, function] = pick_from(item, ["type", "function"]);
        function.and_then(|function| tool(function, keep)).ok_or_else(|| unsupported_tool(kind, place))
    };
    all_tools(list, "tools")?.into_iter().enumerate().map(one).collect()
}

/// The older form of tools.
fn functions<'a>(value: &Cow<'a, RawValue>) -> Result<Vec<Tool<'a>>, EncodeError> {
    match value {
        Cow::Borrowed(list) => read_functions(list, Cow::Borrowed),
        Cow::Owned(list) => read_functions(list, |part| Cow::Owned(part.to_owned())),
    }
}

fn read_functions<'v, 'a>(list: &'v RawValue, keep: Keep<'v, 'a>) -> Result<Vec<Tool<'a>>, EncodeError> {
    let expected = || invalid("functions", "a list of functions, each with a name");
    all_tools(list, "functions")?.into_iter().map(|function| tool(function, keep).ok_or_else(expected)).collect()
}

fn all_tools<'v>(list: &'v RawValue, place: &str) -> Result<Vec<&'v RawValue>, EncodeError> {
    let tools = items(list, MOST_TOOLS + 1);
    if tools.len() <= MOST_TOOLS { Ok(tools) } else { Err(invalid(place, "a list of at most 10000 tools")) }
}

/// How a part of a field outlives the reading of it: as it is where the field does, else as a copy.
type Keep<'v, 'a> = fn(&'v RawValue) -> Cow<'a, RawValue>;

fn tool<'v, 'a>(function: &'v RawValue, keep: Keep<'v, 'a>) -> Option<Tool<'a>> {
    let [name, description, parameters] = pick_from(function, ["name", "description", "parameters"]);
    Some(Tool {
        name: name.and_then(words)?.into_owned(),
        description: description.and_then(words).map(Cow::into_owned),
        parameters: parameters.filter(|schema| is_something(schema)).map(keep),
    })
}

/// A tool that is no function is a provider's own, such as its web search.
fn unsupported_tool(kind: Option<&RawValue>, place: usize) -> EncodeError {
    match kind.and_then(words) {
        Some(kind) if kind != "function" => EncodeError::Unsupported(format!("tools of type {kind}")),
        _ => EncodeError::Invalid {
            place: format!("tools[{place}]"),
            expected: "an object of type function, whose function has a name",
        },
    }
}

fn tool_choice<'a>(value: &Cow<'a, RawValue>) -> Result<ToolChoice<'a>, EncodeError> {
    match words(value).as_deref() {
        Some("auto") => return Ok(ToolChoice::Auto),
        Some("none") => return Ok(ToolChoice::None),
        Some("required" | "any") => return Ok(ToolChoice::Required),
        _ => {}
    }
    let name = field(value, "function").and_then(|function| field(function, "name")).and_then(words);
    match name {
        Some(name) => Ok(ToolChoice::Named(Cow::Owned(name.into_owned()))),
        None => Err(invalid("tool_choice", "auto, none, required, or an object that names a function")),
    }
}

fn format<'a>(value: &Cow<'a, RawValue>) -> Result<Format<'a>, EncodeError> {
    let expected = || invalid("response_format", "an object of type text, json_object or json_schema");
    let kind = field(value, "type").and_then(words).ok_or_else(expected)?;
    match &*kind {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let described = part(value, |format| field(format, "json_schema")).ok_or_else(expected)?;
            let schema = part(&described, |described| field(described, "schema"));
            Ok(Format::Schema {
                name: field(&described, "name").and_then(words).map_or_else(|| "answer".to_owned(), Cow::into_owned),
                strict: field(&described, "strict").is_some_and(|strict| strict.get() == "true"),
                schema: schema.ok_or_else(|| invalid("response_format.json_schema.schema", "a JSON schema"))?,
            })
        }
        _ => Err(expected()),
    }
}

fn stop(value: &RawValue) -> Result<Vec<String>, EncodeError> {
    if let Some(one) = words(value) {
        return Ok(vec![one.into_owned()]);
    }
    read("stop", value, "a string or a list of strings")
}

fn effort(value: &RawValue) -> Result<Effort, EncodeError> {
    match words(value).as_deref() {
        Some("none") => Ok(Effort::None),
        Some("minimal") => Ok(Effort::Minimal),
        Some("low") => Ok(Effort::Low),
        Some("medium") => Ok(Effort::Medium),
        Some("high") => Ok(Effort::High),
        Some("xhigh" | "max") => Ok(Effort::Highest),
        _ => Err(invalid("reasoning_effort", "one of none, minimal, low, medium, high, xhigh")),
    }
}

/// OpenRouter's form: `{"effort": "low"}` or `{"enabled": false}`.
fn reasoning(value: &RawValue) -> Result<Option<Effort>, EncodeError> {
    let [given, enabled] = pick_from(value, ["effort", "enabled"]);
    match (given, enabled.map(RawValue::get)) {
        (Some(given), _) => effort(given).map(Some),
        (None, Some("false")) => Ok(Some(Effort::None)),
        (None, _) => Ok(None),
    }
}
