//! The `generationConfig` of a request: bounds, form and thinking.

use serde::Serialize;
use serde_json::value::RawValue;

use super::model::{Model, Thinking};
use crate::provider::wishes::{Effort, Format, Wishes};

/// Stop sequences of one request that are taken.
const MOST_STOPS: usize = 5;

/// How the answer is to be made.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Generation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

/// How hard to think, and whether to do it aloud.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    /// In tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    include_thoughts: bool,
}

impl<'a> Generation<'a> {
    /// What the fields of a request come to; `None` where they say nothing of it.
    pub(super) fn of(wishes: &'a Wishes<'_>, model: Model, notes: &mut Vec<String>) -> Option<Self> {
        let (response_mime_type, response_json_schema) = match &wishes.format {
            Format::Text => (None, None),
            Format::Json => (Some("application/json"), None),
            Format::Schema { schema, .. } => (Some("application/json"), Some(&**schema)),
        };
        let generation = Self {
            temperature: wishes.temperature.as_deref(),
            top_p: wishes.top_p.as_deref(),
            top_k: wishes.own("top_k"),
            max_output_tokens: wishes.max_tokens,
            stop_sequences: stops(&wishes.stop, notes),
            seed: wishes.seed.as_deref().filter(|seed| fits(seed, notes)),
            presence_penalty: wishes.presence_penalty.as_deref().filter(|penalty| is_penalty(penalty)),
            frequency_penalty: wishes.frequency_penalty.as_deref().filter(|penalty| is_penalty(penalty)),
            response_mime_type,
            response_json_schema,
            thinking_config: wishes.effort.and_then(|effort| thinking(effort, model, notes)),
        };
        (!generation.is_empty()).then_some(generation)
    }

    fn is_empty(&self) -> bool {
        let numbers = [
            self.temperature,
            self.top_p,
            self.top_k,
            self.seed,
            self.presence_penalty,
            self.frequency_penalty,
            self.response_json_schema,
        ];
        numbers.iter().all(Option::is_none)
            && self.max_output_tokens.is_none()
            && self.stop_sequences.is_empty()
            && self.response_mime_type.is_none()
            && self.thinking_config.is_none()
    }
}

fn stops<'a>(stops: &'a [String], notes: &mut Vec<String>) -> &'a [String] {
    if stops.len() > MOST_STOPS {
        notes.push(format!("all stop sequences but the first {MOST_STOPS} are left out: Gemini takes no more"));
    }
    stops.get(..MOST_STOPS).unwrap_or(stops)
}

/// A seed outside 32 bits is refused with the whole request.
fn fits(seed: &RawValue, notes: &mut Vec<String>) -> bool {
    let fits = seed.get().parse::<i32>().is_ok();
    if !fits {
        notes.push("seed is left out: Gemini takes whole numbers of 32 bits".to_owned());
    }
    fits
}

/// Models without penalties refuse the field even where it asks for none, which many clients write out.
fn is_penalty(penalty: &RawValue) -> bool {
    penalty.get().parse::<f64>().is_ok_and(|penalty| penalty != 0.0)
}

fn thinking(effort: Effort, model: Model, notes: &mut Vec<String>) -> Option<ThinkingConfig> {
    let include_thoughts = effort != Effort::None;
    match model.thinking {
        Thinking::Level { has_medium } => {
            if effort == Effort::None {
                notes.push("the least thinking is asked for in place of none: the model always thinks".to_owned());
            }
            let thinking_level = Some(level(effort, has_medium));
            Some(ThinkingConfig { thinking_level, thinking_budget: None, include_thoughts })
        }
        Thinking::Budget { least } => {
            if effort == Effort::None && least > 0 {
                notes.push("the least thinking is asked for in place of none: the model always thinks".to_owned());
            }
            let thinking_budget = Some(budget(effort).max(least));
            Some(ThinkingConfig { thinking_level: None, thinking_budget, include_thoughts })
        }
        Thinking::Unknown => {
            notes.push("reasoning_effort is left out: the model cannot be told how hard to think".to_owned());
            None
        }
    }
}

fn level(effort: Effort, has_medium: bool) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium if has_medium => "medium",
        Effort::Medium | Effort::High | Effort::Highest => "high",
    }
}

/// In tokens: what Google's own OpenAI endpoint makes of the same words.
fn budget(effort: Effort) -> u32 {
    match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1_024,
        Effort::Medium => 8_192,
        Effort::High | Effort::Highest => 24_576,
    }
}
