//! How the answer is to be made: the `options` of a request, and whether to think.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::provider::wishes::{Effort, Wishes};

/// The option that bounds an answer.
const OUTPUT_LIMIT: &str = "num_predict";

/// Options by name.
pub(super) type Options<'a> = IndexMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// Whether to think, or how hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Think {
    /// Models in general.
    Whether(bool),
    /// The gpt-oss family, which cannot stop thinking.
    Level(&'static str),
}

/// The options of a request. What the caller wrote as Ollama's own `options` wins over what OpenAI's fields say.
pub(super) fn options<'a>(wishes: &'a Wishes<'_>) -> Options<'a> {
    let own = wishes.foreign.iter().find(|(name, _)| name == "options");
    let own = own.and_then(|(_, own)| serde_json::from_str::<IndexMap<String, &RawValue>>(own.get()).ok());
    let mut options: Options<'a> = own.unwrap_or_default().into_iter().map(borrowed).collect();
    let numbers = [
        ("temperature", wishes.temperature.as_deref()),
        ("top_p", wishes.top_p.as_deref()),
        ("top_k", wishes.own("top_k")),
        ("seed", wishes.seed.as_deref()),
        ("presence_penalty", wishes.presence_penalty.as_deref()),
        ("frequency_penalty", wishes.frequency_penalty.as_deref()),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            options.entry(Cow::Borrowed(name)).or_insert(Cow::Borrowed(number));
        }
    }
    // A number below zero stands for no bound.
    if wishes.max_tokens.is_some() && limit(&options).is_none() {
        options.shift_remove(OUTPUT_LIMIT);
    }
    let bound = wishes.max_tokens.and_then(|tokens| to_raw_value(&tokens).ok());
    let stop = (!wishes.stop.is_empty()).then(|| to_raw_value(&wishes.stop).ok()).flatten();
    for (name, value) in [(OUTPUT_LIMIT, bound), ("stop", stop)] {
        if let Some(value) = value {
            options.entry(Cow::Borrowed(name)).or_insert(Cow::Owned(value));
        }
    }
    options
}

/// The output tokens an answer may have at most.
pub(in crate::provider) fn output_limit(wishes: &Wishes<'_>) -> Option<u64> {
    limit(&options(wishes))
}

/// What an effort comes to for a model.
pub(super) fn think(effort: Effort, model: &str, notes: &mut Vec<String>) -> Think {
    let id = model.rsplit('/').next().unwrap_or(model);
    if !id.starts_with("gpt-oss") {
        return Think::Whether(effort != Effort::None);
    }
    if effort == Effort::None {
        notes.push("the least thinking is asked for in place of none: the model always thinks".to_owned());
    }
    Think::Level(match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Highest => "high",
    })
}

fn limit(options: &Options<'_>) -> Option<u64> {
    serde_json::from_str(options.get(OUTPUT_LIMIT)?.get()).ok()
}

fn borrowed<'a>((name, value): (String, &'a RawValue)) -> (Cow<'a, str>, Cow<'a, RawValue>) {
    (Cow::Owned(name), Cow::Borrowed(value))
}
