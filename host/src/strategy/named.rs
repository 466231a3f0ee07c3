//! A strategy as the configuration or an operator names it.

use serde_json::{Map, Value};

use crate::config::{RouteConfig, StrategyRef};

/// A strategy as the configuration or an operator names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The built-in strategy or the file.
    pub source: StrategyRef,
    /// Its options.
    pub options: Map<String, Value>,
    /// SHA-256 of the only component it may be, in hexadecimal; `None` is any.
    pub pin: Option<String>,
}

impl Named {
    /// The strategy that decides on a route.
    #[must_use]
    pub fn of_route(route: &RouteConfig) -> Self {
        Self { source: route.strategy.clone(), options: route.options.clone(), pin: route.digest.clone() }
    }

    /// The strategy in a route's shadow, where there is one.
    #[must_use]
    pub fn of_shadow(route: &RouteConfig) -> Option<Self> {
        let source = route.shadow.clone()?;
        Some(Self { source, options: route.shadow_options.clone(), pin: None })
    }
}
