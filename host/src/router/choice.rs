//! What the caller chose: a route, and perhaps some of its targets before all others.

use std::sync::Arc;

use crate::config::Config;
use crate::types::{ChatRequest, EmbeddingRequest, TargetName};

use super::route::Route;
use super::seat::Seat;
use super::{RouteError, Router, Wanted};

/// The route a request takes, and which of its seats the request names.
pub(super) struct Choice {
    pub(super) route: Arc<Route>,
    pub(super) named: Named,
}

/// Which seats the request named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// None: the strategy has the whole roster.
    Nobody,
    /// Those, one flag for each seat: the others come in when these have had their turns.
    First(Vec<bool>),
    /// Those and no others.
    Only(Vec<bool>),
}

impl Router {
    /// Reads `model` and `provider` of a chat.
    pub(super) fn choose(&self, request: &ChatRequest) -> Result<Choice, RouteError> {
        let choice = self.choose_by_model(request.model.as_deref())?;
        self.leave_only(request.provider.as_deref(), choice, Wanted::Chat)
    }

    /// Reads `model` and `provider` of a request for embeddings: the model by the name that all its targets share, one of its
    /// targets, or its id at one of them.
    pub(super) fn choose_embedding(&self, request: &EmbeddingRequest) -> Result<Choice, RouteError> {
        let model = &*request.model;
        let routes = || self.embeddings.values();
        let first = |wanted: &dyn Fn(&Seat) -> bool| {
            let named = |route: &Arc<Route>| Some((Arc::clone(route), Named::First(flags(&route.roster, wanted)?)));
            routes().find_map(named)
        };
        let shared = self.embeddings.get(model).map(|route| (Arc::clone(route), Named::Nobody));
        let found = shared.or_else(|| first(&|seat| seat.name.to_string() == model));
        let found = found.or_else(|| first(&|seat| *seat.name.model == *model));
        let Some((route, named)) = found else { return Err(self.unknown_embedding_model(model)) };
        self.leave_only(request.provider.as_deref(), Choice { route, named }, Wanted::Embeddings)
    }

    fn leave_only(&self, provider: Option<&str>, choice: Choice, wanted: Wanted) -> Result<Choice, RouteError> {
        let Some(provider) = provider else { return Ok(choice) };
        let only = flags(&choice.route.roster, |seat| *seat.name.provider == *provider);
        let Some(only) = only else { return Err(self.unknown_provider(provider, wanted)) };
        Ok(Choice { named: Named::Only(only), ..choice })
    }

    fn choose_by_model(&self, model: Option<&str>) -> Result<Choice, RouteError> {
        let default = self.route(Config::DEFAULT_ROUTE);
        let route = model.map_or(default.clone(), |model| self.route(model));
        if let Some(route) = route {
            return Ok(Choice { route, named: Named::Nobody });
        }
        let model = model.unwrap_or_default();
        let Some(route) = default else { return Err(self.unknown_model(model)) };
        let by_name = flags(&route.roster, |seat| seat.name.to_string() == model);
        let by_model = || flags(&route.roster, |seat| *seat.name.model == *model);
        match by_name.or_else(by_model) {
            Some(first) => Ok(Choice { route, named: Named::First(first) }),
            None => Err(self.unknown_model(model)),
        }
    }

    fn unknown_model(&self, model: &str) -> RouteError {
        // A target that the default route does not have is reached by a route that has it, and not by its own name.
        let default = self.route(Config::DEFAULT_ROUTE);
        let targets = default.iter().flat_map(|route| &route.roster).flat_map(|seat| both_names(&seat.name));
        unknown(model, Wanted::Chat, self.routes.keys().cloned().chain(targets))
    }

    fn unknown_embedding_model(&self, model: &str) -> RouteError {
        let targets = self.target_names(Wanted::Embeddings).flat_map(|name| both_names(name));
        unknown(model, Wanted::Embeddings, self.embeddings.keys().cloned().chain(targets))
    }

    fn unknown_provider(&self, provider: &str, wanted: Wanted) -> RouteError {
        let providers = self.target_names(wanted).map(|name| name.provider.to_string());
        RouteError::UnknownProvider { provider: shortened(provider), nearest: nearest(provider, providers) }
    }
}

/// How a target may be named.
fn both_names(name: &TargetName) -> [String; 2] {
    [name.to_string(), name.model.to_string()]
}

fn unknown(model: &str, wanted: Wanted, names: impl Iterator<Item = String>) -> RouteError {
    RouteError::UnknownModel { model: shortened(model), wanted, nearest: nearest(model, names) }
}

/// The candidate that is most like a name, where one is alike at all.
pub(super) fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    // What it takes grows with the product of the lengths, and the name is the client's.
    let name = &shortened(name);
    let alike = candidates.map(|candidate| (strsim::jaro_winkler(name, &candidate), candidate));
    let best = alike.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(likeness, _)| *likeness > 0.8).map(|(_, candidate)| candidate)
}

fn flags(roster: &[Seat], wanted: impl Fn(&Seat) -> bool) -> Option<Vec<bool>> {
    let flags: Vec<bool> = roster.iter().map(wanted).collect();
    flags.contains(&true).then_some(flags)
}

fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
