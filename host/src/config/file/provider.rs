//! `[providers.NAME]`.

use toml::de::DeValue;

use crate::config::base_url;
use crate::config::draft::Draft;
use crate::config::environment::Environment;
use crate::config::header;
use crate::config::key::{self, KeySource};
use crate::config::problem::{Fault, Read};
use crate::config::section::Section;
use crate::config::settings::{Protocol, Timeouts};
use crate::config::{units, value};

use super::{budget, embedding_model, limits, model, words};

/// Reads one provider.
pub(super) fn read(mut section: Section<'_, '_>, draft: &mut Draft, environment: &Environment) {
    section.set_some("kind", &mut draft.kind, |value| value::text(value).and_then(|name| Protocol::parse(&name)));
    section.set_some("base_url", &mut draft.base_url, |value| value::text(value).and_then(|url| base_url::parse(&url)));
    keys(&mut section, draft, environment);
    section.set("allow_insecure", &mut draft.allow_insecure, value::switch);
    model::read_list(&mut section, &mut draft.models);
    embedding_model::read_list(&mut section, &mut draft.embedding_models);
    section.set("enabled", &mut draft.enabled, value::switch);
    section.set("priority", &mut draft.priority, value::whole(units::PRIORITY));
    section.set_some("local", &mut draft.local, value::switch);
    model::read_price(&mut section, "price", &mut draft.price);
    timeouts(&mut section, &mut draft.timeouts);
    limits::read(&mut section, &mut draft.limits);
    budget::read_limits(&mut section, "budget", &mut draft.budget);
    section.set_some("temperature", &mut draft.defaults.temperature, value::number(units::TEMPERATURE));
    section.set_some("max_tokens", &mut draft.defaults.max_tokens, value::whole(units::TOKENS));
    words(&mut section, "headers", &mut draft.headers, header::check);
    words(&mut section, "labels", &mut draft.labels, |_, _| Ok(()));
    section.finish();
}

/// `api_key_env`, `api_keys_env` or `auth`: one of them.
fn keys(section: &mut Section<'_, '_>, draft: &mut Draft, environment: &Environment) {
    refuse_key_itself(section);
    let one = section.get("api_key_env", |value| match value::text(value).map_err(Fault::secret)?.trim() {
        "" => Ok(KeySource::Nowhere),
        name => key::variable_name(name, environment).map(|name| KeySource::FirstOf(vec![name])),
    });
    let several = section.get("api_keys_env", |value| several_variables(value, environment));
    let auth = section.get("auth", |value| match value::text(value).map_err(Fault::secret)?.as_str() {
        "none" => Ok(KeySource::Nowhere),
        _ => {
            let mend = "write \"none\", or name the key's variable with api_key_env";
            Err(Fault::words("no such way to prove who asks", mend).secret())
        }
    });
    let said = [("api_key_env", &one), ("api_keys_env", &several), ("auth", &auth)];
    let said: Vec<_> = said.iter().filter(|(_, source)| source.is_some()).map(|(key, _)| *key).collect();
    if let [first, second, ..] = said.as_slice() {
        let path = section.path_of(second);
        let fault = Fault::words(format!("there is {first} already"), "keep one of them");
        section.report().fault_of(&path, fault);
    }
    draft.keys = one.or(several).or(auth);
}

fn several_variables(value: &DeValue<'_>, environment: &Environment) -> Read<KeySource> {
    let names = value::texts(value).map_err(Fault::secret)?;
    let names = names.iter().map(|name| key::variable_name(name.trim(), environment)).collect::<Read<Vec<_>>>()?;
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    match names.len() {
        0 => Err(Fault::example("an empty list", "[\"OPENAI_API_KEY\"]")),
        count if count > distinct.len() => Err(Fault::words("a variable is there twice", "keep one of them")),
        _ => Ok(KeySource::AllOf(names)),
    }
}

/// A key in the file would end in a repository sooner or later.
fn refuse_key_itself(section: &mut Section<'_, '_>) {
    for key in ["api_key", "key", "api_keys"] {
        if let Some(entry) = section.hidden_entry(key) {
            let mend = "put the key into a variable or into .env, and name that with api_key_env";
            section.fault(entry, Fault::words("keys do not belong into the file", mend).secret());
        }
    }
}

/// Reads a provider's `timeouts`.
pub(in crate::config) fn timeouts(section: &mut Section<'_, '_>, timeouts: &mut Timeouts) {
    let Some(mut section) = section.section("timeouts") else { return };
    section.set("connect", &mut timeouts.connect, value::positive_length);
    section.set_some("first_token", &mut timeouts.first_token, value::positive_length);
    section.set("idle", &mut timeouts.idle, value::positive_length);
    section.set("total", &mut timeouts.total, value::positive_length);
    section.finish();
}
