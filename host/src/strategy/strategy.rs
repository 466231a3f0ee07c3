//! A guest that has been loaded, configured and proven, and can be asked.

use std::fmt;
use std::sync::Arc;

use crate::config::{Power, SandboxConfig, StrategyRef};
use crate::types::{Ask, ChatRequest, Decision, Observation, RosterTarget, Standing, State, StateRead};

use super::beside::Shared;
use super::blueprint::{Blueprint, wrong_type};
use super::effort::Effort;
use super::fault::StrategyFault;
use super::inspection::Inspection;
use super::instance::{Instance, StartError};
use super::learning::Learning;
use super::load;
use super::logbook::Logbook;
use super::named::Named;
use super::pool::Pool;
use super::{Description, LoadStrategyError, contract};

/// A strategy, configured for one roster. Asking it is synchronous, takes microseconds, and must not be wrapped in a
/// timeout: fuel ends it. Share it in an `Arc` and replace that to reload it.
pub struct Strategy {
    name: Arc<str>,
    inspection: Arc<Inspection>,
    blueprint: Arc<Blueprint>,
    roster: Vec<RosterTarget>,
    options: String,
    shared: Shared,
    pool: Pool,
}

/// A decision, and what it came from beside the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The decision.
    pub decision: Decision,
    /// What was read of the strategy's state, where anything was.
    pub read: Option<StateRead>,
}

impl Strategy {
    /// Loads a strategy that belongs to no route: what it notes in its state is gone with it. See [`Strategy::load_for`].
    ///
    /// # Errors
    ///
    /// What is wrong with the module, its options, or its first answer.
    pub fn load(
        source: &StrategyRef,
        roster: &[RosterTarget],
        options: &serde_json::Map<String, serde_json::Value>,
        sandbox: &SandboxConfig,
    ) -> Result<Self, LoadStrategyError> {
        let named = Named { source: source.clone(), options: options.clone(), pin: None };
        Self::load_for("", &named, roster, sandbox, &Learning::in_memory())
    }

    /// Loads a route's strategy and proves it with one `configure` and one `next`. Blocks for as long as compiling may take: not
    /// to be called from a request.
    ///
    /// # Errors
    ///
    /// As [`Strategy::load`], and where it is another component than the one it is pinned to: nothing of that is run.
    pub fn load_for(
        route: &str,
        named: &Named,
        roster: &[RosterTarget],
        sandbox: &SandboxConfig,
        learning: &Learning,
    ) -> Result<Self, LoadStrategyError> {
        let Named { source, options, pin } = named;
        let (blueprint, inspection) = load::load(source, pin.as_deref(), sandbox)?;
        contract::check_grants(&inspection.imports, &inspection.exports, source, blueprint.powers())?;
        let name = source.name();
        let shared = match blueprint.powers().has(Power::State) {
            true => Shared { notebook: learning.notebook(route, &name), logbook: Logbook::of(&name) },
            false => Shared::scratch(&name),
        };
        Self::configure(name, Arc::new(inspection), Arc::new(blueprint), shared, roster, options)
    }

