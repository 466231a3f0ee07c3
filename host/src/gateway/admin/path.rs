//! What a path of the admin API names, and what its query asks for.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use http::Uri;
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::error::AdminError;

/// What there is under `/api/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    Overview,
    Providers,
    Provider(String, OnProvider),
    ClearPreference,
    Routes,
    Strategies,
    Strategy(String, OnStrategy),
    Costs,
    CostEntries,
    ResetCosts,
    Requests,
    Request(String),
    Timeline,
    Events,
    Config,
    Reload,
    OpenApi,
}

/// What can be done to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnProvider {
    Force,
    CoolDown,
    Clear,
    Report,
}

/// What can be done to a route's strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnStrategy {
    Reload,
    Promote,
    RollBack,
}

impl Resource {
    /// Finds what a path names. The path's parts are percent-encoded: a route's name may hold anything.
    pub(super) fn at(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/api/")?.split('/').collect();
        let name = |part: &str| percent_decode_str(part).decode_utf8().ok().map(|name| name.into_owned());
        Some(match parts[..] {
            ["overview"] => Self::Overview,
            ["providers"] => Self::Providers,
            ["providers", of, "force"] => Self::Provider(name(of)?, OnProvider::Force),
            ["providers", of, "cool-down"] => Self::Provider(name(of)?, OnProvider::CoolDown),
            ["providers", of, "clear"] => Self::Provider(name(of)?, OnProvider::Clear),
            ["providers", of, "report"] => Self::Provider(name(of)?, OnProvider::Report),
            ["preference", "clear"] => Self::ClearPreference,
            ["routes"] => Self::Routes,
            ["strategies"] => Self::Strategies,
            ["strategies", of, "reload"] => Self::Strategy(name(of)?, OnStrategy::Reload),
            ["strategies", of, "promote"] => Self::Strategy(name(of)?, OnStrategy::Promote),
            ["strategies", of, "roll-back"] => Self::Strategy(name(of)?, OnStrategy::RollBack),
            ["costs"] => Self::Costs,
            ["costs", "entries"] => Self::CostEntries,
            ["costs", "reset"] => Self::ResetCosts,
            ["requests"] => Self::Requests,
            ["requests", id] => Self::Request(id.to_owned()),
            ["timeline"] => Self::Timeline,
            ["events"] => Self::Events,
            ["config"] => Self::Config,
            ["reload"] => Self::Reload,
            ["openapi.json"] => Self::OpenApi,
            _ => return None,
        })
    }

    /// The methods it takes, as the header `allow` has them.
    pub(super) fn allowed(&self) -> &'static str {
        match self {
            Self::Provider(..) | Self::ClearPreference | Self::Strategy(..) | Self::ResetCosts | Self::Reload => {
                "POST, OPTIONS"
            }
            Self::Overview
            | Self::Providers
            | Self::Routes
            | Self::Strategies
            | Self::Costs
            | Self::CostEntries
            | Self::Requests
            | Self::Request(_)
            | Self::Timeline
            | Self::Events
            | Self::Config
            | Self::OpenApi => "GET, HEAD, OPTIONS",
        }
    }
}

/// The part of an address behind the question mark.
pub(super) struct Query {
    fields: HashMap<String, String>,
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let fields = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { fields: fields.into_owned().collect() }
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// A whole number within bounds; `default` where nothing is said.
    pub(super) fn number(&self, field: &str, default: u32, bounds: RangeInclusive<u32>) -> Result<u32, AdminError> {
        let Some(text) = self.text(field) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| AdminError::Invalid {
            field: field.to_owned(),
            fault: format!("must be a whole number from {} to {}", bounds.start(), bounds.end()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn finds_what_a_path_names() {
        let at = |path: &str| Resource::at(path);

        assert_eq!(at("/api/overview"), Some(Resource::Overview));
        assert_eq!(at("/api/providers/a%20b/force"), Some(Resource::Provider("a b".into(), OnProvider::Force)));
        assert_eq!(at("/api/strategies/x%2Fy/promote"), Some(Resource::Strategy("x/y".into(), OnStrategy::Promote)));
        for path in ["/api", "/api/", "/api/nothing", "/api/providers/a/b/c", "/api/providers/%ff/force", "/apis/x"] {
            assert_eq!(at(path), None, "{path}");
        }
    }

    #[test]
    fn is_described_as_it_is() {
        let described: Value = serde_json::from_str(crate::gateway::admin::OPENAPI).unwrap();
        let paths = described["paths"].as_object().unwrap();

        let found: Vec<_> = paths
            .iter()
            .map(|(path, methods)| {
                let resource = Resource::at(path).unwrap_or_else(|| panic!("{path} leads nowhere"));
                let described: Vec<_> = methods.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
                assert!(resource.allowed().starts_with(&described.join(", ")), "{path}: {described:?}");
                resource
            })
            .collect();

        // Four kinds of call on a provider, three on a strategy; every other resource has one path.
        assert_eq!(found.len(), 15 + 4 + 3);
    }

    #[test]
    fn reads_numbers_within_bounds() {
        let query = Query::of(&"/api/requests?limit=7&before=bs-1&days=0&x=%20".parse().unwrap());

        assert_eq!(query.number("limit", 50, 1..=500).unwrap(), 7);
        assert_eq!(query.number("other", 50, 1..=500).unwrap(), 50);
        assert_eq!(
            query.number("days", 50, 1..=9).unwrap_err().to_string(),
            "days: must be a whole number from 1 to 9"
        );
        assert_eq!(query.text("x"), Some(" "));
    }
}
