//! `embedding_models` of a provider.

use toml::de::DeValue;

use crate::config::problem::Fault;
use crate::config::section::{Entry, Section};
use crate::config::settings::EmbeddingModel;
use crate::config::value;
use crate::types::{NanoUsd, Price};

use super::model::{MOST_MODELS, id};

/// Reads `embedding_models`: a list of ids, or of tables that say more.
pub(super) fn read_list(section: &mut Section<'_, '_>, models: &mut Option<Vec<EmbeddingModel>>) {
    let Some(list) = section.entry("embedding_models") else { return };
    let example = "[\"text-embedding-3-small\"]";
    let Some(items) = section.items(list) else {
        section.fault(list, value::wrong_type(list.value, "a list of models", example));
        return;
    };
    if items.len() > MOST_MODELS {
        section.fault(list, Fault::example(format!("up to {MOST_MODELS} models"), example));
        return;
    }
    *models = Some(items.into_iter().filter_map(|item| read_model(section, item)).collect());
}

fn read_model<'d>(section: &mut Section<'_, 'd>, entry: Entry<'d>) -> Option<EmbeddingModel> {
    if let DeValue::Table(_) = entry.value {
        return section.open(entry).and_then(read_details);
    }
    section.read(entry, id).map(|id| EmbeddingModel::new(&id))
}

fn read_details(mut section: Section<'_, '_>) -> Option<EmbeddingModel> {
    let id = section.get("id", id);
    if id.is_none() && !section.has("id") {
        let path = section.path_of("id");
        section.report().fault_of(&path, Fault::example("missing", "\"text-embedding-3-small\""));
    }
    let mut model = EmbeddingModel::new(id.as_deref().unwrap_or_default());
    section.set_some("same_as", &mut model.same_as, super::model::id);
    read_price(&mut section, &mut model.price);
    section.finish();
    id.map(|_| model)
}

/// Reads a price of input alone: vectors have no output tokens.
fn read_price(section: &mut Section<'_, '_>, price: &mut Option<Price>) {
    let Some(mut section) = section.section("price") else { return };
    let input: Option<NanoUsd> = section.get("input_per_mtok", value::money);
    if !section.has("input_per_mtok") {
        let path = section.path_of("input_per_mtok");
        section.report().fault_of(&path, Fault::example("missing", "\"0.02\""));
    }
    *price = input.map(|input| Price::new(input, NanoUsd::ZERO));
    section.finish();
}
