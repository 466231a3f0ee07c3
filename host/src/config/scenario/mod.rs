//! A scenario: providers that behave as it says, traffic, and what the operator has configured, all in one file.
//!
//! It is read by the means of the configuration itself (`document`, `section`), and what both have in common by the
//! same readers.

mod distribution;
mod failures;
mod phase;
mod provider;
mod rate;
mod read;
mod traffic;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::problem::{Problem, write_problems};
use super::settings::{Config, StrategyRef};

pub use distribution::Distribution;
pub use failures::{Failures, SIMULATED_FAILURES};
pub use phase::Phase;
pub use provider::{ProviderBounds, SimulatedProvider};
pub use rate::Rate;
pub use read::{parse_contender, parse_scenario, read_scenario};
pub use traffic::{AskAgain, Burst, Traffic};

/// Everything a simulation is told.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub description: String,
    /// How long requests come in; those under way then are waited for.
    pub duration: Duration,
    /// Where all randomness comes from.
    pub seed: u64,
    /// The time of day it begins at: daily quotas and budgets end at midnight.
    pub start: Timestamp,
    /// How the providers behave, in declared order.
    pub providers: IndexMap<String, SimulatedProvider>,
    /// Who asks.
    pub traffic: Vec<Traffic>,
    /// The strategies it names, each with its options.
    pub contenders: Vec<Contender>,
    /// What the operator has configured: the same providers, the default route, limits and budgets.
    pub config: Config,
}

/// A strategy with its options, under the name it is shown by.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    /// The name.
    pub name: String,
    /// Who decides.
    pub strategy: StrategyRef,
    /// The strategy's own options.
    pub options: Map<String, Value>,
}

/// A scenario that cannot be simulated. Shown as all its problems, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// Everything that is wrong; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_problems(f, "the scenario", &self.problems)
    }
}

impl std::error::Error for ScenarioError {}
