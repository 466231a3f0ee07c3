//! `models` and `price` of a provider.

use toml::de::DeValue;

use crate::config::problem::{Fault, Read};
use crate::config::section::{Entry, Section};
use crate::config::settings::ModelConfig;
use crate::config::{units, value};
use crate::types::{NanoUsd, Price};

use super::limits;

/// Models a provider may have.
pub(super) const MOST_MODELS: usize = 1_000;

/// Reads `models`: a list of ids, or of tables that say more.
pub(super) fn read_list(section: &mut Section<'_, '_>, models: &mut Option<Vec<ModelConfig>>) {
    let Some(list) = section.entry("models") else { return };
    let Some(items) = section.items(list) else {
        section.fault(list, value::wrong_type(list.value, "a list of models", "[\"gpt-4o\"]"));
        return;
    };
    if items.is_empty() || items.len() > MOST_MODELS {
        section.fault(list, Fault::example(format!("from 1 to {MOST_MODELS} models"), "[\"gpt-4o\"]"));
        return;
    }
    let read = items.into_iter().filter_map(|item| read_model(section, item)).collect();
    *models = Some(read);
}

/// Reads a price, of which both halves must be there; what cached input costs may be.
pub(in crate::config) fn read_price(section: &mut Section<'_, '_>, key: &'static str, price: &mut Option<Price>) {
    let Some(entry) = section.entry(key) else { return };
    let Some(mut section) = section.open(entry) else { return };
    let (mut input, mut output): (Option<NanoUsd>, Option<NanoUsd>) = (None, None);
    section.set_some("input_per_mtok", &mut input, value::money);
    section.set_some("output_per_mtok", &mut output, value::money);
    let (mut cache_read, mut cache_write): (Option<NanoUsd>, Option<NanoUsd>) = (None, None);
    section.set_some("cache_read_per_mtok", &mut cache_read, value::money);
    section.set_some("cache_write_per_mtok", &mut cache_write, value::money);
    for key in ["input_per_mtok", "output_per_mtok"] {
        if !section.has(key) {
            let path = section.path_of(key);
            section.report().fault_of(&path, Fault::example("missing: a price has both halves", "\"2.50\""));
        }
    }
    if let (Some(input_per_mtok), Some(output_per_mtok)) = (input, output) {
        let mut read = Price::new(input_per_mtok, output_per_mtok);
        (read.rates.cache_read_per_mtok, read.rates.cache_write_per_mtok) = (cache_read, cache_write);
        *price = Some(read);
    }
    section.finish();
}

/// Holds a model's id to what fits into a request and a log line.
pub(in crate::config) fn check_id(id: &str) -> Read<()> {
    let is_fit = !id.is_empty() && id.len() <= 200 && !id.chars().any(|letter| letter.is_control() || letter == ' ');
    if is_fit { Ok(()) } else { Err(Fault::words("not a model's id", "write the id the provider has for it")) }
}

fn read_model<'d>(section: &mut Section<'_, 'd>, entry: Entry<'d>) -> Option<ModelConfig> {
    if let DeValue::Table(_) = entry.value {
        return section.open(entry).and_then(read_details);
    }
    section.read(entry, id).map(|id| ModelConfig::new(&id))
}

fn read_details(mut section: Section<'_, '_>) -> Option<ModelConfig> {
    let id = section.get("id", id);
    if id.is_none() && !section.has("id") {
        let path = section.path_of("id");
        section.report().fault_of(&path, Fault::example("missing", "\"gpt-4o\""));
    }
    let mut model = ModelConfig::new(id.as_deref().unwrap_or_default());
    read_price(&mut section, "price", &mut model.price);
    read_abilities(&mut section, &mut model);
    section.set_some("media_tokens", &mut model.media_tokens, value::whole(units::TOKENS));
    section.set_some("temperature", &mut model.defaults.temperature, value::number(units::TEMPERATURE));
    section.set_some("max_tokens", &mut model.defaults.max_tokens, value::whole(units::TOKENS));
    section.set_some("prefill", &mut model.prefill, value::switch);
    limits::read_of_model(&mut section, &mut model.limits);
    section.finish();
    id.map(|_| model)
}

/// Reads what a model takes.
pub(in crate::config) fn read_abilities(section: &mut Section<'_, '_>, model: &mut ModelConfig) {
    section.set_some("context_window", &mut model.context_window, value::whole(units::TOKENS));
    section.set("tools", &mut model.tools, value::switch);
    section.set("json", &mut model.json, value::switch);
    section.set("vision", &mut model.vision, value::switch);
}

pub(super) fn id(value: &DeValue<'_>) -> Read<String> {
    let id = value::text(value)?;
    check_id(&id).map(|()| id)
}
