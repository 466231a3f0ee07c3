//! What a client may name in `model`: the routes, and the targets of the default one.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::client::Backstop;
use crate::config::Config;
use crate::guard::ProviderState;

use super::keys::Caller;

/// The list in OpenAI's shape, for a client who may use some routes. Models that cannot be asked before an operator does something about it are left out.
pub(super) fn list(backstop: &Backstop, caller: &Caller) -> Value {
    let mut routes = backstop.routes();
    routes.retain(|route| caller.may_use(&route.route));
    let usable = usable(backstop);
    let default = routes.iter().find(|route| *route.route == *Config::DEFAULT_ROUTE);
    let targets = default.into_iter().flat_map(|route| route.primary.iter().chain(&route.fallbacks));
    let targets = targets.map(|target| (target.to_string(), target.provider.to_string()));
    let targets = targets.filter(|(id, _)| usable.contains(id)).map(|(id, provider)| model(&id, &provider));
    let models: Vec<Value> = routes.iter().map(|route| model(&route.route, "backstop")).chain(targets).collect();
    json!({"object": "list", "data": models})
}

fn usable(backstop: &Backstop) -> HashSet<String> {
    let mut usable = HashSet::new();
    for provider in backstop.status() {
        for model in &provider.models {
            match model.state {
                ProviderState::Available
                | ProviderState::RateLimited { .. }
                | ProviderState::TemporarilyDisabled { .. }
                | ProviderState::Probing
                | ProviderState::OutOfQuota { .. } => {
                    usable.insert(format!("{}/{}", provider.provider, model.model));
                }
                ProviderState::NotInitialised { .. } | ProviderState::SwitchedOff | ProviderState::Rejected { .. } => {}
            }
        }
    }
    usable
}

fn model(id: &str, owner: &str) -> Value {
    json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
}
