//! What a client may name in `model`: the routes, the targets of the default one, and the embedding models with theirs.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::client::{Backstop, RouteStatus};
use crate::config::Config;
use crate::guard::ProviderState;

use super::keys::Caller;

/// The list in OpenAI's shape, for a client who may use some routes. Models that cannot be asked before an operator does something about it are left out.
pub(super) fn list(backstop: &Backstop, caller: &Caller) -> Value {
    let mut routes = backstop.routes();
    routes.retain(|route| caller.may_use(&route.route));
    let usable = usable(backstop);
    let default = routes.iter().find(|route| *route.route == *Config::DEFAULT_ROUTE);
    let targets = default.into_iter().flat_map(|route| targets(route, &usable));
    let chat = routes.iter().map(|route| model(&route.route, "backstop")).chain(targets);
    let embedding = backstop.embedding_routes();
    let embedding = embedding.iter().flat_map(|route| embedding_model(route, &usable));
    let models: Vec<Value> = chat.chain(embedding).collect();
    json!({"object": "list", "data": models})
}

fn targets(route: &RouteStatus, usable: &HashSet<String>) -> Vec<Value> {
    let targets = route.primary.iter().chain(&route.fallbacks);
    let targets = targets.map(|target| (target.to_string(), target.provider.to_string()));
    targets.filter(|(id, _)| usable.contains(id)).map(|(id, provider)| model(&id, &provider)).collect()
}

/// An embedding model and its targets; nothing where none of them can be asked.
fn embedding_model(route: &RouteStatus, usable: &HashSet<String>) -> Vec<Value> {
    let name = route.route.strip_prefix(Config::EMBEDDINGS).unwrap_or(&route.route);
    let targets = targets(route, usable);
    let itself = (!targets.is_empty()).then(|| model(name, "backstop"));
    itself.into_iter().chain(targets).collect()
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
