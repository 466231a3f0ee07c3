//! The scenarios that are built in, to be run by name and to begin one's own from.

use crate::config::scenario::{Scenario, ScenarioError, parse_scenario};

/// A scenario that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibraryScenario {
    /// Its name.
    pub name: &'static str,
    /// The file, as it is shown.
    pub text: &'static str,
}

/// All of them.
pub const SCENARIOS: [LibraryScenario; 6] = [
    LibraryScenario { name: "primary-outage", text: include_str!("library/primary-outage.toml") },
    LibraryScenario { name: "daily-quota", text: include_str!("library/daily-quota.toml") },
    LibraryScenario { name: "brown-out", text: include_str!("library/brown-out.toml") },
    LibraryScenario { name: "price-change", text: include_str!("library/price-change.toml") },
    LibraryScenario { name: "retry-storm", text: include_str!("library/retry-storm.toml") },
    LibraryScenario { name: "slow-first-token", text: include_str!("library/slow-first-token.toml") },
];

impl LibraryScenario {
    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        SCENARIOS.into_iter().find(|scenario| scenario.name == name)
    }

    /// Reads it.
    ///
    /// # Errors
    /// As any scenario's.
    pub fn read(self) -> Result<Scenario, ScenarioError> {
        parse_scenario(self.name, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_scenarios_that_can_be_read_and_say_what_they_show() {
        for scenario in SCENARIOS {
            let read = scenario.read().unwrap_or_else(|error| panic!("{}: {error}", scenario.name));

            assert!(read.description.len() > 20 && read.providers.len() > 1, "{}", scenario.name);
        }
        assert_eq!(LibraryScenario::named("no such"), None);
    }
}
