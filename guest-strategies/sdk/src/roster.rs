//! Who may be chosen: what does not change while the configuration stands.

use crate::Extra;

/// One provider and model a request may be sent to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Target {
    /// The provider's name in the configuration, such as `groq`.
    pub provider: String,
    /// The provider's own id of the model, such as `llama-3.1-8b-instant`.
    pub model: String,
    /// The operator's ranking: higher is better. 0 where nothing was said.
    pub priority: i32,
    /// Runs on the operator's own machines: free of charge, no quota.
    pub local: bool,
    /// US dollars for 1,000,000 input tokens; `None` where the price is unknown, which is not the same as free.
    pub input_price: Option<f64>,
    /// US dollars for 1,000,000 output tokens.
    pub output_price: Option<f64>,
    /// Tokens of input and output together that the model takes; `None` where unknown.
    pub context_window: Option<u32>,
    /// Takes tool definitions and calls tools.
    pub tools: bool,
    /// Can be held to JSON output.
    pub json: bool,
    /// Takes images.
    pub vision: bool,
    /// The operator's own words about the target, such as `("tier", "premium")`.
    pub labels: Vec<(String, String)>,
    /// Numbers this version of the contract has no field for.
    pub extras: Vec<Extra>,
}

/// Every target a request may be sent to, in declared order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Roster {
    targets: Vec<Target>,
}

impl Target {
    /// Whether the target goes by this name: `provider` or `provider/model`.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        match name.strip_prefix(self.provider.as_str()) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('/') == Some(self.model.as_str()),
            None => false,
        }
    }

    /// Whether asking it costs nothing: it is the operator's own, or its price is zero.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.local || (self.input_price == Some(0.0) && self.output_price == Some(0.0))
    }

    /// Its name: `provider/model`.
    #[must_use]
    pub fn name(&self) -> String {
        [self.provider.as_str(), "/", self.model.as_str()].concat()
    }

    /// What the operator said of the target under this name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Roster {
    /// A roster of these targets, in this order.
    #[must_use]
    pub const fn new(targets: Vec<Target>) -> Self {
        Self { targets }
    }

    /// The targets in declared order: a target's place here is its index everywhere else.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The target at this place.
    #[must_use]
    pub fn target(&self, index: u32) -> Option<&Target> {
        self.targets.get(usize::try_from(index).ok()?)
    }

    /// Which targets go by this name (`provider` or `provider/model`), one entry for each target of the roster.
    ///
    /// # Errors
    /// Where none does: a sentence for the operator that names the nearest.
    pub fn find(&self, name: &str) -> Result<Vec<bool>, String> {
        let found: Vec<bool> = self.targets.iter().map(|target| target.is_named(name)).collect();
        if found.contains(&true) {
            return Ok(found);
        }
        let providers = self.targets.iter().map(|target| target.provider.clone());
        let models = self.targets.iter().map(|target| [target.provider.as_str(), "/", target.model.as_str()].concat());
        let mut message = ["`", name, "` is no provider or provider/model of this route"].concat();
        if let Some(near) = crate::nearest::nearest(name, providers.chain(models)) {
            message.push_str("; did you mean `");
            message.push_str(&near);
            message.push_str("`?");
        }
        Err(message)
    }
}

#[cfg(test)]
mod tests {
    use super::{Roster, Target};

    fn target(provider: &str, model: &str) -> Target {
        Target { provider: provider.to_owned(), model: model.to_owned(), ..Target::default() }
    }

    #[test]
    fn finds_targets_by_provider_or_by_provider_and_model() {
        let roster = Roster::new(vec![target("groq", "a"), target("groq", "b/c"), target("groq2", "a")]);

        assert_eq!(roster.find("groq"), Ok(vec![true, true, false]));
        assert_eq!(roster.find("groq/b/c"), Ok(vec![false, true, false]));
        assert_eq!(roster.find("groq2/a"), Ok(vec![false, false, true]));
    }

    #[test]
    fn names_the_nearest_where_a_name_is_mistyped() {
        let roster = Roster::new(vec![target("groq", "llama"), target("openai", "gpt-4o")]);

        let message = roster.find("grok").unwrap_err();

        assert_eq!(message, "`grok` is no provider or provider/model of this route; did you mean `groq`?");
    }

    #[test]
    fn counts_the_operators_own_and_the_priceless_as_free() {
        let own = Target { local: true, ..target("ollama", "llama") };
        let given = Target { input_price: Some(0.0), output_price: Some(0.0), ..target("openrouter", "free") };
        let unknown = target("acme", "x");

        assert!(own.is_free());
        assert!(given.is_free());
        assert!(!unknown.is_free());
    }
}
