//! One request as one target is to receive it, and the layers of defaults below it.

use std::borrow::Cow;

use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::value::{RawValue, to_raw_value};

use super::dialect::Dialect;
use super::dialogue::Dialogue;
use super::reading::Reading;
use crate::config::GenerationDefaults;
use crate::types::ChatRequest;

/// One request as one target is to receive it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What the caller wants.
    pub request: &'a ChatRequest,
    /// Its messages, read: looked at where the target does not speak the caller's protocol.
    pub dialogue: &'a Dialogue<'a>,
    /// The provider's name in the configuration: what it made in earlier turns, and only that, may travel back to it.
    pub provider: &'a str,
    /// How the provider's tongue differs from its protocol's.
    pub dialect: &'a Dialect,
    /// The target's own id of the model.
    pub model: &'a str,
    /// Layers of fields for what the request leaves open; an earlier layer wins over a later one.
    pub defaults: &'a [Defaults<'a>],
    /// Whether the reply is to come as a stream.
    pub stream: bool,
    /// The beginning of the answer, which the target is to go on with.
    pub prefill: Option<&'a str>,
}

/// One layer of defaults.
#[derive(Debug, Clone, Copy)]
pub enum Defaults<'a> {
    /// Body fields, such as those of a purpose.
    Fields(&'a IndexMap<String, serde_json::Value>),
    /// Generation settings of a model, a provider or the whole configuration. Left out for models that take none.
    Generation(&'a GenerationDefaults),
    /// Output tokens at most for each answer, where nothing above bounds them.
    OutputLimit(u32),
}

/// A request in a target's wire protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The body.
    pub body: Bytes,
    /// How the reply to it is to be read.
    pub reading: Reading,
    /// What the target cannot be asked for and was left out, a sentence each: for the record.
    pub notes: Vec<String>,
}

/// A field of the body, as the caller or a layer of defaults has it.
pub(super) type Field<'a> = (Cow<'a, str>, Cow<'a, RawValue>);

/// The fields that have ways of their own into the body.
const SET_ELSEWHERE: [&str; 4] = ["model", "messages", "stream", "stream_options"];

/// The two names of one limit: a body with both is refused.
const OUTPUT_LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

impl<'a> Call<'a> {
    /// The caller's fields but `model`, `messages`, `stream` and `stream_options`, then those of the defaults that the caller
    /// says nothing of. Each name is there once.
    pub(super) fn fields(&self) -> Vec<Field<'a>> {
        let own = self.request.fields().iter().filter(|(name, _)| !SET_ELSEWHERE.contains(&name.as_str()));
        let mut fields: Vec<Field<'a>> =
            own.map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(&**value))).collect();
        for layer in self.defaults {
            match layer {
                Defaults::Fields(layer) => layer.iter().for_each(|(name, value)| add(&mut fields, name, value)),
                Defaults::Generation(settings) => self.add_generation(&mut fields, settings),
                Defaults::OutputLimit(tokens) => self.add_output_limit(&mut fields, *tokens),
            }
        }
        fields
    }

    /// The output tokens that the fields allow each answer; `None` where they do not bound them.
    pub(super) fn output_limit(&self) -> Option<u32> {
        let said = OUTPUT_LIMITS.iter().filter_map(|name| output_limit(self.request.fields().get(*name)?)).max();
        // No layer has a say where the caller has had his.
        said.or_else(|| {
            let fields = self.fields();
            let limits = fields.iter().filter(|(name, _)| OUTPUT_LIMITS.contains(&&**name));
            limits.filter_map(|(_, value)| output_limit(value)).max()
        })
    }

    /// How the reply is to be read, as far as the caller decides it.
    pub(super) fn reading(&self) -> Reading {
        Reading {
            origin: self.provider.to_owned(),
            model: self.model.to_owned(),
            json_by_tool: false,
            stream_usage: self.wants_stream_usage(),
            vectors: 0,
        }
    }

    /// Whether the caller asked for usage in the stream: a caller who did not is spared the chunk that has nothing else.
    fn wants_stream_usage(&self) -> bool {
        let options = self.request.fields().get("stream_options");
        options.is_some_and(|options| {
            let [usage] = super::json::pick_from(options, ["include_usage"]);
            usage.is_some_and(|usage| usage.get() == "true")
        })
    }

    fn add_generation(&self, fields: &mut Vec<Field<'a>>, settings: &GenerationDefaults) {
        let fixed = has_fixed_sampling(self.model);
        if let Some(temperature) = settings.temperature.filter(|_| !fixed) {
            add(fields, "temperature", &temperature);
        }
        if let Some(tokens) = settings.max_tokens {
            self.add_output_limit(fields, tokens);
        }
    }

    fn add_output_limit(&self, fields: &mut Vec<Field<'a>>, tokens: u32) {
        let name = if has_fixed_sampling(self.model) { "max_completion_tokens" } else { "max_tokens" };
        add(fields, name, &tokens);
    }
}

fn add<'a>(fields: &mut Vec<Field<'a>>, name: &str, value: &impl serde::Serialize) {
    let is_limit = |name: &str| OUTPUT_LIMITS.contains(&name);
    // `null`, or what is no number, takes the place of none.
    if is_limit(name) {
        fields.retain(|(taken, value)| !is_limit(taken) || output_limit(value).is_some());
    }
    let said = |name: &str| fields.iter().any(|(taken, _)| taken == name);
    let taken = if is_limit(name) { OUTPUT_LIMITS.iter().any(|name| said(name)) } else { said(name) };
    if taken || SET_ELSEWHERE.contains(&name) {
        return;
    }
    // Only a value that is no JSON fails, such as NaN: it is left out.
    if let Ok(value) = to_raw_value(value) {
        fields.push((Cow::Owned(name.to_owned()), Cow::Owned(value)));
    }
}

fn output_limit(value: &RawValue) -> Option<u32> {
    serde_json::from_str(value.get()).ok()
}

/// OpenAI's reasoning models refuse `max_tokens` and any `temperature` but their own. A caller who sets them is told so by
/// the provider; a default of ours must not break the request.
pub(super) fn has_fixed_sampling(model: &str) -> bool {
    let id = model.rsplit('/').next().unwrap_or(model);
    ["o1", "o3", "o4", "gpt-5"].iter().any(|family| {
        id.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', ':', '@']))
    })
}