    /// The same guest for another roster and other options: what was compiled is shared, what was noted is not.
    ///
    /// # Errors
    ///
    /// What is wrong with its options, or its first answer.
    pub fn reconfigured(
        &self,
        roster: &[RosterTarget],
        options: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, LoadStrategyError> {
        let (inspection, blueprint) = (Arc::clone(&self.inspection), Arc::clone(&self.blueprint));
        Self::configure(Arc::clone(&self.name), inspection, blueprint, Shared::scratch(&self.name), roster, options)
    }

    fn configure(
        name: Arc<str>,
        inspection: Arc<Inspection>,
        blueprint: Arc<Blueprint>,
        shared: Shared,
        roster: &[RosterTarget],
        options: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, LoadStrategyError> {
        if let Some(description) = &inspection.description {
            description.check_options(options)?;
        }
        let options = serde_json::Value::Object(options.clone()).to_string();
        let (roster, pool) = (roster.to_vec(), Pool::new());
        let strategy = Self { name, inspection, blueprint, roster, options, shared, pool };
        strategy.prove()?;
        Ok(strategy)
    }

    /// Asks who is next.
    ///
    /// # Errors
    ///
    /// Whatever the guest did wrong; the instance it did it in is gone.
    pub fn decide(&self, ask: &Ask) -> Result<Decision, StrategyFault> {
        self.answer(ask, None).map(|answered| answered.decision)
    }

    /// Asks who is next about a request, which is shown to those who were granted `content` and to nobody else.
    ///
    /// # Errors
    ///
    /// As [`Strategy::decide`].
    pub fn answer(&self, ask: &Ask, request: Option<&Arc<ChatRequest>>) -> Result<Answered, StrategyFault> {
        let request = request.filter(|_| self.blueprint.powers().has(Power::Content));
        let mut instance = self.instance()?;
        let decision = instance.next(ask, request)?;
        let read = instance.take_read();
        self.pool.give_back(instance);
        Ok(Answered { decision, read })
    }

    /// Tells it what became of an attempt.
    ///
    /// # Errors
    ///
    /// As [`Strategy::decide`].
    pub fn observe(&self, outcome: &Observation) -> Result<(), StrategyFault> {
        let mut instance = self.instance()?;
        instance.observe(outcome)?;
        self.pool.give_back(instance);
        Ok(())
    }

    /// Whether it wants to be told outcomes, and was granted that.
    #[must_use]
    pub fn observes(&self) -> bool {
        self.blueprint.observe().is_some()
    }

    /// Asks who is next, and tells what the answer took.
    ///
    /// # Errors
    ///
    /// Whatever the guest did wrong; the instance it did it in is gone.
    pub fn measure(&self, ask: &Ask) -> Result<(Decision, Effort), StrategyFault> {
        let mut instance = self.instance()?;
        let decision = instance.next(ask, None)?;
        let effort = instance.effort();
        self.pool.give_back(instance);
        Ok((decision, effort))
    }

    /// Forgets all that it has put into its state: for whoever asks it questions that have nothing to do with each other.
    pub fn forget(&self) {
        for key in self.shared.notebook.keys() {
            self.shared.notebook.remove(&key);
        }
    }

    /// Drops the idle instances and their memory; the next question starts a fresh one.
    pub fn rest(&self) {
        self.pool.clear();
    }

    /// The name or path it was loaded by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of its file, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.inspection.digest
    }

    /// What can be seen of it.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// What it says of itself, where it does.
    #[must_use]
    pub fn description(&self) -> Option<&Description> {
        self.inspection.description.as_ref()
    }

    fn instance(&self) -> Result<Instance, StrategyFault> {
        self.pool.take().map_or_else(|| self.fresh(), Ok)
    }

    fn fresh(&self) -> Result<Instance, StrategyFault> {
        let started = Instance::start(&self.blueprint, self.shared.clone());
        let mut instance = started.map_err(|error| error.into_fault(self.blueprint.fuel()))?;
        match instance.configure(&self.roster, &self.options)? {
            Ok(()) => Ok(instance),
            Err(message) => Err(StrategyFault::changed_its_mind(&message)),
        }
    }

    /// The first instance, step by step, so that each way to fail has its own message. One with a state of its own is proven
    /// over an empty one, and is not asked again: no request was made, so nothing is to be noted of it.
    fn prove(&self) -> Result<(), LoadStrategyError> {
        let at_start = |fault| LoadStrategyError::FailsAtStart { fault };
        let has_state = self.blueprint.powers().has(Power::State);
        let shared = if has_state { Shared::scratch(&self.name) } else { self.shared.clone() };
        let mut instance = Instance::start(&self.blueprint, shared).map_err(|error| match error {
            StartError::Fault(fault) => at_start(fault),
            StartError::WrongType(error) => wrong_type(&error),
        })?;
        let configured = instance.configure(&self.roster, &self.options);
        configured.map_err(at_start)?.map_err(|message| LoadStrategyError::refused(&message))?;
        match instance.next(&first_question(self.roster.len()), None) {
            Ok(_) if has_state => {}
            Ok(_) => self.pool.give_back(instance),
            // It may do without on other questions, and where it never does, declared order decides: a missing grant keeps
            // no service from starting.
            Err(fault @ StrategyFault::NotGranted { .. }) => {
                tracing::warn!(strategy = self.name(), %fault, "the strategy fails at its first question");
            }
            Err(fault) => return Err(LoadStrategyError::FailsAtFirstQuestion { fault }),
        }
        Ok(())
    }

    /// How many instances are idle.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.pool.idle()
    }
}

impl fmt::Debug for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strategy").field("name", &self.name).field("digest", &self.digest()).finish_non_exhaustive()
    }
}

/// The question a strategy is proven with: everything is ready, nothing was tried, and it is 1970.
fn first_question(targets: usize) -> Ask {
    Ask::first(vec![State::unknown(Standing::Ready); targets])
}

#[cfg(test)]
mod tests {
    use std::thread;

    use serde_json::{Map, json};

