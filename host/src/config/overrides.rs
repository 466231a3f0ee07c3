//! What the command line's flags say of the default route and its surroundings: they win over everything else.

use serde_json::Value;

use super::origin::{Origin, join};
use super::problem::Fault;
use super::report::Report;
use super::settings::{Config, RouteConfig};
use super::strategy_name;
use super::units;

/// The flags that were given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    given: Vec<(&'static str, Override)>,
}

/// One setting a flag may change.
#[derive(Debug, Clone, PartialEq)]
pub enum Override {
    /// The default route's strategy: a built-in name or a path. Its options are cleared where it was another before.
    Strategy(String),
    /// One of the default strategy's options.
    Option {
        /// The option's name.
        name: String,
        /// Its value.
        value: Value,
    },
    /// The default route's attempts for one request, from 1 to 100.
    MaxAttempts(i64),
    /// `temperature` for requests that say nothing.
    Temperature(f64),
    /// `max_tokens` for requests that say nothing.
    MaxTokens(i64),
}

impl Overrides {
    /// Adds what a flag says; a later one wins.
    #[must_use]
    pub fn with(mut self, flag: &'static str, setting: Override) -> Self {
        self.given.push((flag, setting));
        self
    }

    /// Puts the flags over a configuration. Relative paths begin at `directory`.
    pub(super) fn apply(&self, config: &mut Config, directory: &std::path::Path, report: &mut Report) {
        for (flag, setting) in &self.given {
            let origin = Origin::Flag(flag);
            let Some(route) = config.routes.get_mut(Config::DEFAULT_ROUTE) else { return };
            let applied = match setting {
                Override::Strategy(name) => strategy_name::parse(name, directory)
                    .map(|strategy| strategy_name::replace(route, Config::DEFAULT_ROUTE, strategy, &origin, report)),
                Override::Option { name, value } => {
                    set_option(route, name, value.clone(), &origin, report);
                    Ok(())
                }
                Override::MaxAttempts(attempts) => units::ranged(i128::from(*attempts), &units::ATTEMPTS)
                    .map(|attempts| route.max_attempts = Some(attempts)),
                Override::Temperature(temperature) => units::number(&temperature.to_string(), &units::TEMPERATURE)
                    .map(|temperature| config.defaults.temperature = Some(temperature)),
                Override::MaxTokens(tokens) => units::ranged(i128::from(*tokens), &units::TOKENS)
                    .map(|tokens| config.defaults.max_tokens = Some(tokens)),
            };
            note(applied, setting, origin, report);
        }
    }
}

/// Sets one option of a route's strategy.
pub(super) fn set_option(route: &mut RouteConfig, name: &str, value: Value, origin: &Origin, report: &mut Report) {
    route.options.insert(name.to_owned(), value);
    report.origins.note(join("routes.default.options", name), origin.clone());
}

fn note(applied: Result<(), Fault>, setting: &Override, origin: Origin, report: &mut Report) {
    let (path, written) = match setting {
        Override::Strategy(name) => ("routes.default.strategy", format!("{name:?}")),
        Override::Option { .. } => return,
        Override::MaxAttempts(attempts) => ("routes.default.max_attempts", attempts.to_string()),
        Override::Temperature(temperature) => ("defaults.temperature", temperature.to_string()),
        Override::MaxTokens(tokens) => ("defaults.max_tokens", tokens.to_string()),
    };
    match applied {
        Ok(()) => report.origins.note(path, origin),
        Err(fault) => report.fault(origin, path, Some(&written), fault),
    }
}
