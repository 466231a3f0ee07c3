//! One strategy's run: a real backstop, simulated providers, and everybody who asks.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::Backstop;
use crate::clock::{Clock, Moment};
use crate::config::Config;
use crate::config::scenario::{Contender, Scenario};
use crate::random::Random;
use crate::strategy::Learning;

use super::SimulateError;
use super::arrivals::Arrivals;
use super::clock::VirtualClock;
use super::outcome::Outcome;
use super::provider::Provider;
use super::question::Questions;
use super::tally::Tally;
use super::tasks::Tasks;
use super::transport::SimulatedTransport;

/// Runs a scenario under one strategy, to the end of its last request.
///
/// # Errors
/// When the strategy cannot be loaded.
pub(super) fn run(scenario: &Scenario, contender: &Contender, seed: u64) -> Result<Outcome, SimulateError> {
    let seeds = Random::seeded(seed);
    let clock = VirtualClock::starting_at(scenario.start);
    let tally = Arc::new(Tally::new(scenario));
    let host_seed = seeds.next();
    // It loads strategies and does nothing else: requests run beside it.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let failed = |source| SimulateError::Build { name: contender.name.clone(), source: Box::new(source) };
    let building = Backstop::builder()
        .config(config_at(scenario, contender, Duration::ZERO))
        .clock(Arc::new(clock.clone()))
        .transport(Arc::new(transport(scenario, &clock, &seeds)))
        .seed(host_seed)
        .record_sink(Arc::clone(&tally) as _)
        .kept_records(0)
        .learning(Arc::new(Learning::in_memory().told_at_once()))
        .build();
    let backstop = runtime.block_on(building).map_err(failed)?;
    let questions: Vec<Questions> = scenario.traffic.iter().map(|traffic| Questions::of(traffic, &seeds)).collect();
    let mut arrivals = Arrivals::new(&scenario.traffic, &seeds, scenario.duration);
    let mut changes = changes(scenario).into_iter().peekable();
    let mut tasks = Tasks::none();
    let callers_clock: Arc<dyn Clock> = Arc::new(clock.clone());
    loop {
        tasks.run(|is_answered| tally.caller_left(is_answered));
        let (arrival, alarm) = (arrivals.peek().map(Moment::from_start), clock.next_alarm());
        let Some(next) = next(arrival, alarm.filter(|_| !tasks.is_empty())) else { break };
        if let Some(change) = changes.next_if(|change| Moment::from_start(*change) <= next) {
            clock.leap_to(Moment::from_start(change));
            runtime.block_on(backstop.reload(config_at(scenario, contender, change))).map_err(failed)?;
            continue;
        }
        clock.leap_to(next);
        while arrivals.peek().is_some_and(|at| Moment::from_start(at) <= next) {
            let asked = arrivals.next().and_then(|arrival| questions.get(arrival.traffic)).and_then(Questions::next);
            let Some(question) = asked else { continue };
            tasks.add(Box::pin(question.ask(backstop.clone(), Arc::clone(&callers_clock))));
        }
    }
    drop(tasks);
    Ok(tally.outcome(&contender.name))
}

/// The earlier of two moments, of which either may never come.
fn next(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    one.into_iter().chain(other).min()
}

fn transport(scenario: &Scenario, clock: &VirtualClock, seeds: &Random) -> SimulatedTransport {
    let midnight = seconds_since_midnight(scenario.start);
    let providers = scenario.providers.iter().map(|(name, simulated)| {
        (name.clone(), Provider::new(simulated.clone(), Random::seeded(seeds.next()), midnight))
    });
    SimulatedTransport::new(clock.clone(), providers)
}

fn seconds_since_midnight(start: Timestamp) -> u64 {
    u64::try_from(start.as_second().rem_euclid(86_400)).unwrap_or(0)
}

/// The moments at which the operator changes the configuration: when a price changes.
fn changes(scenario: &Scenario) -> Vec<Duration> {
    let phases = scenario.providers.values().flat_map(|simulated| &simulated.phases);
    let of_prices = phases.filter(|phase| phase.price.is_some()).flat_map(|phase| [phase.from, phase.to]);
    let mut changes: Vec<Duration> =
        of_prices.filter(|change| !change.is_zero() && *change < scenario.duration).collect();
    changes.sort_unstable();
    changes.dedup();
    changes
}

/// The configuration as it is at a moment: with that strategy, and the prices of that time.
fn config_at(scenario: &Scenario, contender: &Contender, at: Duration) -> Config {
    let mut config = scenario.config.clone();
    if let Some(route) = config.routes.get_mut(Config::DEFAULT_ROUTE) {
        route.strategy = contender.strategy.clone();
        route.options.clone_from(&contender.options);
    }
    for (name, simulated) in &scenario.providers {
        let price = simulated.phases.iter().rfind(|phase| phase.covers(at) && phase.price.is_some());
        if let (Some(phase), Some(provider)) = (price, config.providers.get_mut(name)) {
            provider.price = phase.price;
        }
    }
    config
}
