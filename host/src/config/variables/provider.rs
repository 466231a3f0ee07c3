//! The variables of one provider: `<P>_MODEL`, `<P>_TIMEOUT` and the like, and Ollama's own.

use indexmap::IndexMap;

use crate::config::base_url;
use crate::config::draft::Draft;
use crate::config::environment::Environment;
use crate::config::file::check_model_id;
use crate::config::key;
use crate::config::known::{KNOWN_PROVIDERS, KnownProvider, variable_prefix};
use crate::config::origin::join;
use crate::config::problem::{Fault, Read};
use crate::config::settings::ModelConfig;
use crate::config::units;
use crate::types::Price;

use super::Variables;

/// The name of the provider that has variables of its own.
const OLLAMA: &str = "ollama";

/// What makes Ollama take part where no file speaks of it: it has no key to go by.
const OLLAMA_VARIABLES: [&str; 6] =
    ["OLLAMA_HOST", "OLLAMA_URL", "OLLAMA_BASE_URL", "OLLAMA_MODEL", "OLLAMA_MODEL_NAME", "OLLAMA_API_KEY"];

/// The providers that the environment alone brings: those with a key or a placeholder for one, and those it names as primary.
pub(in crate::config) fn from_environment(environment: &Environment, primary: Option<&str>) -> IndexMap<String, Draft> {
    let takes_part = |known: &&KnownProvider| {
        let variables: &[&str] = if known.name == OLLAMA { &OLLAMA_VARIABLES } else { known.key_variables };
        key::is_mentioned(variables, environment) || primary.is_some_and(|name| name.eq_ignore_ascii_case(known.name))
    };
    let named = KNOWN_PROVIDERS.iter().filter(takes_part);
    named.map(|known| (known.name.to_owned(), Draft::new(known.name))).collect()
}

/// Puts a provider's variables over what the file says of it.
pub(in crate::config) fn apply(name: &str, draft: &mut Draft, variables: &mut Variables<'_>) {
    let prefix = variable_prefix(name);
    let path = join("providers", name);
    let variable = |suffix: &str| format!("{prefix}_{suffix}");
    let setting = |key: &str| format!("{path}.{key}");

    address(name, &variable("BASE_URL"), &setting("base_url"), draft, variables);
    models(&[variable("MODEL"), variable("MODEL_NAME")], &setting("models"), draft, variables);
    variables.set(&variable("ENABLED"), &setting("enabled"), &mut draft.enabled, units::switch);
    let priority = |text: &str| units::whole(text, &units::PRIORITY);
    variables.set(&variable("PRIORITY"), &setting("priority"), &mut draft.priority, priority);
    let total = |text: &str| units::seconds(text).and_then(units::positive);
    variables.set(&variable("TIMEOUT"), &setting("timeouts.total"), &mut draft.timeouts.total, total);
    let rate = |text: &str| units::whole(text, &units::RATE);
    variables.set_some(&variable("RATE_LIMIT_RPM"), &setting("limits.rpm"), &mut draft.limits.rpm, rate);
    variables.set_some(&variable("RATE_LIMIT_TPM"), &setting("limits.tpm"), &mut draft.limits.tpm, rate);
    let price = |text: &str| units::money(text).map(Price::flat_per_1k);
    variables.set_some(&variable("COST_PER_1K_TOKENS"), &setting("price"), &mut draft.price, price);
    let retries = |text: &str| units::whole(text, &(0..=99));
    variables.set_some(&variable("MAX_RETRIES"), &setting("max_retries"), &mut draft.max_retries, retries);
    variables.set_some(&variable("RETRY_DELAY"), &setting("retry_delay"), &mut draft.retry_delay, units::seconds);
}

/// `<P>_BASE_URL`; for Ollama also its own `OLLAMA_URL` and `OLLAMA_HOST`, of which the first that is set counts.
fn address(name: &str, variable: &str, setting: &str, draft: &mut Draft, variables: &mut Variables<'_>) {
    if name == OLLAMA {
        let set = [variable, "OLLAMA_URL", "OLLAMA_HOST"].into_iter().find(|name| variables.environment.is_set(name));
        variables.set_some(set.unwrap_or(variable), setting, &mut draft.base_url, base_url::parse_ollama_host);
    } else {
        variables.set_some(variable, setting, &mut draft.base_url, base_url::parse);
    }
}

/// `<P>_MODEL`, else `<P>_MODEL_NAME`: one id or several with commas between. What the file says of a model stays.
fn models(names: &[String], setting: &str, draft: &mut Draft, variables: &mut Variables<'_>) {
    let Some(name) = names.iter().find(|name| variables.environment.is_set(name)) else { return };
    let known = draft.models.take().unwrap_or_default();
    let details = |id: &String| known.iter().find(|model| model.id == *id).cloned();
    let read = |text: &str| {
        let ids = model_ids(text)?;
        Ok(ids.into_iter().map(|id| details(&id).unwrap_or_else(|| ModelConfig::new(&id))).collect())
    };
    variables.set_some(name, setting, &mut draft.models, read);
}

fn model_ids(text: &str) -> Read<Vec<String>> {
    let ids: Vec<&str> = text.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        return Err(Fault::example("names no model", "\"gpt-4o\""));
    }
    ids.into_iter().map(|id| check_model_id(id).map(|()| id.to_owned())).collect()
}