    use crate::strategy::BUILT_IN;
    use crate::strategy::test_guests::{ask_of, first_of_all, load, roster, worst};
    use crate::types::{AttemptPlan, Verdict};

    use super::*;

    fn built_in(name: &'static str, options: &serde_json::Value) -> Result<Strategy, LoadStrategyError> {
        let options = options.as_object().cloned().unwrap_or_default();
        Strategy::load(&StrategyRef::BuiltIn(name), &roster(3), &options, &SandboxConfig::default())
    }

    #[test]
    fn loads_every_built_in_strategy_and_is_told_its_name() {
        for name in BUILT_IN {
            let strategy = built_in(name, &json!({})).unwrap();

            assert_eq!(strategy.description().map(|description| description.name.as_str()), Some(name));
            let decision = strategy.decide(&ask_of(&[Standing::Disabled, Standing::Ready, Standing::Disabled]));
            assert_eq!(decision.unwrap().verdict, Verdict::Attempt(AttemptPlan::now(1)), "{name}");
        }
    }

    #[test]
    fn refuses_an_option_the_strategy_does_not_have() {
        let error = built_in("smart", &json!({"patence": "1s"})).unwrap_err();

        insta::assert_snapshot!(error, @"it has no option `patence`: did you mean `patience`?");
    }

    #[test]
    fn takes_an_empty_roster() {
        let strategy =
            Strategy::load(&StrategyRef::BuiltIn("smart"), &[], &Map::new(), &SandboxConfig::default()).unwrap();

        assert_eq!(strategy.decide(&ask_of(&[])).unwrap().verdict, Verdict::GiveUp);
    }

    #[test]
    fn is_asked_from_many_threads_at_once() {
        let strategy = load(&worst("(i32.store (i32.const 1028) (i32.load offset=8 (local.get $ask)))")).unwrap();

        thread::scope(|scope| {
            for target in 0..3_u32 {
                let strategy = &strategy;
                scope.spawn(move || {
                    let ask = Ask { entropy: u64::from(target), ..ask_of(&[Standing::Ready; 3]) };
                    for _ in 0..500 {
                        let verdict = strategy.decide(&ask).unwrap().verdict;
                        // Entropy 0 leaves the target that the instance named last: it keeps its memory between calls.
                        assert!(target == 0 || verdict == Verdict::Attempt(AttemptPlan::now(target)));
                    }
                });
            }
        });

        assert!((1..=thread::available_parallelism().unwrap().get()).contains(&strategy.idle()));
    }

    #[test]
    fn keeps_a_thousand_instances_alive_at_once() {
        let strategy = load(&first_of_all()).unwrap();

        let mut instances: Vec<Instance> = (0..1_000).map(|_| strategy.fresh().unwrap()).collect();

        let answers = instances.iter_mut().map(|instance| instance.next(&ask_of(&[Standing::Ready]), None));
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
    }

    #[test]
    fn replaces_an_instance_that_has_served_its_time() {
        // Counts its calls, and says so with the wait it asks for; entropy 0, as in the proof, does not count.
        let strategy = load(&worst("(i32.store (i32.const 1032) (i32.add (i32.load (i32.const 1032)) (i32.const 1)))"));
        let strategy = strategy.unwrap();
        let ask = Ask { remaining_ms: None, ..ask_of(&[Standing::Ready]) };

        let waits = (0..100_001).map(|_| match strategy.decide(&ask).unwrap().verdict {
            Verdict::Attempt(plan) => plan.after_ms,
            Verdict::Hold | Verdict::GiveUp => 0,
        });

        assert_eq!(waits.max(), Some(99_999));
    }

    #[test]
    fn hedges_with_every_built_in_strategy_that_is_told_to() {
        for name in ["smart", "cost", "quality", "round-robin"] {
            let strategy = built_in(name, &json!({"hedge": "800ms"})).unwrap();
            let alone = ask_of(&[Standing::Ready; 3]);
            let under_way = |targets: Vec<u32>| Ask { in_flight: targets, ..alone.clone() };

            let verdicts = [vec![], vec![0], vec![0, 1, 2]].map(|at| strategy.decide(&under_way(at)).unwrap().verdict);

            let first = AttemptPlan { hedge_after_ms: Some(800), ..AttemptPlan::now(0) };
            assert_eq!(
                verdicts,
                [Verdict::Attempt(first), Verdict::Attempt(AttemptPlan::now(1)), Verdict::Hold],
                "{name}"
            );
        }
        let error = built_in("fail-fast", &json!({"hedge": "800ms"})).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"it refuses its options: `hedge` has no place in fail-fast, which asks one target only; leave it out (`options` of the route)");
    }
}
