//! One target under examination: a tiny question to it and to no other.

use std::time::Duration;

use backstop::client::Backstop;
use backstop::config::{Config, Credentials, RouteConfig, StrategyRef, TargetRef};
use backstop::router::RouteError;
use backstop::types::{ChatRequest, Failure, FailureKind};

/// How long a target may take to say OK.
const PATIENCE: Duration = Duration::from_secs(20);

/// A target to be examined: by a route of its own, so that nobody else can answer in its place.
pub(super) struct Candidate {
    route: String,
    target: TargetRef,
}

/// What came of it.
pub(super) struct Examination {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) result: Result<Duration, Complaint>,
}

/// Why a target did not answer.
pub(super) struct Complaint {
    pub(super) what: String,
    pub(super) mend: String,
}

/// Adds a route for each target that can be asked at all.
pub(super) fn add_routes(config: &mut Config) -> Vec<Candidate> {
    let usable = config.providers.iter().filter(|(_, provider)| provider.enabled && provider.credentials.are_usable());
    let targets = usable.flat_map(|(name, provider)| {
        provider.models.iter().map(|model| TargetRef { provider: name.clone(), model: Some(model.id.clone()) })
    });
    let candidates: Vec<Candidate> =
        targets.enumerate().map(|(place, target)| Candidate { route: format!("doctor-{place}"), target }).collect();
    for candidate in &candidates {
        let route = RouteConfig {
            targets: vec![candidate.target.clone()],
            strategy: StrategyRef::BuiltIn("fail-fast"),
            max_attempts: Some(1),
            ..RouteConfig::default()
        };
        config.routes.insert(candidate.route.clone(), route);
    }
    candidates
}

/// A question to a route that costs next to nothing.
pub(super) fn question(config: &Config, route: &str) -> ChatRequest {
    let mut request = ChatRequest::ask("Reply with OK").with_field("max_tokens", &16);
    let longest = config.providers.values().map(|provider| provider.timeouts.total).max();
    request.model = Some(route.to_owned());
    request.deadline = Some(longest.map_or(PATIENCE, |longest| longest.min(PATIENCE)));
    request.with_label("context", "doctor")
}

impl Candidate {
    /// Asks the target.
    pub(super) async fn examine(&self, backstop: &Backstop, config: &Config) -> Examination {
        let result = match backstop.chat(question(config, &self.route)).await {
            Ok(answer) => Ok(answer.took),
            Err(error) => Err(self.complaint(&error, config)),
        };
        let TargetRef { provider, model } = self.target.clone();
        Examination { provider, model: model.unwrap_or_default(), result }
    }

    fn complaint(&self, error: &RouteError, config: &Config) -> Complaint {
        let failure = error.attempts().iter().rev().find_map(|attempt| attempt.failure());
        match failure {
            Some(failure) => Complaint { what: failure.to_string(), mend: self.mend(failure, config) },
            None => Complaint { what: error.to_string(), mend: String::new() },
        }
    }

    /// What the operator can do about a failure.
    fn mend(&self, failure: &Failure, config: &Config) -> String {
        let name = &self.target.provider;
        let provider = config.providers.get(name);
        let variable = provider.map(|provider| match &provider.credentials {
            Credentials::Keys(keys) => keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(" or "),
            Credentials::NotNeeded | Credentials::Missing { .. } => format!("providers.{name}"),
        });
        let variable = variable.unwrap_or_default();
        match failure.kind {
            FailureKind::RateLimited => "nothing to mend: it serves again when the limit is over".to_owned(),
            FailureKind::QuotaExhausted => "add credit to the account, or wait for its quota to be renewed".to_owned(),
            FailureKind::Overloaded | FailureKind::ServerError | FailureKind::Interrupted => {
                "the provider's own trouble: try again later".to_owned()
            }
            FailureKind::Timeout => format!("slow or unreachable; providers.{name}.timeouts allows more"),
            FailureKind::Connection => format!("check providers.{name}.base_url, and that something answers there"),
            FailureKind::MalformedReply => format!("check providers.{name}.base_url: this is no completion"),
            FailureKind::Authentication => format!("check the key in {variable}"),
            FailureKind::Permission => format!("the key in {variable} may not use this model"),
            FailureKind::ModelNotFound => format!("name a model it has in providers.{name}.models"),
            FailureKind::ContextLength | FailureKind::ContentFiltered | FailureKind::InvalidRequest => {
                "it answers, but not this question: the model may take other parameters".to_owned()
            }
        }
    }
}

impl Examination {
    /// Whether the target works.
    pub(super) fn answered(&self) -> bool {
        self.result.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use backstop::config::ProviderConfig;

    use super::*;

    fn config() -> Config {
        let provider = || ProviderConfig::openai_compatible("http://127.0.0.1:1/v1".parse().unwrap());
        let mut config = Config::new();
        config
            .providers
            .insert("groq".into(), provider().with_key("GROQ_API_KEY", "k").with_model("a").with_model("b"));
        let mut off = provider().with_model("c");
        off.enabled = false;
        config.providers.insert("off".into(), off);
        config
    }

    #[test]
    fn gives_each_usable_target_a_route_of_its_own() {
        let mut config = config();

        let candidates = add_routes(&mut config);

        assert_eq!(candidates.len(), 2);
        let route = &config.routes["doctor-1"];
        assert_eq!(route.targets, [TargetRef { provider: "groq".into(), model: Some("b".into()) }]);
        assert_eq!(route.max_attempts, Some(1));
    }

    #[test]
    fn names_the_variable_to_look_at() {
        let mut config = config();
        let candidate = add_routes(&mut config).remove(0);
        let failure = Failure::new(FailureKind::Authentication, "bad key");

        assert_eq!(candidate.mend(&failure, &config), "check the key in GROQ_API_KEY");
    }
}
