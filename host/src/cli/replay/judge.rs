//! A strategy that is asked what another one was asked, among the same targets.

use std::sync::Arc;

use anyhow::Context;
use backstop::accounting::recording::{Decided, Panel};
use backstop::config::{SandboxConfig, StrategyNameError, StrategyRef, strategy_named};
use backstop::strategy::{Strategy, StrategyFault};
use backstop::types::{Ask, Verdict};
use serde_json::{Map, Value};

/// A strategy, configured as the panel of a recording was.
pub(super) struct Judge {
    strategy: Strategy,
    panel: Panel,
}

/// Makes a judge for each panel.
pub(super) struct Judges {
    /// Who is asked; `None` is whoever decided then.
    strategy: Option<StrategyRef>,
    options: Option<Map<String, Value>>,
    sandbox: SandboxConfig,
    made: Vec<Arc<Judge>>,
}

impl Judge {
    /// What it decides, and why.
    ///
    /// # Errors
    /// What it does wrong.
    pub(super) fn decide(&self, decided: &Decided) -> Result<(Verdict, Option<String>), StrategyFault> {
        let own = self.is_who_decided();
        // A note is between a request and the strategy that wrote it.
        let cleared = (!own && !decided.ask.note.is_empty()).then(|| Ask { note: Vec::new(), ..decided.ask.clone() });
        let decision = self.strategy.decide(cleared.as_ref().unwrap_or(&decided.ask))?;
        Ok((decision.verdict, decision.reason))
    }

    /// Among whom is decided, and who decided then.
    pub(super) fn panel(&self) -> &Panel {
        &self.panel
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.strategy.name()
    }

    /// Whether it goes by what it was told of outcomes, which a replay does not tell it.
    pub(super) fn learns(&self) -> bool {
        self.strategy.observes()
    }

    /// Whether it is the very component that decided then.
    pub(super) fn is_who_decided(&self) -> bool {
        self.strategy.digest() == self.panel.digest
    }
}

impl Judges {
    /// Asks the strategy of that name with those options; without a name, those who decided then with theirs.
    ///
    /// # Errors
    /// When no strategy has the name.
    pub(super) fn new(
        strategy: Option<&str>,
        options: Option<Map<String, Value>>,
        sandbox: SandboxConfig,
    ) -> Result<Self, StrategyNameError> {
        Ok(Self { strategy: strategy.map(strategy_named).transpose()?, options, sandbox, made: Vec::new() })
    }

    /// The judge of a panel.
    ///
    /// # Errors
    /// When the strategy cannot be loaded for it.
    pub(super) fn of(&mut self, panel: Panel) -> anyhow::Result<Arc<Judge>> {
        if let Some(judge) = self.made.iter().find(|judge| judge.panel == panel) {
            return Ok(Arc::clone(judge));
        }
        let then = strategy_named(&panel.strategy)?;
        let source = self.strategy.clone().unwrap_or(then.clone());
        let same = || if source.is_same(&then) { panel.options.clone() } else { Map::new() };
        let options = self.options.clone().unwrap_or_else(same);
        let strategy = Strategy::load(&source, &panel.roster, &options, &self.sandbox);
        let strategy = strategy.with_context(|| format!("could not load strategy {:?}", source.name()))?;
        let judge = Arc::new(Judge { strategy, panel });
        self.made.push(Arc::clone(&judge));
        Ok(judge)
    }
}
