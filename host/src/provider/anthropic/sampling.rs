//! How an answer is drawn: temperature and its like, as far as the model takes them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::model::Model;
use super::thinking::Plan;
use crate::provider::wishes::Wishes;

/// The fields that say how an answer is drawn.
#[derive(Debug, Default, Serialize)]
pub(super) struct Sampling<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Cow<'a, RawValue>>,
}

impl<'a> Sampling<'a> {
    /// Reads them from the wishes; what the model does not take is left out with a note.
    pub(super) fn of(
        wishes: &'a Wishes<'_>,
        top_k: Option<&'a RawValue>,
        model: Model,
        plan: &Plan<'_>,
        notes: &mut Vec<String>,
    ) -> Self {
        let obstacle = match plan.thinks() {
            _ if !model.takes_sampling() => Some("the model takes none"),
            true => Some("it does not go with thinking"),
            false => None,
        };
        let temperature =
            wishes.temperature.as_deref().filter(|value| obstacle.is_none() || number(value) != Some(1.0));
        let top_p = wishes.top_p.as_deref();
        if let Some(why) = obstacle {
            let given = [("temperature", temperature), ("top_p", top_p), ("top_k", top_k)];
            let left_out = given.into_iter().filter(|(_, value)| value.is_some());
            notes.extend(left_out.map(|(name, _)| format!("{name} is left out: {why}")));
            return Self::default();
        }
        let one_too_many = temperature.is_some() && top_p.is_some() && model.takes_one_sampler();
        if one_too_many {
            notes.push("top_p is left out: the model does not take it beside temperature".to_owned());
        }
        Self {
            temperature: temperature.map(|value| cooled(value, notes)),
            top_p: top_p.filter(|_| !one_too_many).map(Cow::Borrowed),
            top_k: top_k.map(Cow::Borrowed),
        }
    }
}

/// OpenAI's temperature goes up to 2, Anthropic's to 1.
fn cooled<'a>(value: &'a RawValue, notes: &mut Vec<String>) -> Cow<'a, RawValue> {
    if number(value).is_none_or(|temperature| temperature <= 1.0) {
        return Cow::Borrowed(value);
    }
    notes.push("temperature is lowered to 1: Anthropic takes no more".to_owned());
    to_raw_value(&1).map_or(Cow::Borrowed(value), Cow::Owned)
}

fn number(value: &RawValue) -> Option<f64> {
    serde_json::from_str(value.get()).ok()
}
